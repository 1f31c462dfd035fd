//! Where the checkouts of one thread are, so that what they ask goes out together.
//!
//! A call costs much the same for one question as for ten, and 64 checkouts that are spread over four stages and several
//! shards would each travel alone. So a batch waits, a little, for those who are one stage behind it and will ask the same
//! soon: checkouts that met once stay together from stage to stage. Nagle's algorithm (RFC 896) holds small packets back while
//! an earlier one is unacknowledged for the same reason, and so does group commit (`commit_delay` and `commit_siblings` of
//! PostgreSQL). Where nobody is behind, nothing waits: a lone checkout is as fast as without.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A batch of so many waits for nobody: there is little left to save, and its shard has enough to do.
const ENOUGH: usize = 24;
/// How long a batch waits for others at most.
const PATIENCE: Duration = Duration::from_millis(2);
/// The same for those that begin: the longer they gather, the more go together all the way.
const PATIENCE_TO_BEGIN: Duration = Duration::from_millis(4);
/// Nobody waits for what has been under way for longer: it is at a shard or machine that is slow, or silent.
const AWAITED_MAX: Duration = Duration::from_millis(50);

/// The stages of a checkout that ask something, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The order's shard is asked to begin.
    Begin,
    /// Stock shards are asked for units.
    Stock,
    /// The user's shard is asked for credit.
    Payment,
    /// The order's shard is asked to decide, or to open again what is refused.
    Decide,
}

/// What is under way in each stage, in one thread.
#[derive(Debug, Default)]
pub struct Flow {
    /// When each batch that has no answer yet set out, by stage.
    under_way: RefCell<[Vec<Instant>; 4]>,
    answered: Notify,
}

/// A batch that is under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay {
    flow: Rc<Flow>,
    stage: Stage,
    since: Instant,
}

impl Flow {
    /// Waits as long as others can be expected to ask in this stage soon, and fewer than enough wait with it: those who
    /// begin, for all that are under way, since whoever is answered may ask again; later stages for the one before.
    pub async fn gather(&self, stage: Stage, waiting: impl Fn() -> usize) {
        if !self.is_worth_waiting(stage, waiting()) {
            return;
        }
        let patience = if stage == Stage::Begin { PATIENCE_TO_BEGIN } else { PATIENCE };
        let gathered = async {
            while self.is_worth_waiting(stage, waiting()) {
                self.answered.notified().await;
            }
        };
        // That patience has ended is as good a reason to go.
        let _ = tokio::time::timeout(patience, gathered).await;
    }

    /// A batch sets out.
    pub fn set_out(self: &Rc<Self>, stage: Stage) -> UnderWay {
        let since = Instant::now();
        self.under_way.borrow_mut()[stage as usize].push(since);
        UnderWay { flow: Rc::clone(self), stage, since }
    }

    fn is_worth_waiting(&self, stage: Stage, waiting: usize) -> bool {
        let under_way = self.under_way.borrow();
        let behind = match stage {
            Stage::Begin => &under_way[..],
            Stage::Stock | Stage::Payment | Stage::Decide => &under_way[stage as usize - 1..stage as usize],
        };
        (1..ENOUGH).contains(&waiting) && behind.iter().flatten().any(|since| since.elapsed() < AWAITED_MAX)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = self.flow.under_way.borrow_mut();
        let stage = &mut under_way[self.stage as usize];
        if let Some(place) = stage.iter().position(|since| *since == self.since) {
            stage.swap_remove(place);
        }
        self.flow.answered.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;

    use super::*;

    #[actix_web::test]
    async fn a_stage_waits_for_the_one_before_it_and_for_no_other() {
        let flow = Rc::<Flow>::default();
        let goes = |stage| flow.gather(stage, || 1).now_or_never().is_some();
        assert!(goes(Stage::Begin) && goes(Stage::Stock) && goes(Stage::Payment) && goes(Stage::Decide));
        let begin = flow.set_out(Stage::Begin);
        assert!(!goes(Stage::Begin) && !goes(Stage::Stock) && goes(Stage::Payment) && goes(Stage::Decide));
        drop(begin);
        let payment = flow.set_out(Stage::Payment);
        assert!(!goes(Stage::Begin) && goes(Stage::Stock) && goes(Stage::Payment) && !goes(Stage::Decide));
        drop(payment);
        assert!(goes(Stage::Begin) && goes(Stage::Decide));
    }

    #[actix_web::test]
    async fn who_waits_goes_when_the_last_of_those_behind_has_its_answer_or_enough_have_come() {
        let flow = Rc::<Flow>::default();
        let (first, second) = (flow.set_out(Stage::Begin), flow.set_out(Stage::Begin));
        let waiting = Cell::new(1);
        let mut gathering = Box::pin(flow.gather(Stage::Stock, || waiting.get()));
        assert!(gathering.as_mut().now_or_never().is_none());
        drop(first);
        assert!(gathering.as_mut().now_or_never().is_none());
        drop(second);
        assert!(gathering.as_mut().now_or_never().is_some());

        let _first = flow.set_out(Stage::Begin);
        waiting.set(ENOUGH);
        assert!(flow.gather(Stage::Stock, || waiting.get()).now_or_never().is_some());
    }

    #[actix_web::test]
    async fn nobody_waits_longer_than_patience_lasts_or_for_what_is_silent() {
        let flow = Rc::<Flow>::default();
        let silent = flow.set_out(Stage::Begin);
        // Ends although there is no answer.
        flow.gather(Stage::Stock, || 1).await;
        let since = silent.since;
        while since.elapsed() < AWAITED_MAX {
            assert!(flow.is_worth_waiting(Stage::Stock, 1) || since.elapsed() >= AWAITED_MAX);
            tokio::time::sleep(PATIENCE).await;
        }
        assert!(!flow.is_worth_waiting(Stage::Stock, 1));
    }
}
