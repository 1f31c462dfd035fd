//! What a participant's scripts do: reserve, confirm and cancel, as one function of the record and the clock.
//!
//! The model takes its steps with this function, and the table that stock and payment are tested against is made of it.

use crate::mutant::Mutant;

/// What is on record of an attempt at a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Record {
    /// Nothing: it was never written, or its time to live is over.
    Nothing,
    /// Taken, undecided. The only one without a time to live.
    Held,
    /// Made final.
    Confirmed,
    /// Given back, or cancelled before it was reserved.
    Cancelled,
    /// Refused: there is no such item, or user.
    Unknown,
    /// Refused: there is too little.
    Insufficient,
    /// Refused: the order was paid directly. Payment only.
    AlreadyPaid,
    /// Written by a later release.
    Newer,
}

impl Record {
    /// Whether it is a tombstone: it goes at the deadline + 70 s.
    pub fn is_tombstone(self) -> bool {
        !matches!(self, Record::Nothing | Record::Held | Record::Newer)
    }
}

/// What a participant is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Take it, undecided.
    Reserve,
    /// Make it final.
    Confirm,
    /// Give it back, and never take it.
    Cancel,
}

/// Where the participant's clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// Before the attempt's deadline.
    InTime,
    /// After it.
    Late,
    /// More than 60 s after it: what is not on record was settled before.
    Settled,
    /// More than 70 s after it: tombstones are gone, and a new one goes at once.
    Forgotten,
}

/// How the payment record of user and order stands. Stock has none: [`Paid::Unpaid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Paid {
    /// There is no record, or one of another incarnation.
    Unpaid,
    /// A checkout holds the order.
    Reserved,
    /// A checkout holds the order, and a direct payment for it had been given back.
    ReservedAgain,
    /// A checkout has charged it.
    Charged,
    /// A checkout has charged it, and a direct payment for it had been given back.
    ChargedAgain,
    /// Paid directly.
    Direct,
    /// Paid directly, and given back.
    GivenBack,
}

/// What a participant has of what the attempt wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holdings {
    /// Whether the item, or the user, exists.
    pub exists: bool,
    /// Can be taken now: stock, or credit.
    pub free: u8,
    /// Taken by undecided attempts.
    pub held: u8,
    /// The payment record.
    pub paid: Paid,
}

/// What a participant answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Says {
    /// Taken.
    Held,
    /// Others hold it. Nothing taken, not final.
    Busy,
    /// Another attempt holds the order. Nothing taken, not final. Payment only.
    OrderHeld,
    /// The deadline has passed. Nothing taken, final.
    Expired,
    /// Refused: there is no such item, or user.
    Unknown,
    /// Refused: there is too little.
    Insufficient,
    /// Refused: the order was paid directly.
    AlreadyPaid,
    /// Nothing is held, and nothing will be.
    Cancelled,
    /// It is final.
    Confirmed,
    /// Confirm: settled long ago.
    Gone,
    /// Confirm: unknown, and it cannot have been settled: an alarm.
    Lost,
    /// Confirm of a cancelled one, or cancel of a confirmed one: an alarm.
    Conflict,
    /// Left alone.
    Newer,
}

/// One run of a script: what it answers, and what there is afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub says: Says,
    /// The record.
    pub record: Record,
    /// What the participant has.
    pub holdings: Holdings,
}

/// Runs one operation of an attempt that wants `wanted`.
pub fn run(
    record: Record,
    holdings: Holdings,
    operation: Operation,
    when: When,
    wanted: u8,
    mutant: Option<Mutant>,
) -> Outcome {
    let mut outcome = match operation {
        Operation::Reserve => reserve(record, holdings, when, wanted, mutant),
        Operation::Confirm => confirm(record, holdings, when, wanted, mutant),
        Operation::Cancel => cancel(record, holdings, wanted, mutant),
    };
    if when == When::Forgotten && outcome.record.is_tombstone() {
        outcome.record = Record::Nothing;
    }
    outcome
}

fn reserve(record: Record, holdings: Holdings, when: When, wanted: u8, mutant: Option<Mutant>) -> Outcome {
    let unchanged = |says| Outcome { says, record, holdings };
    let late = when != When::InTime && mutant != Some(Mutant::DeadlineUnchecked);
    if late && mutant == Some(Mutant::DeadlineBeforeRecord) && record != Record::Newer {
        return unchanged(Says::Expired);
    }
    match record {
        Record::Nothing => {}
        Record::Held => return unchanged(Says::Held),
        Record::Confirmed => return unchanged(Says::Confirmed),
        Record::Cancelled => return unchanged(Says::Cancelled),
        Record::Unknown => return unchanged(Says::Unknown),
        Record::Insufficient => return unchanged(Says::Insufficient),
        Record::AlreadyPaid => return unchanged(Says::AlreadyPaid),
        Record::Newer => return unchanged(Says::Newer),
    }
    if late {
        return unchanged(Says::Expired);
    }
    let refused = |says, mark| {
        let record = if mutant == Some(Mutant::RefusalUnmarked) { record } else { mark };
        Outcome { says, record, holdings }
    };
    if !holdings.exists {
        return refused(Says::Unknown, Record::Unknown);
    }
    let paid = match holdings.paid {
        Paid::Reserved | Paid::ReservedAgain => return unchanged(Says::OrderHeld),
        Paid::Charged | Paid::ChargedAgain | Paid::Direct => return refused(Says::AlreadyPaid, Record::AlreadyPaid),
        Paid::Unpaid => Paid::Reserved,
        Paid::GivenBack => Paid::ReservedAgain,
    };
    if holdings.free + holdings.held < wanted {
        return refused(Says::Insufficient, Record::Insufficient);
    }
    if holdings.free < wanted {
        return unchanged(Says::Busy);
    }
    let holdings = Holdings { free: holdings.free - wanted, held: holdings.held + wanted, paid, ..holdings };
    Outcome { says: Says::Held, record: Record::Held, holdings }
}

