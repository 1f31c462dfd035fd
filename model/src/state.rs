//! A state of the model: everything that is on record, on its way, or in somebody's memory.
//!
//! The network is the set of all messages that were ever sent. Each of them may arrive at any time, any number of times,
//! or never: that is loss, duplication, delay and reordering in one.

use std::hash::{Hash, Hasher};

use crate::order::{Order, Refusal, Status, Tx};
use crate::participant::{Paid, Record};

/// Orders at most.
pub const ORDERS: usize = 2;
/// Parts at most: stock shards, then the user's payment shard.
pub const PARTS: usize = 3;
/// Checkout requests at most.
pub const REQUESTS: usize = 3;
/// How many ids a request mints at most.
pub const MINTS: usize = 2;
/// Attempts at most.
pub const ATTEMPTS: usize = REQUESTS * MINTS;
/// The id that an order has before its first attempt.
pub const NO_ATTEMPT: u8 = u8::MAX;

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(pub u8);

impl Marks {
    /// Whether a mark is set.
    pub fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    /// Sets marks.
    pub fn set(&mut self, mark: u8) {
        self.0 |= mark;
    }

    /// Clears marks.
    pub fn clear(&mut self, mark: u8) {
        self.0 &= !mark;
    }
}

/// What is known of the clock of one participant shard, for one attempt. Each shard's clock runs on its own, so the model
/// does not lean on clocks that agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It may be before the deadline still.
    Open,
    /// The shard has answered that the deadline has passed.
    Late,
    /// A tombstone has gone: it is 70 s later.
    Forgotten,
}

/// What one participant shard has of one attempt, and which messages about it were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The record.
    pub record: Record,
    /// The shard's clock.
    pub clock: Clock,
    /// See the constants.
    pub marks: Marks,
}

impl Cell {
    /// A reserve was sent.
    pub const RESERVE: u8 = 1;
    /// A confirm was sent.
    pub const CONFIRM: u8 = 2;
    /// A cancel was sent.
    pub const CANCEL: u8 = 4;
    /// Who settles the attempt has this shard's acknowledgement.
    pub const ACKNOWLEDGED: u8 = 8;
    /// For the check alone: what was held was made final.
    pub const TAKEN: u8 = 16;
}

/// An attempt: a tx, and what was sent about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The moment in its tx; 0: not minted yet.
    pub ms: u8,
    /// Which incarnation of its order it was begun for.
    pub incarnation: u8,
    /// See the constants.
    pub sent: Marks,
    /// See the constants.
    pub facts: Marks,
    /// By part.
    pub cells: [Cell; PARTS],
}

impl Attempt {
    /// Sent: begin.
    pub const BEGIN: u8 = 1;
    /// Sent: decide.
    pub const DECIDE: u8 = 2;
    /// Sent: refuse.
    pub const REFUSE: u8 = 4;
    /// Sent: abort.
    pub const ABORT: u8 = 8;
    /// Sent: finish.
    pub const FINISH: u8 = 16;

    /// Somebody is confirming it everywhere.
    pub const CONFIRMING: u8 = 1;
    /// Somebody is cancelling it everywhere.
    pub const CANCELLING: u8 = 2;
    /// For the check alone: the order was paid with it.
    pub const DECIDED: u8 = 4;
    /// For the check alone: a client was told that it took nothing and never will.
    pub const DENIED: u8 = 8;
}

/// Where a checkout request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The client has not sent it.
    Idle,
    /// Begin is asked.
    Begin,
    /// Reserves are asked.
    Reserve,
    /// Decide is asked.
    Decide,
    /// Cancels are asked.
    Cancel,
    /// Refuse is asked.
    Refuse,
    /// Abort is asked.
    Abort,
    /// Another's attempt is waited for.
    Wait,
    /// Answered, or its coordinator is dead.
    Ended,
}

/// What a coordinator knows of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Not asked.
    Unasked,
    /// StatusQuery; no final answer.
    StatusQuery,
    /// Held.
    Held,
    /// It holds nothing and never will.
    Out,
}

