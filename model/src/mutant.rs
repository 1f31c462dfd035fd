//! Mutants: the protocol with one of its rules left out. Each has to be found by the search.

use std::fmt;

use crate::scenario::{self, Scenario};

/// A rule that is left out. A model has none, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Cancel leaves no mark.
    NoTombstone,
    /// A refusal leaves no mark, and whoever gave it is not cancelled.
    RefusalUnmarked,
    /// Decide looks at neither status nor tx.
    DecideUnguarded,
    /// Decide looks at the tx alone.
    DecideIgnoresStatus,
    /// Finish looks at neither status nor tx.
    FinishUnguarded,
    /// Reserve takes at any time.
    DeadlineUnchecked,
    /// The mark of a cancel may go before the deadline has passed.
    TombstoneEndsEarly,
    /// Reserve looks at the clock before it looks for its record.
    DeadlineBeforeRecord,
    /// Confirm takes what it does not find held.
    ConfirmTakesAgain,
    /// Begin accepts any tx while the order is open, also one that has ended.
    BeginNotMonotone,
    /// The order opens when the cancels are sent.
    FinishBeforeAcknowledged,
    /// Abort and take over turn a paid order to aborting, too.
    AbortOfPaid,
    /// `busy` counts as a refusal: who gave it is not cancelled.
    BusyIsFinal,
    /// What is held goes by itself in the end.
    HeldExpires,
    /// A direct payment does not mind that a checkout holds the order.
    PayNotExcluded,
    /// The tx is the order's how-manieth attempt, and a bulk load starts to count anew.
    TxFromCounter,
    /// A bulk load writes an older moment than that of an attempt before it: its clock is behind.
    LoadClockBehind,
    /// A coordinator that finds its order with another tx takes its attempt for given up.
    DecideForgetsLoads,
    /// A waiting checkout that finds no order takes the attempt for given up.
    MissingIsGivenUp,
    /// Nobody takes over what a dead coordinator leaves behind.
    NobodyRecovers,
    /// Participants do not ask about what they hold.
    NobodyReviews,
}

/// All of them: name, and what is left out.
pub const MUTANTS: [(Mutant, &str, &str); 21] = [
    (Mutant::NoTombstone, "no-tombstone", "a cancel leaves no tombstone"),
    (
        Mutant::RefusalUnmarked,
        "refusal-unmarked",
        "a refusal leaves no tombstone, and its participant is not cancelled",
    ),
    (Mutant::DecideUnguarded, "decide-unguarded", "decide looks at neither status nor tx"),
    (Mutant::DecideIgnoresStatus, "decide-ignores-status", "decide looks at the tx alone"),
    (Mutant::FinishUnguarded, "finish-unguarded", "finish looks at neither status nor tx"),
    (Mutant::DeadlineUnchecked, "deadline-unchecked", "reserve does not look at the deadline"),
    (Mutant::TombstoneEndsEarly, "tombstone-ends-early", "the tombstone of a cancel may go before the deadline"),
    (Mutant::DeadlineBeforeRecord, "deadline-before-record", "reserve looks at the deadline before its record"),
    (Mutant::ConfirmTakesAgain, "confirm-takes-again", "confirm of an unknown reservation takes"),
    (Mutant::BeginNotMonotone, "begin-not-monotone", "begin accepts a tx that has ended"),
    (Mutant::FinishBeforeAcknowledged, "finish-early", "the order opens before its cancels are acknowledged"),
    (Mutant::AbortOfPaid, "abort-of-paid", "a paid order can be given up"),
    (Mutant::BusyIsFinal, "busy-is-final", "busy counts as a refusal: no cancel is sent"),
    (Mutant::HeldExpires, "held-expires", "a held reservation has a time to live"),
    (Mutant::PayNotExcluded, "pay-not-excluded", "a direct payment ignores that a checkout holds the order"),
    (Mutant::TxFromCounter, "tx-from-counter", "the tx is a counter of the order; a bulk load starts it anew"),
    (Mutant::LoadClockBehind, "load-clock-behind", "a bulk load is stamped earlier than an attempt before it"),
    (Mutant::DecideForgetsLoads, "decide-forgets-loads", "decide that meets another tx counts as given up"),
    (Mutant::MissingIsGivenUp, "missing-is-given-up", "a wait that finds no order counts as given up"),
    (Mutant::NobodyRecovers, "nobody-recovers", "nobody takes over from a dead coordinator"),
    (Mutant::NobodyReviews, "nobody-reviews", "participants do not ask about what they hold"),
];

impl Mutant {
    /// The mutant of that name.
    pub fn named(name: &str) -> Option<Self> {
        MUTANTS.iter().find(|(_, known, _)| *known == name).map(|(mutant, ..)| *mutant)
    }
}

impl Mutant {
    /// The smallest scenario in which it does harm.
    pub fn scenario(self) -> Scenario {
        match self {
            Mutant::RefusalUnmarked => scenario::SHORT,
            Mutant::BusyIsFinal => scenario::BUSY,
            Mutant::FinishUnguarded => scenario::REPEATED,
            Mutant::ConfirmTakesAgain | Mutant::PayNotExcluded => scenario::PAY,
            Mutant::TxFromCounter | Mutant::LoadClockBehind | Mutant::DecideForgetsLoads | Mutant::MissingIsGivenUp => {
                scenario::LOAD
            }
            Mutant::NobodyReviews => scenario::REVIEW,
            _ => scenario::ONE,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = MUTANTS.iter().find(|(mutant, ..)| mutant == self).map_or("", |(_, name, _)| name);
        formatter.write_str(name)
    }
}
