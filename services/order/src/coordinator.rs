//! The coordinator: drives one attempt from begin to its decision. `ARCHITECTURE.md` has the whole picture.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt;
use futures_util::future::join_all;
use shardcart_http::gate::Gate;
use shardcart_protocol::fault;
use shardcart_protocol::fault::Point;
use shardcart_protocol::participant;
use shardcart_protocol::participant::{Answer, Operation, ParticipantError, Refusal};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_telemetry::metrics;
use shardcart_telemetry::metrics::checkout::Step;
use shardcart_telemetry::trace;
use shardcart_telemetry::trace::Context;
use shardcart_types::ids::{OrderId, Partition, TxId, UserId, minted_ms, minted_partition, now_ms};

use crate::attempt::{self, Attempt, Begun, Named, Status, Truth};
use crate::config::CheckoutSettings;
use crate::error::{OrderError, Result};
use crate::observed;
use crate::recent::Recent;
use crate::settler::SettleQueue;
use crate::settling::{Part, Settlement, Settling};
use crate::together::Attempts;
use crate::turns::{TooMany, Turns};

/// How often begin is tried: each time it can find that the clock must be ahead of the last attempt, or get no answer.
const BEGINS_MAX: usize = 3;
/// First and longest pause before something is asked again.
const PAUSE_MIN: Duration = Duration::from_millis(4);
const PAUSE_MAX: Duration = Duration::from_millis(64);
/// The longest that one operation is waited for, queue and all.
const SUBMIT_MAX: Duration = Duration::from_secs(2);
/// Cancelling is given this long at the least, however short the lease is.
const CANCEL_MIN: Duration = Duration::from_millis(500);

/// Drives checkouts in one thread.
///
/// What seldom happens is boxed: a checkout's future is copied when it sets out, and has room for its largest part.
pub struct Coordinator {
    settling: Rc<Settling>,
    attempts: Attempts,
    turns: Rc<Turns>,
    settings: CheckoutSettings,
    queue: SettleQueue,
    gate: Arc<Gate>,
    recent: Arc<Recent>,
}

/// What reserving came to.
enum Reserved {
    /// Everything is held.
    All,
    /// Not everything can be; these parts may hold something.
    Not { refusal: Refusal, holders: Vec<Part> },
}

/// Pauses that grow, up to a moment.
struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn until(until: Instant) -> Self {
        Patience { until, pause: PAUSE_MIN }
    }

    /// Pauses before the next try; `false` if there is no time for one.
    async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

impl Coordinator {
    /// A coordinator; `gate` counts the attempts that go on when their client has gone, `recent` remembers the last.
    pub fn new(
        settling: Rc<Settling>,
        settings: CheckoutSettings,
        queue: SettleQueue,
        gate: Arc<Gate>,
        recent: Arc<Recent>,
    ) -> Rc<Self> {
        let attempts = Attempts::new(&settling.shards, &settings, &settling.pacer);
        let turns = Turns::new(usize::from(settings.checkouts_max), settings.checkout_queue_ms);
        Rc::new(Coordinator { settling, attempts, turns, settings, queue, gate, recent })
    }

    /// Refuses a user whose id names a shard that payment does not know: an order of such a user could never be settled.
    /// Whether the user exists is found out at checkout.
    ///
    /// # Errors
    /// `Participant`: no such shard.
    pub async fn check_user(&self, user: &UserId) -> Result<()> {
        let Some(partition) = minted_partition(user.as_str()) else { return Ok(()) };
        match self.settling.payment.check_known(partition).await {
            Err(error @ ParticipantError::BeyondList { .. }) => Err(error.into()),
            // A payment service that is silent keeps nobody from filling a cart.
            _ => Ok(()),
        }
    }

    /// Pays an order, once: takes all it needs, or nothing. Idempotent by order: may always be repeated.
    ///
    /// # Errors
    /// - `Refused`, `UnknownOrder`: the attempts that this call made or waited for took nothing, and never will.
    /// - `TooMany`: it did nothing.
    /// - `OutcomeUnknown`, `Shard` and others: it may have been paid; repeat it.
    pub async fn checkout(self: &Rc<Self>, order: OrderId) -> Result<()> {
        // Before anything is spent on it: a flood that is turned away must leave time for those whose turn it is.
        if !self.turns.can_come() {
            let TooMany = self.turns.turn_away().await;
            observed::turned_away();
            return Err(OrderError::TooMany);
        }
        // On its own, so that a client that hangs up does not leave an attempt half way.
        let (coordinator, work) = (Rc::clone(self), self.gate.begin_work());
        let context = Context::of_checkout(trace::current(), &order);
        let attempt = rt::spawn(trace::within(&Rc::clone(&context), async move {
            let _work = work;
            let done = coordinator.pay(&order).await;
            observed::ended(&context, coordinator.settings.slow_ms, &done);
            done
        }));
        attempt.await.unwrap_or(Err(OrderError::OutcomeUnknown))
    }