fn confirm(record: Record, holdings: Holdings, when: When, wanted: u8, mutant: Option<Mutant>) -> Outcome {
    let unchanged = |says| Outcome { says, record, holdings };
    match record {
        Record::Held => {
            let paid = match holdings.paid {
                Paid::Reserved => Paid::Charged,
                Paid::ReservedAgain => Paid::ChargedAgain,
                // A payment of another incarnation is not this attempt's.
                other => other,
            };
            let holdings = Holdings { held: holdings.held.saturating_sub(wanted), paid, ..holdings };
            Outcome { says: Says::Confirmed, record: Record::Confirmed, holdings }
        }
        Record::Nothing if mutant == Some(Mutant::ConfirmTakesAgain) && holdings.free >= wanted => {
            let holdings = Holdings { free: holdings.free - wanted, ..holdings };
            Outcome { says: Says::Confirmed, record: Record::Confirmed, holdings }
        }
        Record::Nothing if matches!(when, When::Settled | When::Forgotten) => unchanged(Says::Gone),
        Record::Nothing => unchanged(Says::Lost),
        Record::Confirmed => unchanged(Says::Confirmed),
        Record::Newer => unchanged(Says::Newer),
        Record::Cancelled | Record::Unknown | Record::Insufficient | Record::AlreadyPaid => unchanged(Says::Conflict),
    }
}

fn cancel(record: Record, holdings: Holdings, wanted: u8, mutant: Option<Mutant>) -> Outcome {
    let unchanged = |says| Outcome { says, record, holdings };
    let mark = if mutant == Some(Mutant::NoTombstone) { Record::Nothing } else { Record::Cancelled };
    match record {
        Record::Held => {
            let paid = match holdings.paid {
                Paid::Reserved => Paid::Unpaid,
                Paid::ReservedAgain => Paid::GivenBack,
                other => other,
            };
            let holdings =
                Holdings { free: holdings.free + wanted, held: holdings.held.saturating_sub(wanted), paid, ..holdings };
            Outcome { says: Says::Cancelled, record: mark, holdings }
        }
        Record::Nothing => Outcome { says: Says::Cancelled, record: mark, holdings },
        Record::Confirmed => unchanged(Says::Conflict),
        Record::Newer => unchanged(Says::Newer),
        // A refusal's tombstone keeps its answer.
        Record::Cancelled | Record::Unknown | Record::Insufficient | Record::AlreadyPaid => unchanged(Says::Cancelled),
    }
}

/// What is asked of payment about an order, outside any checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direct {
    /// Pay, with the amount that a direct payment before this one had.
    Pay,
    /// Pay, with another amount.
    PayOther,
    /// Give a direct payment back.
    Cancel,
    /// Whether it is paid.
    Status,
}

/// What payment answers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DirectSays {
    /// Done, now or before.
    Done,
    /// Refused: the user has too little credit.
    Insufficient,
    /// Refused: it has a payment already, or had one.
    AlreadyPaid,
    /// A checkout holds the order: only the order's shard knows whether it is paid.
    AskOrder,
    /// Cancel: there is no payment.
    UnknownPayment,
    /// Cancel: a checkout has paid it.
    PaidByCheckout,
    /// Status: it is paid.
    IsPaid,
    /// Status: it is not.
    IsNotPaid,
}

/// Runs a script of payment outside any checkout, for an amount.
pub fn run_direct(holdings: Holdings, direct: Direct, amount: u8, mutant: Option<Mutant>) -> (DirectSays, Holdings) {
    let held = matches!(holdings.paid, Paid::Reserved | Paid::ReservedAgain);
    let says = match (direct, holdings.paid) {
        (Direct::Pay | Direct::PayOther, Paid::Unpaid) => return pay(holdings, amount),
        (Direct::Pay, _) if held && mutant == Some(Mutant::PayNotExcluded) => return pay(holdings, amount),
        _ if held => DirectSays::AskOrder,
        (Direct::Pay, Paid::Direct) => DirectSays::Done,
        (Direct::Pay | Direct::PayOther, _) => DirectSays::AlreadyPaid,
        (Direct::Cancel, Paid::Direct) => {
            let after = Holdings { free: holdings.free + amount, paid: Paid::GivenBack, ..holdings };
            return (DirectSays::Done, after);
        }
        (Direct::Cancel, Paid::GivenBack) => DirectSays::Done,
        (Direct::Cancel, Paid::Unpaid) => DirectSays::UnknownPayment,
        (Direct::Cancel, _) => DirectSays::PaidByCheckout,
        (Direct::Status, Paid::Charged | Paid::ChargedAgain | Paid::Direct) => DirectSays::IsPaid,
        (Direct::Status, _) => DirectSays::IsNotPaid,
    };
    (says, holdings)
}

fn pay(holdings: Holdings, amount: u8) -> (DirectSays, Holdings) {
    if holdings.free < amount {
        return (DirectSays::Insufficient, holdings);
    }
    (DirectSays::Done, Holdings { free: holdings.free - amount, paid: Paid::Direct, ..holdings })
}
