//! What can happen, as values.

use crate::participant::When;

/// A message on its way to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// To the order's shard: open to pending.
    Begin(u8),
    /// To the order's shard: pending to paid.
    Decide(u8),
    /// To the order's shard: pending to open.
    Refuse(u8),
    /// To the order's shard: pending to aborting.
    Abort(u8),
    /// To the order's shard: aborting to open, out of flight.
    Finish(u8),
    /// To a participant, whose clock stands there.
    Reserve(u8, u8, When),
    /// To a participant, whose clock stands there.
    Confirm(u8, u8, When),
    /// To a participant.
    Cancel(u8, u8),
}

/// Who hears the answer to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nobody: it is lost, or this is a copy that nobody waits for any more.
    Nobody,
    /// The coordinator of a request.
    Coordinator(u8),
    /// Who settles the attempt: recovery, or the settler.
    Settler,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A client sends a request.
    Start(u8),
    /// A message arrives: its script runs.
    Arrives(Message, Heard),
    /// A coordinator gives its attempt up: somebody refused, or its patience is over.
    GivesUp(u8),
    /// A coordinator does not wait for cancels any longer.
    Aborts(u8),
    /// A waiting request looks at its order.
    Looks(u8),
    /// A coordinator dies, or its patience ends: the client gets no answer, or 503.
    Dies(u8),
    /// An order in flight is taken over; whether the answer is heard.
    TakesOver(u8, bool),
    /// Who settles an attempt dies.
    SettlerDies(u8),
    /// A tombstone goes, 70 s after the deadline.
    TombstoneGoes(u8, u8),
    /// A mutant's record goes when it must not.
    RecordGoes(u8, u8),
    /// Stock comes in, or credit.
    Restock(u8),
    /// A client pays an order directly.
    Pay(u8),
    /// A client gives a direct payment back.
    CancelPayment(u8),
    /// A bulk load overwrites an order.
    Load(u8),
    /// An open order is removed.
    Remove(u8),
    /// An entry of `inflight` is lost.
    LosesInflight(u8),
    /// A participant asks the order about what it still holds.
    Review(u8, u8),
}
