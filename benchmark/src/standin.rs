//! A shop of a few lines for the generator's own tests: it keeps sums, not records.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// In what the stand-in differs from a good shop.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Refuses every n-th order.
    pub refuses_every: Option<u64>,
    /// Answers 200 and takes nothing.
    pub lies: bool,
    /// Closes all connections and listens no more after so many checkouts.
    pub stops_after: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    stock: u64,
    credit: u64,
    price: u64,
    taken_units: u64,
    asked: Vec<u64>,
}

/// A running stand-in.
#[derive(Debug)]
pub struct StandIn {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    /// Listens on a port of its own until the runtime ends.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let (stopped, mut stop) = tokio::sync::mpsc::channel(1);
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (stream, _) = accepted.expect("a connection");
                        connections.spawn(serve(stream, Arc::clone(&shared), behaviour.clone(), stopped.clone()));
                    }
                    _ = stop.recv() => return,
                }
            }
        });
        Self { url, state }
    }

    /// The orders that were checked out, sorted.
    pub fn asked(&self) -> Vec<u64> {
        let mut asked = lock(&self.state).asked.clone();
        asked.sort_unstable();
        asked
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no other holder panics")
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<State>>,
    behaviour: Behaviour,
    stopped: tokio::sync::mpsc::Sender<()>,
) {
    let mut request = Vec::new();
    while matches!(stream.read_buf(&mut request).await, Ok(read) if read > 0) {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&request);
        let path = text.split(' ').nth(1).expect("a path").to_owned();
        request.clear();
        let Some((status, body)) = answer(&path, &state, &behaviour) else {
            let _ = stopped.send(()).await;
            return;
        };
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Everything is taken from item 0 and user 0: only the sums matter. `None`: it stops here.
fn answer(path: &str, state: &Mutex<State>, behaviour: &Behaviour) -> Option<(u16, String)> {
    let mut state = lock(state);
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let taken = |id: u64, units: u64| if id == 0 { units } else { 0 };
    let body = match (words[0], words[1]) {
        ("stock", "batch_init") => {
            (state.stock, state.price, state.taken_units) = (number(3), number(4), 0);
            String::new()
        }
        ("payment", "batch_init") => {
            state.credit = number(3);
            String::new()
        }
        ("stock", "find") => {
            let left = state.stock - taken(number(2), state.taken_units);
            format!(r#"{{"stock":{left},"price":{}}}"#, state.price)
        }
        ("payment", "find_user") => {
            let left = state.credit - taken(number(2), state.taken_units * state.price);
            format!(r#"{{"user_id":"x","credit":{left}}}"#)
        }
        ("orders", "checkout") => {
            state.asked.push(number(2));
            if behaviour.stops_after.is_some_and(|checkouts| state.asked.len() as u64 > checkouts) {
                return None;
            }
            if behaviour.refuses_every.is_some_and(|every| number(2).is_multiple_of(every)) {
                return Some((409, r#"{"code":"checkout_aborted","detail":"given up"}"#.to_owned()));
            }
            if !behaviour.lies {
                state.taken_units += 2;
            }
            String::new()
        }
        ("health", "ready") | ("orders", "batch_init") => String::new(),
        _ => return Some((404, String::new())),
    };
    Some((200, body))
}
