//! The connections of a worker thread: every read and every write has a deadline, what a client may send ahead is
//! bounded, and there is always room for one more.
//!
//! actix can time the first head of a connection and idle connections, and nothing between. So the stream under it
//! keeps time: it knows whether a head is on its way, the [gate](crate::gate) tells it when a request is served and
//! answered, and a sweep a few times per deadline ends what has taken too long. A request costs a few cells for it,
//! no timer. Time is counted in sweeps: while the process is frozen it stands still.
//!
//! A connection that is ended gets no answer: a client that sends its next request at that moment would take it for
//! the answer to that.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::head;

/// Connections beyond the most, for a machine whose requests are all being served: over these only `/health/…` and
/// what else operators look at is answered.
pub const SPARE: usize = 64;
/// What is read of a connection before what it has asked is answered, in bytes: a client that sends without reading
/// gets the answers to this much made.
const AHEAD_MAX: usize = 8 << 10;
/// The share of a full list of connections that is ended to make room, so that the next ones need not look for it.
const ROOM: usize = 64;
/// Sweeps within a deadline.
const SWEEPS: u32 = 4;

/// The number of a sweep: the clock of deadlines.
type Tick = u32;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head is on its way, or what is left of an answered request.
    Head,
    /// A body is on its way; the gate keeps its deadline.
    Body,
    /// A request is being served, which may read its body itself.
    Served,
    /// A request is being served, and all of it has been read.
    Whole,
    /// Nothing is on its way.
    Idle,
}

/// How a request that has been answered ended, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// With its head: it had no body.
    Head,
    /// With a body, after which these were the last four bytes.
    Body([u8; 4]),
    /// It was not read to its end.
    Unread,
    /// The handler knows.
    Unknown,
}

/// One connection, as its stream and the gate see it.
#[derive(Debug)]
pub struct Connection {
    phase: Cell<Phase>,
    since: Cell<Tick>,
    /// Since when the client takes nothing of what is written.
    stuck: Cell<Option<Tick>>,
    is_spare: Cell<bool>,
    is_ended: Cell<bool>,
    /// Whether a read was put off until something is written or answered.
    is_held: Cell<bool>,
    /// Bytes read since the last answers were written.
    ahead: Cell<usize>,
    /// The last four bytes that were read.
    last: Cell<[u8; 4]>,
    place: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    fn new(now: Tick, is_spare: bool, place: usize) -> Self {
        Connection {
            phase: Cell::new(Phase::Idle),
            since: Cell::new(now),
            stuck: Cell::new(None),
            is_spare: Cell::new(is_spare),
            is_ended: Cell::new(false),
            is_held: Cell::new(false),
            ahead: Cell::new(0),
            last: Cell::new([0; 4]),
            place: Cell::new(place),
            waker: RefCell::new(None),
        }
    }

    /// Whether it was taken beyond the most: it is there for operators alone.
    pub fn is_spare(&self) -> bool {
        self.is_spare.get()
    }

    /// The gate has a request's head, and waits for its body.
    pub fn awaits_body(&self) {
        self.phase.set(Phase::Body);
    }

    /// The gate has all of a request, or leaves its body to the handler.
    pub fn is_served(&self, is_whole: bool) {
        self.phase.set(if is_whole { Phase::Whole } else { Phase::Served });
        self.ahead.set(0);
    }

    /// A request has been answered. What was read behind it is the beginning of the next.
    fn answered(&self, end: End, now: Tick) {
        let last = self.last.get();
        let is_read = match end {
            End::Head => last == *b"\r\n\r\n" || last.ends_with(b"\n\n"),
            End::Body(end) => last == end,
            End::Unread => false,
            End::Unknown => true,
        };
        self.phase.set(if is_read { Phase::Idle } else { Phase::Head });
        self.since.set(now);
        self.release();
    }

