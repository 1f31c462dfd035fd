//! Admission: how many checkouts are under way in a thread at once. Others wait in a queue, as long as it moves fast
//! enough.
//!
//! An attempt has a lease. If every checkout began at once, then under too much load none would end within its lease.
//! So excess checkouts wait before they begin. One that would not be admitted in time gets 429 immediately, and
//! nothing is done for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shardcart_telemetry::metrics::checkout;
use shardcart_telemetry::trace;
use tokio::sync::oneshot;

/// How long ends of checkouts are counted before the pace is computed from them.
const WINDOW: Duration = Duration::from_millis(250);
/// The pace that is assumed when the queue was empty, in checkouts a second. Rather too high than too low: a checkout
/// that waits costs nothing, one that is rejected is asked again.
const PACE_ASSUMED: f64 = 8_000.0;

/// The least time between two rejections. A flood that is answered at once asks again at once, and every stage of the
/// admitted checkouts would wait behind all of it. So beyond 10,000 a second, rejections are answered one after the
/// other.
const REJECTED_EVERY: Duration = Duration::from_micros(100);

/// How much of the pace is kept after a slower window. A thread that rejects many has less time for those it admitted.
/// If it took over the lower pace at once, it would reject still more, and never be fast again.
const PACE_KEPT: f64 = 0.95;

/// Admits the checkouts of one thread.
pub struct Admission {
    admitted_max: usize,
    wait_max: Duration,
    admitted: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<Admitted>>>,
    /// Checkouts that end in a second, while others wait.
    pace: Cell<f64>,
    /// Since when ends are counted, and how many there were.
    window: Cell<(Instant, u32)>,
    /// When the next rejection may be answered.
    next_rejection: Cell<Instant>,
}

/// An admitted checkout, until this is dropped: then its place is the next one's.
pub struct Admitted(Rc<Admission>);

