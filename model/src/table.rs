//! The protocol's tables, made by the functions that the model takes its steps with.
//!
//! The tests of the services put what a row begins with into a real Redis, run the real script, and compare the answer and
//! what is then on record.

use crate::order::{self, Ask, Order, Refusal, Reply, Status, Tx};
use crate::participant::{self, Direct, DirectSays, Holdings, Operation, Outcome, Paid, Record, When};

/// What an attempt wants in every row.
pub const WANTED: u8 = 3;
/// What a direct payment takes in every row.
pub const PAID_DIRECTLY: u8 = 4;

/// One run of reserve, confirm or cancel.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is on record of the attempt.
    pub record: Record,
    /// What the participant has; the attempt wants [`WANTED`].
    pub holdings: Holdings,
    /// What is asked.
    pub operation: Operation,
    /// Where the clock stands.
    pub when: When,
    /// What comes of it.
    pub outcome: Outcome,
}

/// One run of a script outside any checkout.
#[derive(Debug, Clone, Copy)]
pub struct DirectRow {
    /// What the user has, and how the order is paid; directly, if so, with [`PAID_DIRECTLY`].
    pub holdings: Holdings,
    /// What is asked.
    pub direct: Direct,
    /// The answer.
    pub says: DirectSays,
    /// What the user has then.
    pub then: Holdings,
}

/// Whose tx a script of the order's shard names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The order's current or last one.
    Own,
    /// One minted before it.
    Earlier,
    /// One minted after it.
    Later,
}

/// One run of a script of the order's shard.
#[derive(Debug, Clone, Copy)]
pub struct OrderRow {
    /// What is on record; its tx is [`OWN`].
    pub order: Order,
    /// What is asked.
    pub ask: Ask,
    /// With whose tx.
    pub whose: Whose,
    /// The answer.
    pub reply: Reply,
    /// What is then on record.
    pub then: Order,
}

/// The tx of the order in each row.
pub const OWN: Tx = Tx { id: 1, ms: 2 };

impl Whose {
    /// The tx.
    pub fn tx(self) -> Tx {
        match self {
            Whose::Own => OWN,
            Whose::Earlier => Tx { id: 0, ms: OWN.ms - 1 },
            Whose::Later => Tx { id: 2, ms: OWN.ms + 1 },
        }
    }
}

const OPERATIONS: [Operation; 3] = [Operation::Reserve, Operation::Confirm, Operation::Cancel];
const WHENS: [When; 4] = [When::InTime, When::Late, When::Settled, When::Forgotten];
const PAID: [Paid; 7] = [
    Paid::Unpaid,
    Paid::Reserved,
    Paid::ReservedAgain,
    Paid::Charged,
    Paid::ChargedAgain,
    Paid::Direct,
    Paid::GivenBack,
];

const ALL: Holdings = Holdings { exists: true, free: 10, held: 0, paid: Paid::Unpaid };
const SOME_HELD: Holdings = Holdings { free: 7, held: 3, ..ALL };
const SOME_TAKEN: Holdings = Holdings { free: 7, ..ALL };

/// What there is of something of which [`WANTED`] are wanted: free and held.
const SUPPLIES: [(u8, u8); 11] =
    [(0, 0), (2, 0), (3, 0), (4, 0), (0, 2), (0, 3), (1, 1), (1, 2), (2, 9), (3, 9), (10, 0)];

/// All rows of stock.
pub fn stock() -> Vec<Row> {
    let records = [
        (Record::Nothing, ALL),
        (Record::Held, SOME_HELD),
        (Record::Confirmed, SOME_TAKEN),
        (Record::Cancelled, ALL),
        (Record::Unknown, ALL),
        (Record::Insufficient, ALL),
        (Record::Newer, SOME_HELD),
    ];
    [rows(&records), supplies(&[Paid::Unpaid])].concat()
}

