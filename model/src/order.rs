//! What the order's scripts do to an attempt, as one function of the order's record.
//!
//! The model takes its steps with this function, and the table that the order service is tested against is made of it.

use crate::mutant::Mutant;

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// There is no such order.
    Missing,
    /// No attempt is under way.
    Open,
    /// An attempt is undecided.
    Pending,
    /// An attempt is being given up.
    Aborting,
    /// Paid.
    Paid,
    /// Written by a later release.
    Newer,
}

/// An attempt's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tx {
    /// Which.
    pub id: u8,
    /// The moment in it, by which later ones are known.
    pub ms: u8,
}

/// Why the last attempt was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// It was not.
    None,
    /// For a reason given earlier.
    Earlier,
    /// For the reason that is asked with.
    StatusQuery,
    /// Nobody ended it in time.
    TimedOut,
}

/// What is on record of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order {
    /// How it stands.
    pub status: Status,
    /// The current attempt, or the last.
    pub tx: Tx,
    /// Why that was given up.
    pub refusal: Refusal,
    /// Whether recovery sees it.
    pub in_flight: bool,
}

/// What is asked of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ask {
    /// Open to pending.
    Begin,
    /// Pending to paid.
    Decide,
    /// Pending to aborting.
    Abort,
    /// Pending to open.
    Refuse,
    /// Aborting to open, and out of flight.
    Finish,
    /// Pending to aborting, if the lease is over; hands out what is to be settled. Names no tx.
    TakeOver {
        /// Whether the lease is over.
        lease_over: bool,
    },
    /// How it stands; for an attempt that is still held, has recovery look at it.
    OrderStatus,
}

/// What the order's shard answers; with [`Reply::Stands`] and [`Reply::HandedOut`] it tells status and tx as they are then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reply {
    /// Begin: the attempt is the caller's to drive.
    Begun,
    /// Begin: the tx is not later than the last.
    Moved,
    /// This is how it stands.
    Stands,
    /// Take over: confirm (paid) or cancel (aborting) everywhere, then finish.
    HandedOut,
    /// There is no such order.
    Unknown,
    /// Left alone.
    Newer,
}

/// Runs one script. `tx` is the attempt that is asked with; take over does not look at it.
pub fn run(order: Order, ask: Ask, tx: Tx, mutant: Option<Mutant>) -> (Reply, Order) {
    let own = order.tx.id == tx.id;
    let stands = |order| (Reply::Stands, order);
    match (order.status, ask) {
        (Status::Newer, _) => (Reply::Newer, order),
        (Status::Missing | Status::Open, Ask::TakeOver { .. }) => {
            let reply = if order.status == Status::Open { Reply::Stands } else { Reply::Unknown };
            (reply, Order { in_flight: false, ..order })
        }
        (Status::Missing, _) => (Reply::Unknown, order),

        (_, Ask::Begin) => begin(order, tx, own, mutant),

        (Status::Pending, Ask::Decide) if own => stands(Order { status: Status::Paid, ..order }),
        (_, Ask::Decide) if mutant == Some(Mutant::DecideUnguarded) => {
            stands(Order { status: Status::Paid, tx, ..order })
        }
        (_, Ask::Decide) if own && mutant == Some(Mutant::DecideIgnoresStatus) => {
            stands(Order { status: Status::Paid, ..order })
        }

        (Status::Pending, Ask::Abort) if own => {
            stands(Order { status: Status::Aborting, refusal: Refusal::StatusQuery, ..order })
        }
        (Status::Paid, Ask::Abort) if own && mutant == Some(Mutant::AbortOfPaid) => {
            stands(Order { status: Status::Aborting, refusal: Refusal::StatusQuery, ..order })
        }

        (Status::Pending, Ask::Refuse) if own => {
            stands(Order { status: Status::Open, refusal: Refusal::StatusQuery, in_flight: false, ..order })
        }

        (Status::Aborting, Ask::Finish) if own => stands(Order { status: Status::Open, in_flight: false, ..order }),
        (Status::Paid, Ask::Finish) if own => stands(Order { in_flight: false, ..order }),
        (Status::Paid, Ask::Finish) if mutant == Some(Mutant::FinishUnguarded) => {
            stands(Order { in_flight: false, ..order })
        }
        (_, Ask::Finish) if mutant == Some(Mutant::FinishUnguarded) => {
            stands(Order { status: Status::Open, in_flight: false, ..order })
        }

        (Status::Pending, Ask::TakeOver { lease_over: false }) => stands(Order { in_flight: true, ..order }),
        (Status::Pending, Ask::TakeOver { lease_over: true }) => {
            (Reply::HandedOut, Order { status: Status::Aborting, refusal: Refusal::TimedOut, ..order })
        }
        (Status::Paid, Ask::TakeOver { .. }) if mutant == Some(Mutant::AbortOfPaid) => {
            (Reply::HandedOut, Order { status: Status::Aborting, refusal: Refusal::TimedOut, ..order })
        }
        (Status::Aborting | Status::Paid, Ask::TakeOver { .. }) => (Reply::HandedOut, order),

        (Status::Pending | Status::Aborting | Status::Paid, Ask::OrderStatus) if own => {
            stands(Order { in_flight: true, ..order })
        }
        (_, Ask::Decide | Ask::Abort | Ask::Refuse | Ask::Finish | Ask::OrderStatus) => stands(order),
    }
}

fn begin(order: Order, tx: Tx, own: bool, mutant: Option<Mutant>) -> (Reply, Order) {
    let begun = Order { status: Status::Pending, tx, refusal: Refusal::None, in_flight: true };
    match order.status {
        // A counter tells nobody whose attempt it is: who drives it must be told apart by the answer.
        Status::Pending if own && mutant != Some(Mutant::TxFromCounter) => (Reply::Begun, order),
        Status::Open if mutant == Some(Mutant::BeginNotMonotone) => (Reply::Begun, begun),
        Status::Open if !own && tx.ms <= order.tx.ms => (Reply::Moved, order),
        Status::Open if !own => (Reply::Begun, begun),
        _ => (Reply::Stands, order),
    }
}