    async fn pay(&self, order: &OrderId) -> Result<()> {
        let asked = Instant::now();
        let give_up = asked + self.settings.checkout_wait_ms;
        let (shard, partition) = self.settling.shards.route(order.as_str())?;
        let mut has_waited = false;
        loop {
            let turn = self.turns.take().await.map_err(|TooMany| OrderError::TooMany)?;
            let truth = match self.begin(shard, partition, order).await? {
                Begun::Attempt(attempt) => {
                    let outcome = self.drive(shard, &attempt, give_up).await;
                    if metrics::on() {
                        self.recent.push(attempt, &outcome, asked.elapsed());
                    }
                    return outcome;
                }
                Begun::Standing(truth) => truth,
                Begun::Moved { .. } => return Err(OrderError::OutcomeUnknown),
            };
            match truth.status {
                Status::Paid => return Ok(()),
                Status::Open => return Err(truth.refusal().into()),
                Status::Pending | Status::Aborting => {
                    drop(turn);
                    trace::about_tx(&truth.tx);
                    let waited = Box::pin(self.wait(shard, partition, order, &truth.tx, give_up));
                    let outcome = tokio::time::timeout_at(give_up.into(), waited)
                        .await
                        .unwrap_or(Err(OrderError::OutcomeUnknown));
                    // Nobody refused what this call waited for: it was given up, as when its coordinator has died. Its
                    // client should not have to ask once more: one further attempt, its own or another's, if time is left.
                    let given_up = matches!(outcome, Err(OrderError::Refused(Refusal::CheckoutAborted)));
                    if has_waited || !given_up || Instant::now() + self.settings.checkout_lease_ms > give_up {
                        return outcome;
                    }
                    has_waited = true;
                }
                Status::Unknown => return Err(OrderError::UnknownOrder(order.clone())),
                Status::Newer => return Err(OrderError::Newer(order.clone())),
            }
        }
    }

    async fn begin(&self, shard: &Shard, partition: Partition, order: &OrderId) -> Result<Begun> {
        let _timed = trace::step(Step::Begin);
        let mut tx = TxId::mint(partition, now_ms());
        let mut last = Begun::Moved { last_ms: 0 };
        for _ in 0..BEGINS_MAX {
            match self.attempts.begin(Named { order: order.clone(), partition, tx: tx.clone() }).await {
                Ok(Begun::Moved { last_ms }) => {
                    tx = TxId::mint(partition, now_ms().max(last_ms + 1));
                    last = Begun::Moved { last_ms };
                }
                // The same tx again: if it has begun, that is what the answer says.
                Err(ShardError::Unanswered { .. }) => {}
                Ok(begun) => return Ok(begun),
                Err(error) => return Err(error.into()),
            }
        }
        match last {
            Begun::Moved { last_ms: 0 } => {
                Err(ShardError::Unanswered { shard: shard.number(), cause: "begin".to_owned() }.into())
            }
            moved => Ok(moved),
        }
    }

    /// Drives an attempt that this coordinator began.
    async fn drive(&self, shard: &Shard, attempt: &Attempt, give_up: Instant) -> Result<()> {
        trace::drives(&attempt.tx);
        fault::point(Point::AfterBegin);
        let lease_end = Instant::now() + self.settings.checkout_lease_ms;
        // A quarter of the lease is kept for giving up, before recovery does it.
        let mut patience = Patience::until(lease_end - self.settings.checkout_lease_ms / 4);
        let parts = loop {
            match self.settling.parts(attempt).await {
                Ok(parts) => break parts,
                // Where no participant knows the shard, there is nobody to ask, now or later.
                Err(error) if !matches!(error, ParticipantError::BeyondList { .. }) && patience.pause().await => {}
                Err(_) => {
                    let given_up = self.give_up(shard, attempt, Refusal::CheckoutAborted, Vec::new(), lease_end);
                    return Box::pin(given_up).await;
                }
            }
        };
        match self.reserve(attempt, &parts, patience.until).await {
            Reserved::All => {
                fault::point(Point::AfterAll);
                self.decide(shard, attempt, &parts, give_up).await
            }
            Reserved::Not { refusal, holders } => {
                Box::pin(self.give_up(shard, attempt, refusal, holders, lease_end)).await
            }
        }
    }

