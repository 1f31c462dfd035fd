//! Patience: pauses that grow, up to a moment.

use std::time::{Duration, Instant};

/// First and longest pause before something is asked again.
const PAUSE_MIN: Duration = Duration::from_millis(4);
const PAUSE_MAX: Duration = Duration::from_millis(64);

/// How long something is asked again.
pub(super) struct Patience {
    pub(super) until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn until(until: Instant) -> Self {
        Patience { until, pause: PAUSE_MIN }
    }

    /// Pauses before the next try; `false` if there is no time for one.
    pub(super) async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}