/// All rows of payment.
pub fn payment() -> Vec<Row> {
    let paid = |holdings: Holdings, paid| Holdings { paid, ..holdings };
    let records = [
        (Record::Nothing, ALL),
        (Record::Held, paid(SOME_HELD, Paid::Reserved)),
        (Record::Held, paid(SOME_HELD, Paid::ReservedAgain)),
        // Its payment record is of another incarnation, or gone.
        (Record::Held, SOME_HELD),
        (Record::Confirmed, paid(SOME_TAKEN, Paid::Charged)),
        (Record::Cancelled, ALL),
        (Record::Unknown, ALL),
        (Record::Insufficient, ALL),
        (Record::AlreadyPaid, paid(ALL, Paid::Direct)),
        (Record::Newer, paid(SOME_HELD, Paid::Reserved)),
    ];
    [rows(&records), supplies(&PAID)].concat()
}

fn row(record: Record, holdings: Holdings, operation: Operation, when: When) -> Row {
    let outcome = participant::run(record, holdings, operation, when, WANTED, None);
    Row { record, holdings, operation, when, outcome }
}

/// Every operation at every time on each record; no tombstone outlives its time.
fn rows(records: &[(Record, Holdings)]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (record, holdings) in records {
        for operation in OPERATIONS {
            for when in WHENS {
                if !(record.is_tombstone() && when == When::Forgotten) {
                    rows.push(row(*record, *holdings, operation, when));
                }
            }
        }
    }
    rows
}

/// A first reserve in time, by what there is.
fn supplies(paid: &[Paid]) -> Vec<Row> {
    let reserve = |holdings| row(Record::Nothing, holdings, Operation::Reserve, When::InTime);
    let mut rows = vec![reserve(Holdings { exists: false, free: 0, held: 0, paid: Paid::Unpaid })];
    for paid in paid {
        for (free, held) in SUPPLIES {
            rows.push(reserve(Holdings { exists: true, free, held, paid: *paid }));
        }
    }
    rows
}

/// All rows of what is asked of payment outside checkouts.
pub fn direct() -> Vec<DirectRow> {
    let mut rows = Vec::new();
    for paid in PAID {
        for direct in [Direct::Pay, Direct::PayOther, Direct::Cancel, Direct::Status] {
            for free in [PAID_DIRECTLY - 1, PAID_DIRECTLY, 10] {
                // The user of a direct payment that has no other amount to differ from has paid before.
                if direct == Direct::PayOther && paid == Paid::Unpaid {
                    continue;
                }
                let holdings = Holdings { free, paid, ..ALL };
                let (says, then) = participant::run_direct(holdings, direct, PAID_DIRECTLY, None);
                rows.push(DirectRow { holdings, direct, says, then });
            }
        }
    }
    rows
}

/// All rows of the order's shard.
pub fn order() -> Vec<OrderRow> {
    let named = [Ask::Begin, Ask::Decide, Ask::Abort, Ask::Refuse, Ask::Finish, Ask::OrderStatus];
    let asks = named.into_iter().flat_map(|ask| [Whose::Own, Whose::Earlier, Whose::Later].map(|whose| (ask, whose)));
    let take_over = [true, false].map(|lease_over| (Ask::TakeOver { lease_over }, Whose::Own));
    let asks: Vec<_> = asks.chain(take_over).collect();
    let mut rows = Vec::new();
    for status in [Status::Missing, Status::Open, Status::Pending, Status::Aborting, Status::Paid, Status::Newer] {
        let refused = matches!(status, Status::Open | Status::Aborting);
        let refusal = if refused { Refusal::Earlier } else { Refusal::None };
        for in_flight in [false, true] {
            for (ask, whose) in &asks {
                let order = Order { status, tx: OWN, refusal, in_flight };
                let (reply, then) = order::run(order, *ask, whose.tx(), None);
                rows.push(OrderRow { order, ask: *ask, whose: *whose, reply, then });
            }
        }
    }
    rows
}
