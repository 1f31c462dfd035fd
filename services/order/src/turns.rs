//! Turns: so many checkouts are under way at once, and others wait for theirs, as long as it comes in time.
//!
//! An attempt has a lease. If all that is asked were begun at once, under a load that is too high none would end within
//! it. So what is too much waits before it begins; who cannot expect a turn in time is told so at once, with nothing done.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shardcart_telemetry::metrics::checkout;
use shardcart_telemetry::trace;
use tokio::sync::oneshot;

/// How long turns are counted before the pace is taken from them.
const WINDOW: Duration = Duration::from_millis(250);
/// The pace that is assumed when the first has to wait, in turns a second. Rather too much than too little: who waits
/// costs nothing, who is told to go asks again.
const PACE_ASSUMED: f64 = 8_000.0;

/// The least time between two that are told to go. A flood that is answered at once asks again at once, and each stage of those
/// whose turn it is would wait behind all of it; so beyond 10,000 a second they are told one after the other.
const TURNED_AWAY_EVERY: Duration = Duration::from_micros(100);

/// How much of the pace is believed in after a window that was slower. A thread that tells many to go has less time for
/// those it took; if it believed that pace at once, it would tell still more to go, and never be fast again.
const PACE_KEPT: f64 = 0.95;

/// The turns of one thread.
pub struct Turns {
    most: usize,
    wait_max: Duration,
    taken: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<Turn>>>,
    /// Turns a second, while others wait for one.
    pace: Cell<f64>,
    /// Since when turns that end are counted, and how many did.
    window: Cell<(Instant, u32)>,
    /// When the next can be told to go.
    next_away: Cell<Instant>,
}

/// A checkout's turn, until it is dropped: then it is another's.
pub struct Turn(Rc<Turns>);

/// There will be no turn in time. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

impl Turns {
    /// So many turns at once; each is waited for so long at most.
    pub fn new(most: usize, wait_max: Duration) -> Rc<Self> {
        Rc::new(Turns {
            most,
            wait_max,
            taken: Cell::new(0),
            waiting: RefCell::default(),
            pace: Cell::new(PACE_ASSUMED),
            window: Cell::new((Instant::now(), 0)),
            next_away: Cell::new(Instant::now()),
        })
    }

    /// Takes a turn, in the order of asking.
    ///
    /// # Errors
    /// `TooMany`: as [`Turns::turn_away`] if so many wait that it would not come in time; later if it did not come.
    pub async fn take(self: &Rc<Self>) -> Result<Turn, TooMany> {
        if self.taken.get() < self.most {
            self.taken.set(self.taken.get() + 1);
            return Ok(Turn(Rc::clone(self)));
        }
        let Some(turn) = self.queue() else { return Err(self.turn_away().await) };
        let (_counted, _timed) = (checkout::waits(), trace::step(checkout::Step::Turn));
        let turn = tokio::time::timeout(self.wait_max, turn).await;
        turn.map_err(|_| TooMany)?.map_err(|_| TooMany)
    }

    /// Tells one to go who cannot expect a turn in time: at once, unless many are told.
    pub async fn turn_away(&self) -> TooMany {
        let (now, next) = (Instant::now(), self.next_away.get());
        self.next_away.set(next.max(now) + TURNED_AWAY_EVERY);
        if next > now {
            tokio::time::sleep_until(next.into()).await;
        }
        TooMany
    }

    /// Whether one who asks now can expect a turn in time.
    pub fn can_come(&self) -> bool {
        let waiting = self.waiting.borrow().len();
        waiting == 0 || waiting as f64 <= self.pace.get() * self.wait_max.as_secs_f64()
    }

    fn queue(&self) -> Option<oneshot::Receiver<Turn>> {
        if !self.can_come() {
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
            // Should it stop waiting at this moment, the turn comes back, is dropped, and ends here again.
            Some(next) => drop(next.send(Turn(Rc::clone(self)))),
            None => self.taken.set(self.taken.get() - 1),
        }
    }

    /// Who is next; those who have stopped waiting are passed over.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut waiting = self.waiting.borrow_mut();
        std::iter::from_fn(|| waiting.pop_front()).find(|next| !next.is_closed())
    }
}

impl Drop for Turn {
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
    async fn turns_are_given_in_the_order_of_asking() {
        let turns = Turns::new(2, LONG);
        let (first, second) = (turns.take().await.unwrap(), turns.take().await.unwrap());
        let (mut third, mut fourth) = (Box::pin(turns.take()), Box::pin(turns.take()));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(second);
        let third = third.await.unwrap();
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(first);
        let fourth = fourth.await.unwrap();
        drop((third, fourth));
        assert_eq!(turns.taken.get(), 0);
    }

    #[actix_web::test]
    async fn a_turn_of_one_who_has_stopped_waiting_is_the_next_ones() {
        let turns = Turns::new(1, LONG);
        let first = turns.take().await.unwrap();
        let (mut gone, mut next) = (Box::pin(turns.take()), Box::pin(turns.take()));
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_none());
        drop(gone);
        drop(first);
        drop(next.await.unwrap());
        assert_eq!(turns.taken.get(), 0);
    }

    #[actix_web::test]
    async fn a_turn_that_comes_when_its_taker_has_just_gone_is_not_lost() {
        let turns = Turns::new(1, LONG);
        let first = turns.take().await.unwrap();
        let mut gone = Box::pin(turns.take());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(first);
        drop(gone);
        assert_eq!(turns.taken.get(), 0);
    }

    #[actix_web::test]
    async fn who_waits_too_long_is_told() {
        let turns = Turns::new(1, Duration::from_millis(10));
        let _first = turns.take().await.unwrap();
        assert_eq!(turns.take().await.err(), Some(TooMany));
    }

    #[actix_web::test]
    async fn who_cannot_expect_a_turn_in_time_is_told_at_once_and_a_flood_one_after_the_other() {
        let turns = Turns::new(1, Duration::from_millis(500));
        let first = turns.take().await.unwrap();
        let mut asked: Vec<_> = (0..5_000).map(|_| Box::pin(turns.take())).collect();
        let told: Vec<_> = asked.iter_mut().filter_map(|asked| asked.as_mut().now_or_never()).collect();
        assert!(matches!(told.as_slice(), [Err(TooMany)]), "{}", told.len());
        // A thousand do not wait for a turn, but for being told.
        assert!(turns.waiting.borrow().len() < 4_100 && !turns.can_come());
        let last = asked.pop().unwrap();
        assert_eq!(last.await.err(), Some(TooMany));
        drop((first, asked));
        // An idle thread takes a burst again.
        let burst = join_all((0..500).map(|_| turns.take().map(|turn| turn.is_ok()))).await;
        assert!(burst.into_iter().all(|taken| taken));
    }
}
