//! A TCP relay: a network that a test can cut, slow down, and have swallow what is sent over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::network::ports;

/// Bytes that are read at once, and how many such pieces wait in one direction before the sender has to.
const PIECE: usize = 16 * 1024;
const PIECES: usize = 256;

/// What becomes of the bytes that go in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They go on at once.
    Pass,
    /// They go on so much later.
    Delay(Duration),
    /// They go on when the flow changes: until then nothing arrives, and nobody is told.
    Hold,
    /// Each so many pieces (of all connections together), the connection breaks instead.
    CutEvery(u32),
}

/// Both directions, and whether there is a connection at all.
#[derive(Debug, Clone, Copy)]
struct Line {
    requests: Flow,
    answers: Flow,
    open: bool,
    /// A connection ends when this is no longer what it was at its beginning.
    incarnation: u64,
}

/// A relay in front of one port; its connections end when it is dropped.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts a relay to `target` on a port of its own. It belongs to the runtime that starts it.
    pub async fn start(target: u16) -> Relay {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port can be bound");
        let line = Line { requests: Flow::Pass, answers: Flow::Pass, open: true, incarnation: 0 };
        let (line, watched) = watch::channel(line);
        let accepting = tokio::spawn(accept(listener, target, watched));
        Relay { port, line, accepting }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All goes through from now on; what was held arrives now.
    pub fn pass(&self) {
        self.flows(Flow::Pass, Flow::Pass);
    }

    /// Ends all connections, and every new one at once.
    pub fn cut(&self) {
        self.line.send_modify(|line| (line.open, line.incarnation) = (false, line.incarnation + 1));
    }

    /// What becomes of requests and of answers.
    pub fn flows(&self, requests: Flow, answers: Flow) {
        self.line.send_modify(|line| *line = Line { requests, answers, open: true, incarnation: line.incarnation });
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, target: u16, line: watch::Receiver<Line>) {
    let pieces = Arc::new(AtomicU32::new(0));
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if line.borrow().open {
            tokio::spawn(carry(client, target, line.clone(), Arc::clone(&pieces)));
        }
    }
}

/// Carries one connection until either side ends it or the line is cut.
async fn carry(client: TcpStream, target: u16, line: watch::Receiver<Line>, pieces: Arc<AtomicU32>) {
    let incarnation = line.borrow().incarnation;
    let mut watched = line.clone();
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let requests = pump(from_client, to_server, line.clone(), |line| line.requests, &pieces);
    let answers = pump(from_server, to_client, line, |line| line.answers, &pieces);
    tokio::select! {
        () = requests => {}
        () = answers => {}
        _ = watched.wait_for(|line| line.incarnation != incarnation) => {}
    }
}

/// Carries one direction, as the line says at each moment, until it ends or is to be cut.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: watch::Receiver<Line>,
    flow: fn(&Line) -> Flow,
    pieces: &AtomicU32,
) {
    let (sender, mut queue) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let mut watched = line.clone();
    let read = async move {
        loop {
            let mut piece = vec![0; PIECE];
            let Ok(length @ 1..) = from.read(&mut piece).await else { return };
            piece.truncate(length);
            let mut due = Instant::now();
            match flow(&line.borrow()) {
                Flow::Delay(delay) => due += delay,
                Flow::CutEvery(count) if pieces.fetch_add(1, Ordering::Relaxed) % count == count - 1 => return,
                _ => {}
            }
            if sender.send((due, piece)).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = queue.recv().await {
            tokio::time::sleep_until(due.into()).await;
            // The relay is gone with the line; so is the connection, then.
            if watched.wait_for(|line| flow(line) != Flow::Hold).await.is_err() || to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let write = std::pin::pin!(write);
    let mut write = write;
    tokio::select! {
        // What was read before the end still goes out.
        () = read => write.await,
        () = &mut write => {}
    }
}
