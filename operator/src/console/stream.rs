//! One console's stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::stream::{self, Stream as Events};
use shardcart_http::gate::Gate;

use crate::console::feed::{Feed, Listener};

/// After so long without a sample, the stream sends a sign that the connection still works.
const SILENCE: Duration = Duration::from_secs(5);
/// How soon a machine that stops is noticed.
const NOTICE: Duration = Duration::from_millis(200);
/// Where another machine may be asked, a console comes back after this.
const LAST_WORDS: &str = "retry: 1000\nevent: bye\ndata: {}\n\n";

/// What one console is sent. It holds nothing up: a slow one gets the latest and misses what was between, and when the
/// machine stops the stream ends.
pub struct Stream {
    feed: Arc<Feed>,
    listener: Listener,
    gate: Arc<Gate>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Told,
    Over,
}

impl Stream {
    /// A stream for one more console; `None` if there are too many.
    pub fn open(feed: &Arc<Feed>, gate: &Arc<Gate>) -> Option<Self> {
        let listener = feed.listen()?;
        Some(Stream { feed: Arc::clone(feed), listener, gate: Arc::clone(gate), state: State::New })
    }

    /// Its events, as they are sent.
    pub fn into_events(self) -> impl Events<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut stream| async move {
            let bytes = stream.next().await?;
            Some((Ok(bytes), stream))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            State::Over => return None,
            State::New => {
                self.state = State::Told;
                let latest = Arc::clone(&self.listener.system.borrow_and_update());
                self.listener.samples.mark_unchanged();
                return Some(bytes(&format!("retry: 1000\n\n{}{latest}", self.feed.hello())));
            }
            State::Told => {}
        }
        let mut silent = Duration::ZERO;
        loop {
            if self.gate.is_draining() {
                self.state = State::Over;
                return Some(bytes(LAST_WORDS));
            }
            tokio::select! {
                changed = self.listener.samples.changed() => {
                    changed.ok()?;
                    return Some(bytes(&self.listener.samples.borrow_and_update()));
                }
                changed = self.listener.system.changed() => {
                    changed.ok()?;
                    return Some(bytes(&self.listener.system.borrow_and_update()));
                }
                () = tokio::time::sleep(NOTICE) => silent += NOTICE,
            }
            if silent >= SILENCE {
                return Some(bytes(": still here\n\n"));
            }
        }
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