    /// Reserves at every stock shard in parallel; then, when all of it is held, at the user's.
    async fn reserve(&self, attempt: &Attempt, parts: &[Part], until: Instant) -> Reserved {
        let asking = Asking {
            attempt,
            until,
            busy_until: Cell::new(None),
            refused: Cell::new(false),
            busy_wait: self.settings.busy_wait_ms,
        };
        let Some((payment, stock)) = parts.split_last() else {
            return Reserved::Not { refusal: Refusal::CheckoutAborted, holders: Vec::new() };
        };
        let timed = trace::step(Step::Stock);
        let mut asked: Vec<(&Part, Answer)> =
            join_all(stock.iter().map(async |part| (part, self.ask(&asking, part).await))).await;
        drop(timed);
        if asked.iter().all(|(_, answer)| is_held(answer)) {
            let _timed = trace::step(Step::Payment);
            asked.push((payment, self.ask(&asking, payment).await));
        }
        let against = asked.iter().map(|(_, answer)| answer).filter(|answer| !is_held(answer));
        match against.min_by_key(|answer| rank(answer)).map(refusal) {
            None => Reserved::All,
            Some(refusal) => {
                let holders =
                    asked.into_iter().filter(|(_, answer)| may_hold(answer)).map(|(part, _)| part.clone()).collect();
                Reserved::Not { refusal, holders }
            }
        }
    }

    /// Asks one participant until it gives a final answer, or patience ends.
    async fn ask(&self, asking: &Asking<'_>, part: &Part) -> Answer {
        let mut patience = Patience::until(asking.until);
        loop {
            let operation = operation(asking.attempt, part, part.reserve.clone());
            let answer = self.submit(part, operation).await;
            fault::point(Point::AfterReserve);
            match answer {
                Answer::Busy(_) => {
                    metrics::checkout::busy(part.service);
                    patience.until = asking.busy_until().min(asking.until);
                }
                Answer::Unanswered => patience.until = asking.until,
                _ => {
                    asking.refused.set(asking.refused.get() || !is_held(&answer));
                    return answer;
                }
            }
            // What another shard has refused for good needs no patience here.
            if asking.refused.get() || !patience.pause().await {
                return answer;
            }
        }
    }

    /// Has an operation done by its participant, in bounded time.
    async fn submit(&self, part: &Part, operation: Operation) -> Answer {
        let answer = self.settling.participant(part.service).submit(operation);
        tokio::time::timeout(SUBMIT_MAX, answer).await.unwrap_or(Answer::Unanswered)
    }

