//! A sample: what one second of this machine was, from what it counts anyway.

use serde::Serialize;
use shardcart_telemetry::metrics::checkout::{Outcome, Totals};
use shardcart_telemetry::metrics::requests;
use shardcart_types::ids::now_ms;

/// One second of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// When it ended, Unix ms.
    pub at_ms: u64,
    /// Checkouts that paid.
    pub paid: u64,
    /// That found their order paid already.
    pub repeated: u64,
    /// That were refused.
    pub refused: u64,
    /// That were given up.
    pub aborted: u64,
    /// Whose outcome is unknown.
    pub unknown: u64,
    /// Requests that were turned away at once because there is too much to do (429).
    pub turned_away: u64,
    /// What half of those that paid took at most, in microseconds.
    pub median_us: u64,
    /// What 99 in 100 of them took at most, in microseconds.
    pub p99_us: u64,
}

/// All that this process had counted at one moment.
pub struct Counts {
    /// Checkouts, and what must never happen to them.
    pub checkouts: Totals,
    refusals: u64,
}

impl Counts {
    /// Up to now.
    pub fn now() -> Self {
        Counts { checkouts: Totals::now(), refusals: requests::refusals() }
    }

    /// What was counted since an earlier moment.
    pub fn since(&self, earlier: &Counts) -> Sample {
        let mut sample = Sample { at_ms: now_ms(), ..Sample::default() };
        for outcome in Outcome::ALL {
            let sum = match outcome {
                Outcome::Paid => &mut sample.paid,
                Outcome::Repeated => &mut sample.repeated,
                Outcome::Aborted => &mut sample.aborted,
                Outcome::Unknown | Outcome::Unavailable => &mut sample.unknown,
                // Among those that were turned away.
                Outcome::Overloaded => continue,
                _ => &mut sample.refused,
            };
            *sum += self.checkouts.ended(&earlier.checkouts, *outcome);
        }
        let took = |share| {
            let took = self.checkouts.paid_within(&earlier.checkouts, share);
            took.map_or(0, |took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
        };
        (sample.median_us, sample.p99_us) = (took(0.5), took(0.99));
        sample.turned_away = self.refusals.saturating_sub(earlier.refusals);
        sample
    }
}