/// A checkout request and its coordinator. All of it is lost in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Where it is.
    pub phase: Phase,
    /// How many ids it has minted.
    pub minted: u8,
    /// The attempt that it drives, or waits for.
    pub attempt: u8,
    /// By part.
    pub known: [Known; PARTS],
}

/// What can be bought of an item, or spent by a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Free.
    pub free: u8,
    /// Held.
    pub held: u8,
}

/// An order, and the payment for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shop {
    /// The order's record.
    pub order: Order,
    /// Which of the orders that had its id it is: the moment of its load; 0 for a minted id.
    pub incarnation: u8,
    /// The payment record.
    pub paid: Paid,
    /// The incarnation that the payment record is for.
    pub paid_incarnation: u8,
}

/// Everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// By order.
    pub shops: [Shop; ORDERS],
    /// By attempt.
    pub attempts: [Attempt; ATTEMPTS],
    /// By request.
    pub requests: [Request; REQUESTS],
    /// By part.
    pub units: [Units; PARTS],
    /// How often stock may still come in, by part.
    pub restocks: [u8; PARTS],
    /// How many bulk loads are left.
    pub loads: u8,
    /// How many entries of `inflight` may still be lost.
    pub losses: u8,
    /// What was answered, or done, that must never be. See the constants.
    pub wrongs: Marks,
}

/// Wrong: 2xx for an order that is not paid.
pub const PROMISED_UNPAID: u8 = 1;
/// Wrong: an attempt took twice at one participant, or paid two orders.
pub const TAKEN_TWICE: u8 = 2;
/// Wrong: a participant answered `LOST` or `CONFLICT`.
pub const ALARM: u8 = 4;

impl State {
    /// Nothing has happened.
    pub fn new() -> Self {
        let cell = Cell { record: Record::Nothing, clock: Clock::Open, marks: Marks(0) };
        let attempt = Attempt { ms: 0, incarnation: 0, sent: Marks(0), facts: Marks(0), cells: [cell; PARTS] };
        let order = Order {
            status: Status::Missing,
            tx: Tx { id: NO_ATTEMPT, ms: 0 },
            refusal: Refusal::None,
            in_flight: false,
        };
        let shop = Shop { order, incarnation: 0, paid: Paid::Unpaid, paid_incarnation: 0 };
        let request = Request { phase: Phase::Idle, minted: 0, attempt: 0, known: [Known::Unasked; PARTS] };
        State {
            shops: [shop; ORDERS],
            attempts: [attempt; ATTEMPTS],
            requests: [request; REQUESTS],
            units: [Units { free: 0, held: 0 }; PARTS],
            restocks: [0; PARTS],
            loads: 0,
            losses: 0,
            wrongs: Marks(0),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State::new()
    }
}

const BYTES: usize = ORDERS * 5 + ATTEMPTS * (4 + PARTS * 2) + REQUESTS * 3 + PARTS * 2 + 4;

impl Hash for State {
    /// Gives the hasher all of the state in one piece: this is done for every step of a search.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut bytes = [0_u8; BYTES];
        let mut place = 0;
        let mut put = |byte: u8| {
            bytes[place] = byte;
            place += 1;
        };
        for shop in &self.shops {
            let order = &shop.order;
            put(order.status as u8 | (order.refusal as u8) << 3 | u8::from(order.in_flight) << 5);
            put(order.tx.id);
            put(order.tx.ms);
            put(shop.incarnation);
            put(shop.paid as u8 | shop.paid_incarnation << 3);
        }
        for attempt in &self.attempts {
            put(attempt.ms);
            put(attempt.incarnation);
            put(attempt.sent.0);
            put(attempt.facts.0);
            for cell in &attempt.cells {
                put(cell.record as u8 | (cell.clock as u8) << 3);
                put(cell.marks.0);
            }
        }
        for request in &self.requests {
            put(request.phase as u8 | request.minted << 4);
            put(request.attempt);
            put(request.known.iter().fold(0, |all, known| all << 2 | *known as u8));
        }
        for units in &self.units {
            put(units.free);
            put(units.held);
        }
        put(self.restocks.iter().fold(0, |all, left| all << 2 | left));
        put(self.loads);
        put(self.losses);
        put(self.wrongs.0);
        hasher.write(&bytes);
    }
}