    /// Commits. After an unknown answer it asks again, and believes what the order's shard says.
    async fn decide(&self, shard: &Shard, attempt: &Attempt, parts: &[Part], give_up: Instant) -> Result<()> {
        let _timed = trace::step(Step::Decide);
        let mut patience = Patience::until(give_up);
        loop {
            match self.attempts.decide(attempt.named()).await {
                Ok(truth) if truth.tx == attempt.tx.as_str() && truth.status == Status::Paid => {
                    fault::point(Point::AfterDecide);
                    self.queue.push(Settlement::of(attempt, true, parts));
                    return Ok(());
                }
                // Another attempt came after this one, or the order was overwritten or removed since: it may have been paid
                // before, by a decide whose answer was lost on the way, also where the connection sent it again.
                Ok(truth) if truth.tx != attempt.tx.as_str() => {
                    let tx = attempt.tx.as_str();
                    return Box::pin(self.wait(shard, attempt.partition, &attempt.order, tx, give_up)).await;
                }
                Ok(truth) => return self.ended(attempt, &truth),
                Err(_) if patience.pause().await => {}
                Err(error) => {
                    log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "a decision stays unknown");
                    return Err(OrderError::OutcomeUnknown);
                }
            }
        }
    }

    /// What a client is told of an attempt that someone else has ended, or is ending.
    fn ended(&self, attempt: &Attempt, truth: &Truth) -> Result<()> {
        match truth.status {
            Status::Paid => Ok(()),
            Status::Newer => Err(OrderError::Newer(attempt.order.clone())),
            Status::Pending if truth.tx == attempt.tx.as_str() => Err(OrderError::OutcomeUnknown),
            _ if truth.tx == attempt.tx.as_str() => Err(truth.refusal().into()),
            _ => Err(Refusal::CheckoutAborted.into()),
        }
    }

    /// Gives an attempt up that was never decided: cancels first, then opens the order, then answers.
    async fn give_up(
        &self,
        shard: &Shard,
        attempt: &Attempt,
        refusal: Refusal,
        holders: Vec<Part>,
        lease_end: Instant,
    ) -> Result<()> {
        let _timed = trace::step(Step::GiveUp);
        if refusal == Refusal::CheckoutAborted {
            let asked = holders.len();
            log::warn!(order:% = attempt.order, tx:% = attempt.tx, asked; "an attempt is given up: not all it needs has answered");
        }
        let until = lease_end.max(Instant::now() + CANCEL_MIN);
        let cancelled =
            join_all(holders.iter().map(|part| self.cancel(attempt, part, until))).await.into_iter().all(|done| done);
        let mut patience = Patience::until(until + CANCEL_MIN);
        loop {
            let told = if cancelled {
                self.attempts.refuse(attempt.named(), refusal.clone()).await
            } else {
                attempt::abort(shard, attempt, &refusal).await
            };
            match told {
                // Recovery goes on cancelling; the attempt itself can no longer be decided.
                Ok(truth) if !cancelled && truth.status == Status::Aborting => {
                    return Err(Refusal::CheckoutAborted.into());
                }
                Ok(truth) => return self.ended(attempt, &truth),
                Err(_) if patience.pause().await => {}
                Err(error) => {
                    log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "giving an attempt up stays unknown");
                    return Err(OrderError::OutcomeUnknown);
                }
            }
        }
    }

    /// Cancels at one participant; whether it has acknowledged in time.
    async fn cancel(&self, attempt: &Attempt, part: &Part, until: Instant) -> bool {
        let mut patience = Patience::until(until);
        loop {
            let answer = self.submit(part, operation(attempt, part, participant::Step::Cancel)).await;
            match answer {
                Answer::Cancelled => return true,
                Answer::Conflict => {
                    shardcart_protocol::batch_metrics::alarm(part.service, &answer);
                    log::error!(alarm:? = answer, order:% = attempt.order, tx:% = attempt.tx, service:% = part.service; "an undecided attempt was confirmed");
                    return false;
                }
                _ if patience.pause().await => {}
                _ => return false,
            }
        }
    }

    /// Waits for another's attempt and gives its outcome. Takes over when its coordinator is late.
    async fn wait(
        &self,
        shard: &Shard,
        partition: Partition,
        order: &OrderId,
        tx: &str,
        give_up: Instant,
    ) -> Result<()> {
        let look = attempt::standing(partition, order, None);
        let mut lease_end = Instant::now() + self.settings.checkout_lease_ms;
        let mut patience = Patience::until(give_up);
        while patience.pause().await {
            let Ok(reply) = shard.run(&look).await else { continue };
            let (truth, life) = attempt::stands(shard, reply)?;
            match truth.status {
                Status::Paid => return Ok(()),
                Status::Newer => return Err(OrderError::Newer(order.clone())),
                // The order was removed or overwritten since: how the attempt on it ended is not on record any more.
                Status::Unknown => return Err(OrderError::OutcomeUnknown),
                _ if minted_ms(&life) >= minted_ms(tx) => return Err(OrderError::OutcomeUnknown),
                _ if truth.tx != tx => return Err(Refusal::CheckoutAborted.into()),
                Status::Open => return Err(truth.refusal().into()),
                _ if Instant::now() > lease_end => {
                    lease_end = Instant::now() + self.settings.checkout_lease_ms;
                    if let Err(error) = self.settling.resolve(order).await {
                        log::warn!(order:%, error:%; "an order cannot be taken over yet");
                    }
                }
                _ => {}
            }
        }
        Err(OrderError::OutcomeUnknown)
    }
}

/// What asking for one attempt's reservations has in common.
struct Asking<'a> {
    attempt: &'a Attempt,
    until: Instant,
    /// Set by the first `busy`: being busy is borne only so long, over all participants.
    busy_until: Cell<Option<Instant>>,
    busy_wait: Duration,
    /// One participant has refused for good.
    refused: Cell<bool>,
}

impl Asking<'_> {
    fn busy_until(&self) -> Instant {
        let until = self.busy_until.get().unwrap_or_else(|| Instant::now() + self.busy_wait);
        self.busy_until.set(Some(until));
        until
    }
}

fn operation(attempt: &Attempt, part: &Part, step: participant::Step) -> Operation {
    Operation { at: part.at, tx: attempt.tx.clone(), deadline_ms: attempt.deadline_ms, trace: trace::current(), step }
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

/// Which of several answers is reported: unknown items before too little stock, and what is certain before what may pass.
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