    /// Ends it: whatever it does next fails.
    fn end(&self) {
        self.is_ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers who is to be woken when it is ended or may read on.
    fn remember(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// Lets it read on.
    fn release(&self) {
        self.ahead.set(0);
        if self.is_held.replace(false) {
            self.wake();
        }
    }

    /// Notes what was read.
    fn has_read(&self, bytes: &[u8]) {
        self.ahead.set(self.ahead.get() + bytes.len());
        let mut last = self.last.get();
        if let Some(end) = bytes.last_chunk() {
            last = *end;
        } else {
            last.rotate_left(bytes.len());
            last[4 - bytes.len()..].copy_from_slice(bytes);
        }
        self.last.set(last);
    }

    /// A handler reads a body of any length, and keeps the time of it: it reads on whatever is written.
    fn is_streamed(&self) -> bool {
        self.phase.get() == Phase::Served
    }

    fn is_late(&self, now: Tick, limits: &Limits) -> bool {
        let took = |since: Tick, limit: Tick| now.wrapping_sub(since) > limit;
        // Who still sends may take what is answered to it later.
        let is_stuck = !self.is_streamed() && self.stuck.get().is_some_and(|since| took(since, limits.busy));
        is_stuck
            || match self.phase.get() {
                Phase::Head => took(self.since.get(), limits.busy),
                Phase::Idle => took(self.since.get(), limits.idle),
                Phase::Body | Phase::Served | Phase::Whole => false,
            }
    }

    /// How soon it is ended to make room: the lower the sooner. `None` while a request is being served.
    fn rank(&self, now: Tick) -> Option<(u8, Tick)> {
        let age = now.wrapping_sub(self.since.get());
        let rank = match self.phase.get() {
            _ if self.is_ended.get() => return None,
            Phase::Served | Phase::Whole => return None,
            Phase::Head | Phase::Body if age > 1 => 0,
            Phase::Idle => 1,
            Phase::Head | Phase::Body => 2,
        };
        Some((rank, Tick::MAX - age))
    }
}

/// Deadlines, in sweeps.
#[derive(Debug, Clone, Copy)]
struct Limits {
    busy: Tick,
    idle: Tick,
}

/// The connections of one thread.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    every: Duration,
    limits: Limits,
    now: Cell<Tick>,
    sweeps: Cell<bool>,
    list: RefCell<Vec<Rc<Connection>>>,
}

impl Connections {
    /// At most `max` of them. A head, and every part of an answer, has to pass within `busy`; nothing may happen for
    /// `idle`.
    pub fn new(max: usize, busy: Duration, idle: Duration) -> Rc<Self> {
        let every = (busy / SWEEPS).max(Duration::from_millis(1));
        // actix ends what is idle; this is for what only looks so.
        let idle = idle.max(busy).as_millis() / every.as_millis().max(1);
        let limits = Limits { busy: SWEEPS, idle: Tick::try_from(idle).unwrap_or(Tick::MAX).saturating_add(1) };
        let (now, sweeps, list) = (Cell::new(0), Cell::new(false), RefCell::default());
        Rc::new(Connections { max, every, limits, now, sweeps, list })
    }

    /// Takes a connection. Where there is no room, those that have been incomplete or idle for longest are ended.
    pub fn take(self: &Rc<Self>, stream: TcpStream) -> Stream {
        if !self.sweeps.replace(true) {
            rt::spawn(sweep(Rc::downgrade(self), self.every));
        }
        let is_full = self.list.borrow().len() >= self.max;
        let is_spare = is_full && !self.make_room();
        let mut list = self.list.borrow_mut();
        let connection = Rc::new(Connection::new(self.now.get(), is_spare, list.len()));
        list.push(Rc::clone(&connection));
        drop(list);
        Stream { stream, connection, connections: Rc::clone(self) }
    }

    /// A request on this connection has been answered.
    pub fn answered(&self, connection: &Connection, end: End) {
        connection.answered(end, self.now.get());
    }

    /// Ends some that serve no request; whether there were any.
    fn make_room(&self) -> bool {
        let list = self.list.borrow();
        let now = self.now.get();
        let mut idle: Vec<_> = list.iter().filter_map(|one| Some((one.rank(now)?, one.place.get()))).collect();
        if idle.is_empty() {
            return list.iter().any(|one| one.is_ended.get());
        }
        let count = (self.max / ROOM).clamp(1, idle.len());
        if count < idle.len() {
            idle.select_nth_unstable(count);
        }
        idle[..count].iter().for_each(|(_, place)| list[*place].end());
        true
    }

    fn sweep(&self) {
        let now = self.now.get().wrapping_add(1);
        self.now.set(now);
        for connection in self.list.borrow().iter() {
            if connection.is_late(now, &self.limits) {
                connection.end();
            }
        }
    }

    fn drop_at(&self, place: usize) {
        let mut list = self.list.borrow_mut();
        list.swap_remove(place);
        if let Some(moved) = list.get(place) {
            moved.place.set(place);
        }
    }
}

async fn sweep(connections: Weak<Connections>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(connections) = connections.upgrade() else { return };
        connections.sweep();
    }
}

/// What the gate has of a connection: the connection and the list it is in.
#[derive(Debug, Clone)]
pub struct Handle(pub Rc<Connection>, pub Rc<Connections>);

