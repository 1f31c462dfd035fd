//! Checkouts: how they ended, how long they and their steps took, and what recovery had to do.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ::metrics::{Counter, Gauge};
use shardcart_types::service::Service;

use super::histogram::Histogram;
use super::{Counted, names};

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
    /// A step of a checkout.
    Step {
        /// It waits for its turn; not taken where it has one at once.
        Turn = "turn",
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

/// The participants, and the alarms of each, in the order in which they are counted.
const PARTICIPANTS: [&str; 2] = ["stock", "payment"];
const ALARMS: [&str; 2] = ["lost", "conflict"];

/// How a reservation contradicts its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// The participant does not know it.
    Lost,
    /// The participant has ended it the other way.
    Conflict,
}

struct Checkouts {
    outcomes: Vec<Counted>,
    durations: [&'static Histogram; 4],
    steps: Vec<&'static Histogram>,
    busy: [Counter; 2],
    taken_over: Counter,
    /// `lost` and `conflict`, by participant.
    alarms: [[Counted; 2]; 2],
    slow: Counter,
    waiting: Gauge,
}

static CHECKOUTS: LazyLock<Checkouts> = LazyLock::new(|| Checkouts {
    outcomes: Outcome::ALL.iter().map(|outcome| Counted::of(names::CHECKOUTS.counter(&[outcome.as_str()]))).collect(),
    durations: ["paid", "repeated", "refused", "unknown"].map(|group| names::CHECKOUT_DURATION.histogram(&[group])),
    steps: Step::ALL.iter().map(|step| names::CHECKOUT_STEP_DURATION.histogram(&[step.as_str()])).collect(),
    busy: PARTICIPANTS.map(|participant| names::BUSY_RETRIES.counter(&[participant])),
    taken_over: names::TAKEN_OVER.counter(&[]),
    alarms: PARTICIPANTS.map(|service| ALARMS.map(|kind| Counted::of(names::ALARMS.counter(&[service, kind])))),
    slow: names::SLOW_CHECKOUTS.counter(&[]),
    waiting: names::CHECKOUTS_WAITING.gauge(&[]),
});

/// Makes all metrics of checkouts show, as 0.
pub fn start() {
    LazyLock::force(&CHECKOUTS);
}

/// A checkout was answered.
pub fn ended(outcome: Outcome, took: Duration) {
    CHECKOUTS.outcomes[outcome as usize].increment();
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

/// Recovery has taken an undecided attempt away from its coordinator.
pub fn taken_over() {
    CHECKOUTS.taken_over.increment(1);
}

/// A participant's reservation is not what the decision needs.
pub fn alarm(participant: Service, alarm: Alarm) {
    CHECKOUTS.alarms[participant as usize][alarm as usize].increment();
}

/// A checkout took longer than it should.
pub fn slow() {
    CHECKOUTS.slow.increment(1);
}

/// A checkout that waits for its turn, until it is dropped.
#[derive(Debug)]
pub struct Waiting(());

/// A checkout begins to wait for its turn.
pub fn waits() -> Waiting {
    CHECKOUTS.waiting.increment(1.0);
    Waiting(())
}

impl Drop for Waiting {
    fn drop(&mut self) {
        CHECKOUTS.waiting.decrement(1.0);
    }
}

/// What this process has counted up to a moment, for the console: reading it costs next to nothing.
#[derive(Debug, Clone)]
pub struct Totals {
    outcomes: [u64; Outcome::ALL.len()],
    alarms: [[u64; 2]; 2],
    /// How long those took that paid: how many fell into each bucket.
    paid: Vec<u64>,
}

impl Totals {
    /// Up to now.
    pub fn now() -> Self {
        let mut outcomes = [0; Outcome::ALL.len()];
        outcomes.iter_mut().zip(&CHECKOUTS.outcomes).for_each(|(count, outcome)| *count = outcome.count());
        let alarms = CHECKOUTS.alarms.each_ref().map(|kinds| kinds.each_ref().map(Counted::count));
        Totals { outcomes, alarms, paid: CHECKOUTS.durations[Outcome::Paid.group()].counts() }
    }

    /// How many checkouts have ended like this since an earlier moment.
    pub fn ended(&self, earlier: &Totals, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].saturating_sub(earlier.outcomes[outcome as usize])
    }

    /// What this share (0 to 1) of those that paid since an earlier moment took at most; `None` if none did.
    pub fn paid_within(&self, earlier: &Totals, share: f64) -> Option<Duration> {
        let since: Vec<u64> =
            self.paid.iter().zip(&earlier.paid).map(|(now, before)| now.saturating_sub(*before)).collect();
        let took = CHECKOUTS.durations[Outcome::Paid.group()].quantile(&since, share)?;
        // Saturates.
        Some(Duration::from_nanos(took as u64))
    }

    /// The alarms that were counted since an earlier moment: participant, and `lost` or `conflict`.
    pub fn alarms(&self, earlier: &Totals) -> impl Iterator<Item = (&'static str, &'static str)> {
        let counts = self.alarms.iter().zip(earlier.alarms).zip(PARTICIPANTS);
        counts.flat_map(|((now, before), participant)| {
            let risen = now.iter().zip(before).zip(ALARMS).filter(|((now, before), _)| **now > *before);
            risen.map(|(_, kind)| (participant, kind)).collect::<Vec<_>>()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_between_two_moments_can_be_read() {
        let before = Totals::now();
        assert_eq!((before.paid_within(&before, 0.5), before.alarms(&before).next()), (None, None));
        for _ in 0..3 {
            ended(Outcome::Paid, Duration::from_millis(2));
        }
        ended(Outcome::Overloaded, Duration::ZERO);
        alarm(Service::Payment, Alarm::Conflict);
        let now = Totals::now();
        assert_eq!(
            [Outcome::Paid, Outcome::Overloaded, Outcome::Aborted].map(|one| now.ended(&before, one)),
            [3, 1, 0]
        );
        let took = now.paid_within(&before, 0.99).expect("three took their time");
        assert!((Duration::from_millis(1)..=Duration::from_micros(2_500)).contains(&took), "{took:?}");
        assert_eq!(now.alarms(&before).collect::<Vec<_>>(), [("payment", "conflict")]);
    }
}