/// The checkout cannot be admitted in time. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Admission {
    /// Admits so many checkouts at once; each waits for so long at most.
    pub fn new(admitted_max: usize, wait_max: Duration) -> Rc<Self> {
        Rc::new(Admission {
            admitted_max,
            wait_max,
            admitted: Cell::new(0),
            waiting: RefCell::default(),
            pace: Cell::new(PACE_ASSUMED),
            window: Cell::new((Instant::now(), 0)),
            next_rejection: Cell::new(Instant::now()),
        })
    }

    /// Admits a checkout, in the order of asking.
    ///
    /// # Errors
    /// `TooMany`: as [`Admission::reject`] if the queue is too long to be admitted in time; later if it was not in
    /// time.
    pub async fn admit(self: &Rc<Self>) -> Result<Admitted, TooMany> {
        if self.admitted.get() < self.admitted_max {
            self.admitted.set(self.admitted.get() + 1);
            return Ok(Admitted(Rc::clone(self)));
        }
        let Some(admitted) = self.queue() else { return Err(self.reject().await) };
        let (_counted, _timed) = (checkout::waits(), trace::step(checkout::Step::Turn));
        let admitted = tokio::time::timeout(self.wait_max, admitted).await;
        admitted.map_err(|_| TooMany)?.map_err(|_| TooMany)
    }

    /// Rejects a checkout: at once, unless many are rejected.
    pub async fn reject(&self) -> TooMany {
        let (now, next) = (Instant::now(), self.next_rejection.get());
        self.next_rejection.set(next.max(now) + REJECTED_EVERY);
        if next > now {
            tokio::time::sleep_until(next.into()).await;
        }
        TooMany
    }

    /// Whether a checkout that asks now can expect to be admitted in time.
    pub fn has_room(&self) -> bool {
        let waiting = self.waiting.borrow().len();
        waiting == 0 || waiting as f64 <= self.pace.get() * self.wait_max.as_secs_f64()
    }

    fn queue(&self) -> Option<oneshot::Receiver<Admitted>> {
        if !self.has_room() {
            return None;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            self.pace.set(PACE_ASSUMED);
            self.window.set((Instant::now(), 0));
        }
        let (sender, receiver) = oneshot::channel();
        waiting.push_back(sender);
        Some(receiver)
    }

    fn end(self: &Rc<Self>) {
        let ((since, ended), elapsed) = (self.window.get(), self.window.get().0.elapsed());
        if elapsed < WINDOW {
            self.window.set((since, ended + 1));
        } else {
            let measured = f64::from(ended + 1) / elapsed.as_secs_f64();
            self.pace.set(measured.max(self.pace.get() * PACE_KEPT));
            self.window.set((Instant::now(), 0));
        }
        match self.next() {
            // Should it stop waiting at this moment, the place comes back, is dropped, and ends here again.
            Some(next) => drop(next.send(Admitted(Rc::clone(self)))),
            None => self.admitted.set(self.admitted.get() - 1),
        }
    }

    /// The next that still waits; those that have stopped waiting are passed over.
    fn next(&self) -> Option<oneshot::Sender<Admitted>> {
        let mut waiting = self.waiting.borrow_mut();
        std::iter::from_fn(|| waiting.pop_front()).find(|next| !next.is_closed())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[actix_web::test]
    async fn checkouts_are_admitted_in_the_order_of_asking() {
        let admission = Admission::new(2, LONG);
        let (first, second) = (admission.admit().await.unwrap(), admission.admit().await.unwrap());
        let (mut third, mut fourth) = (Box::pin(admission.admit()), Box::pin(admission.admit()));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(second);
        let third = third.await.unwrap();
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(first);
        let fourth = fourth.await.unwrap();
        drop((third, fourth));
        assert_eq!(admission.admitted.get(), 0);
    }

    #[actix_web::test]
    async fn the_place_of_a_checkout_that_has_stopped_waiting_is_the_next_ones() {
        let admission = Admission::new(1, LONG);
        let first = admission.admit().await.unwrap();
        let (mut gone, mut next) = (Box::pin(admission.admit()), Box::pin(admission.admit()));
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_none());
        drop(gone);
        drop(first);
        drop(next.await.unwrap());
        assert_eq!(admission.admitted.get(), 0);
    }

    #[actix_web::test]
    async fn a_place_that_is_given_to_a_checkout_that_has_just_gone_is_not_lost() {
        let admission = Admission::new(1, LONG);
        let first = admission.admit().await.unwrap();
        let mut gone = Box::pin(admission.admit());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(first);
        drop(gone);
        assert_eq!(admission.admitted.get(), 0);
    }

    #[actix_web::test]
    async fn a_checkout_that_waits_too_long_is_rejected() {
        let admission = Admission::new(1, Duration::from_millis(10));
        let _first = admission.admit().await.unwrap();
        assert_eq!(admission.admit().await.err(), Some(TooMany));
    }

    #[actix_web::test]
    async fn excess_checkouts_are_rejected_at_once_and_those_of_a_flood_one_after_the_other() {
        let admission = Admission::new(1, Duration::from_millis(500));
        let first = admission.admit().await.unwrap();
        let mut asked: Vec<_> = (0..5_000).map(|_| Box::pin(admission.admit())).collect();
        let rejected: Vec<_> = asked.iter_mut().filter_map(|asked| asked.as_mut().now_or_never()).collect();
        assert!(matches!(rejected.as_slice(), [Err(TooMany)]), "{}", rejected.len());
        // A thousand wait not for admission, but for their rejection.
        assert!(admission.waiting.borrow().len() < 4_100 && !admission.has_room());
        let last = asked.pop().unwrap();
        assert_eq!(last.await.err(), Some(TooMany));
        drop((first, asked));
        // An idle thread takes a burst again.
        let burst = join_all((0..500).map(|_| admission.admit().map(|admitted| admitted.is_ok()))).await;
        assert!(burst.into_iter().all(|admitted| admitted));
    }
}
