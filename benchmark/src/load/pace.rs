//! When requests are sent: as soon as a client is free (closed loop), or when they are due, whoever is free (open loop).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// More requests than this are never kept waiting for a free connection; those beyond are counted as not sent.
const DUE_MAX: usize = 5_000_000;

/// What decides when a request is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// Each client sends one after another. The clients begin one by one, evenly over `ramp`.
    Closed {
        /// Pause of a client between an answer and its next request.
        think: Duration,
        /// Time over which the clients begin.
        ramp: Duration,
    },
    /// Requests are due at moments fixed beforehand; latency counts from there, not from when a connection was free.
    Open(Schedule),
}

/// The moments at which requests of an open loop are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Requests a second.
    pub rate: f64,
    /// Time over which the rate grows from nothing.
    pub ramp: Duration,
    /// At random moments (a Poisson process), as independent users arrive, instead of evenly.
    pub poisson: bool,
}

impl Schedule {
    /// When, after the beginning, as many requests are due as `arrived` says.
    fn due(&self, arrived: f64) -> Duration {
        let ramp = self.ramp.as_secs_f64();
        let in_ramp = self.rate * ramp / 2.0;
        let seconds = if arrived < in_ramp {
            (2.0 * ramp * arrived / self.rate).sqrt()
        } else {
            ramp + (arrived - in_ramp) / self.rate
        };
        Duration::from_secs_f64(seconds)
    }

    /// How far one request is from the next, in requests: 1, or 1 on average.
    fn step(&self) -> f64 {
        if self.poisson { -(1.0 - fastrand::f64()).ln() } else { 1.0 }
    }
}

/// Requests of an open loop that are due and not yet sent.
#[derive(Debug, Default)]
pub struct Due {
    waiting: RefCell<VecDeque<Instant>>,
    more: Notify,
    over: Cell<bool>,
    unsent: Cell<u64>,
}

impl Due {
    /// Puts requests in as they become due, until `end`.
    pub async fn follow(&self, schedule: &Schedule, begun: Instant, end: Instant) {
        let mut timer = Timer::new();
        let mut arrived = 0.0;
        let mut next = begun;
        while next < end {
            timer.until(next).await;
            // All that are due by now: under load there are several whenever this task has its turn.
            let now = Instant::now();
            while next <= now && next < end {
                self.put(next);
                arrived += schedule.step();
                next = begun + schedule.due(arrived);
            }
            tokio::task::yield_now().await;
        }
        timer.until(end).await;
        self.over.set(true);
        self.more.notify_waiters();
    }

    fn put(&self, due: Instant) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < DUE_MAX {
            waiting.push_back(due);
            self.more.notify_one();
        } else {
            self.unsent.set(self.unsent.get() + 1);
        }
    }

    /// The next request that nobody has taken: when it was due. `None` when there will be no more.
    pub async fn take(&self) -> Option<Instant> {
        loop {
            // Registered before the look, so that an end that comes in between is not missed.
            let more = self.more.notified();
            if let Some(due) = self.waiting.borrow_mut().pop_front() {
                return Some(due);
            }
            if self.over.get() {
                return None;
            }
            more.await;
        }
    }

    /// Throws away what nobody has taken.
    pub fn give_up(&self) {
        let mut waiting = self.waiting.borrow_mut();
        self.unsent.set(self.unsent.get() + waiting.len() as u64);
        waiting.clear();
        self.over.set(true);
        self.more.notify_waiters();
    }

    /// How many requests were due and never sent.
    pub fn unsent(&self) -> u64 {
        self.unsent.get()
    }
}

/// Waits for an instant to some ten microseconds; tokio's own timer counts in milliseconds, which would be added to
/// each latency of an open loop.
struct Timer {
    #[cfg(target_os = "linux")]
    fine: Option<fine::Fine>,
}

impl Timer {
    fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            fine: fine::Fine::new(),
        }
    }

    async fn until(&mut self, instant: Instant) {
        let Some(left) = instant.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
            return;
        };
        #[cfg(target_os = "linux")]
        if let Some(fine) = &mut self.fine
            && fine.wait(left).await
        {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

#[cfg(target_os = "linux")]
mod fine {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::AsyncReadExt;
    use tokio::net::unix::pipe::Receiver;

    /// A timer of the kernel: it is read like a pipe, eight bytes for each time that it ran out.
    pub struct Fine {
        timer: TimerFd,
        ran_out: Receiver,
    }

    impl Fine {
        pub fn new() -> Option<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).ok()?;
            let read = timer.as_fd().try_clone_to_owned().ok()?;
            Some(Self { timer, ran_out: Receiver::from_owned_fd_unchecked(read).ok()? })
        }

        /// False where the timer is of no use.
        pub async fn wait(&mut self, left: Duration) -> bool {
            let set = self.timer.set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty());
            set.is_ok() && self.ran_out.read_exact(&mut [0; 8]).await.is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evenly(rate: f64, ramp_s: u64) -> Schedule {
        Schedule { rate, ramp: Duration::from_secs(ramp_s), poisson: false }
    }

    #[test]
    fn requests_are_due_evenly() {
        let schedule = evenly(100.0, 0);
        assert_eq!(schedule.due(0.0), Duration::ZERO);
        assert_eq!(schedule.due(250.0), Duration::from_millis(2500));
    }

    #[test]
    fn a_ramp_brings_half_of_its_rate() {
        let schedule = evenly(100.0, 10);
        assert_eq!(schedule.due(500.0), Duration::from_secs(10));
        assert_eq!(schedule.due(600.0), Duration::from_secs(11));
        // A quarter of the ramp's requests in the first half of its time.
        assert_eq!(schedule.due(125.0), Duration::from_secs(5));
    }

    #[test]
    fn random_arrivals_keep_the_rate() {
        let schedule = Schedule { poisson: true, ..evenly(1.0, 0) };
        let sum: f64 = (0..100_000).map(|_| schedule.step()).sum();
        assert!((98_000.0..102_000.0).contains(&sum), "{sum}");
    }

    #[tokio::test]
    async fn nobody_takes_more_than_was_due_and_all_hear_the_end() {
        let due = Due::default();
        let begun = Instant::now();
        let count = async || {
            let mut count = 0;
            while due.take().await.is_some() {
                count += 1;
            }
            count
        };
        let schedule = evenly(2000.0, 0);
        let end = begun + Duration::from_millis(200);
        let (_, a, b, c) = tokio::join!(due.follow(&schedule, begun, end), count(), count(), count());
        assert_eq!(a + b + c, 400);
        assert_eq!(due.unsent(), 0);
    }
}
