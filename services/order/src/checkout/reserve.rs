//! Reserve: holds everything that an attempt needs, at stock and at payment.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shardcart_protocol::fault::{self, Point};
use shardcart_protocol::participant::{self, Answer, Operation, Refusal};
use shardcart_telemetry::metrics;
use shardcart_telemetry::metrics::checkout::Step;
use shardcart_telemetry::trace;

use crate::attempt::Attempt;
use crate::checkout::coordinator::Coordinator;
use crate::checkout::patience::Patience;
use crate::checkout::step::Reserved;
use crate::participants::{Part, Plan};

/// The longest that one operation is waited for, queue and all.
const SUBMIT_MAX: Duration = Duration::from_secs(2);

impl Coordinator {
    /// Reserves at every stock shard in parallel; then, when all of it is held, at the user's payment shard.
    pub(super) async fn reserve<'a>(&self, attempt: &Attempt, plan: &'a Plan, until: Instant) -> Reserved<'a> {
        let asking = Asking {
            attempt,
            until,
            busy_until: Cell::new(None),
            refused: Cell::new(false),
            busy_wait: self.settings.busy_wait_ms,
        };
        let ask = async |part| (part, self.ask(&asking, part).await);
        let timed = trace::step(Step::Stock);
        let mut asked: Vec<(Part<'a>, Answer)> = join_all(plan.stock.iter().map(|part| ask(Part::Stock(part)))).await;
        drop(timed);
        if asked.iter().all(|(_, answer)| is_held(answer)) {
            let _timed = trace::step(Step::Payment);
            asked.push(ask(Part::Payment(&plan.payment)).await);
        }
        let against = asked.iter().map(|(_, answer)| answer).filter(|answer| !is_held(answer));
        match against.min_by_key(|answer| rank(answer)).map(refusal) {
            None => Reserved::All,
            Some(refusal) => {
                let holders = asked.into_iter().filter(|(_, answer)| may_hold(answer)).map(|(part, _)| part).collect();
                Reserved::Not { refusal, holders }
            }
        }
    }

    /// Asks one participant until it gives a final answer, or patience ends.
    async fn ask(&self, asking: &Asking<'_>, part: Part<'_>) -> Answer {
        let mut patience = Patience::until(asking.until);
        loop {
            let operation = operation(asking.attempt, part.reserve(asking.attempt));
            let answer = self.submit(part, operation).await;
            fault::point(Point::AfterReserve);
            match answer {
                Answer::Busy(_) => {
                    metrics::checkout::busy(part.service());
                    patience.until = asking.busy_until().min(asking.until);
                }
                Answer::Unanswered => patience.until = asking.until,
                _ => {
                    asking.refused.set(asking.refused.get() || !is_held(&answer));
                    return answer;
                }
            }
            // After a final refusal of another shard there is no need to ask here again.
            if asking.refused.get() || !patience.pause().await {
                return answer;
            }
        }
    }

    /// Sends an operation to its participant, and waits for the answer in bounded time.
    pub(super) async fn submit(&self, part: Part<'_>, operation: Operation) -> Answer {
        let answer = self.participants.client(part.service()).submit(part.shard(), operation);
        tokio::time::timeout(SUBMIT_MAX, answer).await.unwrap_or(Answer::Unanswered)
    }
}

/// What the requests of one attempt share.
struct Asking<'a> {
    attempt: &'a Attempt,
    until: Instant,
    /// Set by the first `Busy`: until then all participants together may answer so.
    busy_until: Cell<Option<Instant>>,
    busy_wait: Duration,
    /// A participant has given a final refusal.
    refused: Cell<bool>,
}

impl Asking<'_> {
    fn busy_until(&self) -> Instant {
        let until = self.busy_until.get().unwrap_or_else(|| Instant::now() + self.busy_wait);
        self.busy_until.set(Some(until));
        until
    }
}

/// An operation of an attempt.
pub(super) fn operation(attempt: &Attempt, step: participant::Step) -> Operation {
    Operation { tx: attempt.tx.clone(), deadline_ms: attempt.deadline_ms, trace: trace::current(), step }
}

fn is_held(answer: &Answer) -> bool {
    matches!(answer, Answer::Held | Answer::Confirmed)
}

/// Why an attempt cannot go on after such an answer.
fn refusal(answer: &Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) | Answer::Busy(refusal) => refusal.clone(),
        _ => Refusal::CheckoutAborted,
    }
}

/// Which of several answers is reported: unknown items before too little stock, final answers before those that may
/// change.
fn rank(answer: &Answer) -> u8 {
    match answer {
        Answer::Refused(Refusal::UnknownItem(_)) => 0,
        Answer::Refused(_) => 1,
        Answer::Busy(_) => 2,
        _ => 3,
    }
}

/// Whether something may be held after such an answer, now or when an earlier message arrives late. `Busy` is not
/// final: a copy of the same reserve that was thought lost may still find room. `Expired` is final only as long as
/// the participant's clock is not set back: it leaves no tombstone.
fn may_hold(answer: &Answer) -> bool {
    !matches!(answer, Answer::Refused(_) | Answer::Cancelled)
}