/// A connection's bytes.
#[derive(Debug)]
pub struct Stream {
    stream: TcpStream,
    connection: Rc<Connection>,
    connections: Rc<Connections>,
}

impl Stream {
    /// For the gate.
    pub fn handle(&self) -> Handle {
        Handle(Rc::clone(&self.connection), Rc::clone(&self.connections))
    }

    fn check(&self) -> io::Result<()> {
        if self.connection.is_ended.get() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    /// Notes that the client took something of what was written.
    fn took(&self) {
        let (connection, now) = (&self.connection, self.connections.now.get());
        if connection.stuck.get().is_some() {
            connection.stuck.set(Some(now));
        }
        if connection.phase.get() == Phase::Idle {
            connection.since.set(now);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connections.drop_at(self.connection.place.get());
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let connection = Rc::clone(&self.connection);
        let is_streamed = connection.is_streamed();
        let is_far_ahead = connection.ahead.get() >= AHEAD_MAX && !is_streamed;
        let is_stuck = connection.stuck.get().is_some() && !is_streamed;
        if is_stuck || (is_far_ahead && connection.phase.get() == Phase::Whole) {
            connection.is_held.set(true);
            connection.remember(context);
            return Poll::Pending;
        }
        if is_far_ahead {
            // What has come is answered first; writing that begins the next turn.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let begin = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            connection.remember(context);
        } else if buffer.filled().len() > begin {
            if connection.phase.get() == Phase::Idle {
                connection.phase.set(Phase::Head);
                connection.since.set(self.connections.now.get());
                head::mend(buffer, begin);
            }
            connection.has_read(&buffer.filled()[begin..]);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.took();
        } else if self.connection.stuck.get().is_none() {
            self.connection.stuck.set(Some(self.connections.now.get()));
            self.connection.remember(context);
        }
        written
    }

    /// Comes when all that there was to write has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        if self.connection.stuck.take().is_some() {
            self.connection.release();
        }
        if self.connection.phase.get() != Phase::Whole {
            self.connection.ahead.set(0);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8], end: End) -> Phase {
        let connection = Connection::new(0, false, 0);
        connection.has_read(bytes);
        connection.is_served(true);
        connection.answered(end, 1);
        connection.phase.get()
    }

    #[test]
    fn half_a_request_behind_an_answered_one_is_under_way() {
        assert_eq!(after(b"GET / HTTP/1.1\r\n\r\n", End::Head), Phase::Idle);
        assert_eq!(after(b"GET / HTTP/1.1\r\n\r\nGET /", End::Head), Phase::Head);
        assert_eq!(after(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nnull", End::Body(*b"null")), Phase::Idle);
        assert_eq!(after(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nnullGET", End::Body(*b"null")), Phase::Head);
        assert_eq!(after(b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", End::Unread), Phase::Head);
    }

    #[test]
    fn the_last_bytes_are_known_however_they_come() {
        let connection = Connection::new(0, false, 0);
        for part in [&b"GET / HTTP/1.1\r"[..], b"\n", b"\r", b"\n"] {
            connection.has_read(part);
        }
        assert_eq!(connection.last.get(), *b"\r\n\r\n");
    }

    #[test]
    fn only_what_is_served_has_no_deadline_and_makes_no_room() {
        let limits = Limits { busy: 4, idle: 60 };
        let in_phase = |phase: Phase| {
            let connection = Connection::new(0, false, 0);
            connection.phase.set(phase);
            (connection.is_late(4, &limits), connection.is_late(5, &limits), connection.is_late(61, &limits))
        };
        assert_eq!(in_phase(Phase::Head), (false, true, true));
        assert_eq!(in_phase(Phase::Idle), (false, false, true));
        assert_eq!(in_phase(Phase::Whole), (false, false, false));
        let stuck = Connection::new(0, false, 0);
        stuck.is_served(true);
        stuck.stuck.set(Some(0));
        assert!(stuck.is_late(5, &limits) && stuck.rank(5).is_none());
    }

    #[test]
    fn what_has_been_incomplete_for_long_makes_room_first_then_what_is_idle() {
        let at = |phase: Phase, since: Tick| {
            let connection = Connection::new(since, false, 0);
            connection.phase.set(phase);
            connection.rank(10)
        };
        let ranked =
            [at(Phase::Head, 2), at(Phase::Body, 8), at(Phase::Idle, 1), at(Phase::Idle, 9), at(Phase::Head, 9)];
        assert!(ranked.is_sorted(), "{ranked:?}");
    }
}
