//! Paces the batches of one thread's checkouts, so that requests of the same stage share a batch.
//!
//! A call costs much the same for one request as for ten. 64 checkouts that are spread over four stages and several shards
//! would each send calls of their own. So a batch waits a little for checkouts that are one stage behind it and will send
//! the same kind of request soon. Nagle's algorithm (RFC 896) delays small packets while an earlier one is unacknowledged
//! for the same reason; group commit does too (`commit_delay` and `commit_siblings` of PostgreSQL). If no checkout is
//! behind, nothing waits: a lone checkout is as fast as without a pacer.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A batch of so many requests does not wait: there is little left to save, and its shard has enough to do.
const ENOUGH: usize = 24;
/// The longest wait of a batch.
const WAIT_MAX: Duration = Duration::from_millis(2);
/// The same for the first stage: checkouts that begin together stay together through all stages.
const BEGIN_WAIT_MAX: Duration = Duration::from_millis(4);
/// A batch that has been in flight for longer is not waited for: its shard or machine is slow, or silent.
const AWAITED_MAX: Duration = Duration::from_millis(50);

/// The stages of a checkout that send requests, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Begin, at the order's shard.
    Begin,
    /// Reserve units, at stock shards.
    Stock,
    /// Reserve credit, at the user's shard.
    Payment,
    /// Decide or refuse, at the order's shard.
    Decide,
}

/// The batches in flight of one thread, by stage.
#[derive(Debug, Default)]
pub struct BatchPacer {
    /// When each batch was sent, by stage.
    in_flight: RefCell<[Vec<Instant>; 4]>,
    answered: Notify,
}

/// A batch in flight, until it is dropped.
#[derive(Debug)]
pub struct BatchInFlight {
    pacer: Rc<BatchPacer>,
    stage: Stage,
    since: Instant,
}

impl BatchPacer {
    /// Waits while further requests of this stage can be expected soon and the batch is small. The first stage waits for
    /// all batches in flight, since a client that is answered may begin its next checkout; later stages wait for the stage
    /// before them.
    pub async fn gather(&self, stage: Stage, waiting: impl Fn() -> usize) {
        if !self.is_worth_waiting(stage, waiting()) {
            return;
        }
        let limit = if stage == Stage::Begin { BEGIN_WAIT_MAX } else { WAIT_MAX };
        let gathered = async {
            while self.is_worth_waiting(stage, waiting()) {
                self.answered.notified().await;
            }
        };
        // When the time is over, the batch is sent as it is.
        let _ = tokio::time::timeout(limit, gathered).await;
    }

    /// Notes that a batch is sent.
    pub fn begin_batch(self: &Rc<Self>, stage: Stage) -> BatchInFlight {
        let since = Instant::now();
        self.in_flight.borrow_mut()[stage as usize].push(since);
        BatchInFlight { pacer: Rc::clone(self), stage, since }
    }

    fn is_worth_waiting(&self, stage: Stage, waiting: usize) -> bool {
        let in_flight = self.in_flight.borrow();
        let behind = match stage {
            Stage::Begin => &in_flight[..],
            Stage::Stock | Stage::Payment | Stage::Decide => &in_flight[stage as usize - 1..stage as usize],
        };
        (1..ENOUGH).contains(&waiting) && behind.iter().flatten().any(|since| since.elapsed() < AWAITED_MAX)
    }
}

impl Drop for BatchInFlight {
    fn drop(&mut self) {
        let mut in_flight = self.pacer.in_flight.borrow_mut();
        let stage = &mut in_flight[self.stage as usize];
        if let Some(place) = stage.iter().position(|since| *since == self.since) {
            stage.swap_remove(place);
        }
        self.pacer.answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::*;

    #[actix_web::test]
    async fn a_stage_waits_for_the_one_before_it_and_for_no_other() {
        let pacer = Rc::<BatchPacer>::default();
        let goes = |stage| pacer.gather(stage, || 1).now_or_never().is_some();
        assert!(goes(Stage::Begin) && goes(Stage::Stock) && goes(Stage::Payment) && goes(Stage::Decide));
        let begin = pacer.begin_batch(Stage::Begin);
        assert!(!goes(Stage::Begin) && !goes(Stage::Stock) && goes(Stage::Payment) && goes(Stage::Decide));
        drop(begin);
        let payment = pacer.begin_batch(Stage::Payment);
        assert!(!goes(Stage::Begin) && goes(Stage::Stock) && goes(Stage::Payment) && !goes(Stage::Decide));
        drop(payment);
        assert!(goes(Stage::Begin) && goes(Stage::Decide));
    }

    #[actix_web::test]
    async fn a_batch_goes_when_the_last_one_behind_is_answered_or_enough_requests_wait() {
        let pacer = Rc::<BatchPacer>::default();
        let (first, second) = (pacer.begin_batch(Stage::Begin), pacer.begin_batch(Stage::Begin));
        let waiting = Cell::new(1);
        let mut gathering = Box::pin(pacer.gather(Stage::Stock, || waiting.get()));
        assert!(gathering.as_mut().now_or_never().is_none());
        drop(first);
        assert!(gathering.as_mut().now_or_never().is_none());
        drop(second);
        assert!(gathering.as_mut().now_or_never().is_some());

        let _first = pacer.begin_batch(Stage::Begin);
        waiting.set(ENOUGH);
        assert!(pacer.gather(Stage::Stock, || waiting.get()).now_or_never().is_some());
    }

    #[actix_web::test]
    async fn no_batch_waits_longer_than_the_limit_or_for_a_silent_shard() {
        let pacer = Rc::<BatchPacer>::default();
        let silent = pacer.begin_batch(Stage::Begin);
        // Ends although there is no answer.
        pacer.gather(Stage::Stock, || 1).await;
        let since = silent.since;
        while since.elapsed() < AWAITED_MAX {
            assert!(pacer.is_worth_waiting(Stage::Stock, 1) || since.elapsed() >= AWAITED_MAX);
            tokio::time::sleep(WAIT_MAX).await;
        }
        assert!(!pacer.is_worth_waiting(Stage::Stock, 1));
    }
}
