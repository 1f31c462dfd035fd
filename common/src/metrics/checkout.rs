//! Checkouts: how they ended, how long they and their steps took, and what recovery had to do.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ::metrics::Counter;

use super::histogram::Histogram;
use super::names;
use crate::participant::{Answer, Refusal, Service};

macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $enum { $($(#[$variant_doc])* $name,)* }

        impl $enum {
            /// All of them, in order.
            pub const ALL: &[$enum] = &[$($enum::$name),*];

            /// As it stands in a label.
            pub fn as_str(self) -> &'static str {
                match self { $($enum::$name => $text,)* }
            }
        }
    };
}

named! {
    /// How a checkout was answered.
    Outcome {
        /// This request's attempt paid the order.
        Paid = "paid",
        /// The order was paid already, or another request's attempt paid it.
        Repeated = "repeated",
        /// There is no such order.
        UnknownOrder = "unknown_order",
        /// An item in the cart does not exist.
        UnknownItem = "unknown_item",
        /// Too little stock.
        InsufficientStock = "insufficient_stock",
        /// There is no such user.
        UnknownUser = "unknown_user",
        /// The order was paid directly.
        AlreadyPaid = "already_paid",
        /// The user has too little credit.
        InsufficientCredit = "insufficient_credit",
        /// 429: too many at once; nothing was done.
        Overloaded = "overloaded",
        /// The attempt was given up; nothing was taken.
        Aborted = "aborted",
        /// 503: it may have been paid.
        Unknown = "unknown",
        /// 503: a shard or a participant does not answer.
        Unavailable = "unavailable",
    }
}

named! {
    /// A step of an attempt.
    Step {
        /// The order's shard begins it.
        Begin = "begin",
        /// All stock shards reserve.
        Stock = "stock",
        /// The user's shard reserves.
        Payment = "payment",
        /// The order's shard decides.
        Decide = "decide",
        /// Cancelling, and opening the order again.
        GiveUp = "give_up",
        /// Telling the participants, after the answer.
        Settle = "settle",
    }
}

impl From<&Refusal> for Outcome {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::UnknownItem(_) => Outcome::UnknownItem,
            Refusal::InsufficientStock(_) => Outcome::InsufficientStock,
            Refusal::UnknownUser => Outcome::UnknownUser,
            Refusal::AlreadyPaid => Outcome::AlreadyPaid,
            Refusal::InsufficientCredit => Outcome::InsufficientCredit,
            Refusal::CheckoutAborted => Outcome::Aborted,
        }
    }
}

impl Outcome {
    /// Its place among the latencies: refusals are alike.
    fn group(self) -> usize {
        match self {
            Outcome::Paid => 0,
            Outcome::Repeated => 1,
            Outcome::Unknown | Outcome::Unavailable => 3,
            _ => 2,
        }
    }
}

struct Checkouts {
    outcomes: Vec<Counter>,
    durations: [&'static Histogram; 4],
    steps: Vec<&'static Histogram>,
    busy: [Counter; 2],
    taken_over: [Counter; 2],
    /// `lost` and `conflict`, by participant.
    alarms: [[Counter; 2]; 2],
    slow: Counter,
}

static CHECKOUTS: LazyLock<Checkouts> = LazyLock::new(|| Checkouts {
    outcomes: Outcome::ALL.iter().map(|outcome| names::CHECKOUTS.counter(&[outcome.as_str()])).collect(),
    durations: ["paid", "repeated", "refused", "unknown"].map(|group| names::CHECKOUT_DURATION.histogram(&[group])),
    steps: Step::ALL.iter().map(|step| names::CHECKOUT_STEP_DURATION.histogram(&[step.as_str()])).collect(),
    busy: ["stock", "payment"].map(|participant| names::BUSY_RETRIES.counter(&[participant])),
    taken_over: ["aborting", "paid"].map(|decision| names::TAKEN_OVER.counter(&[decision])),
    alarms: ["stock", "payment"]
        .map(|service| ["lost", "conflict"].map(|kind| names::ALARMS.counter(&[service, kind]))),
    slow: names::SLOW_CHECKOUTS.counter(&[]),
});

/// Makes all metrics of checkouts show, as 0.
pub fn start() {
    LazyLock::force(&CHECKOUTS);
}

/// A checkout was answered.
pub fn ended(outcome: Outcome, took: Duration) {
    CHECKOUTS.outcomes[outcome as usize].increment(1);
    CHECKOUTS.durations[outcome.group()].record(took);
}

/// A step of an attempt is over.
pub fn step(step: Step, took: Duration) {
    CHECKOUTS.steps[step as usize].record(took);
}

/// So many attempts were settled together.
pub fn settled(attempts: usize, began: Instant) {
    CHECKOUTS.steps[Step::Settle as usize].record_each(began.elapsed(), attempts);
}

/// A reserve has to be asked again, because undecided attempts of others stand in its way.
pub fn busy(participant: Service) {
    CHECKOUTS.busy[participant as usize].increment(1);
}

/// Recovery has taken an attempt over.
pub fn taken_over(paid: bool) {
    CHECKOUTS.taken_over[usize::from(paid)].increment(1);
}

/// A participant's reservation is not what the decision needs.
pub fn alarm(participant: Service, answer: &Answer) {
    CHECKOUTS.alarms[participant as usize][usize::from(*answer == Answer::Conflict)].increment(1);
}

/// A checkout took longer than it should.
pub fn slow() {
    CHECKOUTS.slow.increment(1);
}
