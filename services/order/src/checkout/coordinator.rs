//! The coordinator: drives a checkout from its admission to the answer. `docs/understand/checkout.md` describes each step.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::rt;
use shardcart_http::gate::Gate;
use shardcart_protocol::fault::{self, Point};
use shardcart_protocol::participant::{ParticipantError, Refusal};
use shardcart_store::shard::Shard;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::{self, Context};
use shardcart_types::ids::{OrderId, UserId, minted_shard};
use shardcart_types::service::Service;

use crate::attempt::{Attempt, Status};
use crate::checkout::admission::{Admission, TooMany};
use crate::checkout::attempts::Attempts;
use crate::checkout::checkout_telemetry;
use crate::checkout::patience::Patience;
use crate::checkout::step::{Reserved, Start};
use crate::config::CheckoutSettings;
use crate::error::{OrderError, Result};
use crate::orders::home;
use crate::participants::Participants;
use crate::recent::RecentAttempts;
use crate::settling::settler::SettleQueue;

/// Drives checkouts in one thread.
///
/// Rare steps are boxed: the future of a checkout is copied when it is spawned, and is as large as its largest step.
pub struct Coordinator {
    pub(super) participants: Rc<Participants>,
    pub(super) attempts: Attempts,
    pub(super) settings: CheckoutSettings,
    pub(super) queue: SettleQueue,
    admission: Rc<Admission>,
    gate: Arc<Gate>,
    recent: Arc<RecentAttempts>,
}

impl Coordinator {
    /// A coordinator. `gate` counts the attempts that go on after their client has gone; `recent` keeps the last
    /// attempts.
    pub fn new(
        participants: Rc<Participants>,
        settings: CheckoutSettings,
        queue: SettleQueue,
        gate: Arc<Gate>,
        recent: Arc<RecentAttempts>,
    ) -> Rc<Self> {
        let attempts = Attempts::new(&participants.shards, &settings, &participants.pacer);
        let admission = Admission::new(usize::from(settings.checkouts_max), settings.checkout_queue_ms);
        Rc::new(Coordinator { participants, attempts, admission, settings, queue, gate, recent })
    }

    /// Refuses a user whose id names a shard that payment does not know: an order of such a user could never be
    /// settled. Whether any other user exists is found out at checkout.
    ///
    /// # Errors
    /// - `Refused`: payment has no such shard.
    /// - `Participant`: it may have one that the machine that was asked does not know.
    pub async fn check_user(&self, user: &UserId) -> Result<()> {
        let Some(shard) = minted_shard(user.as_str()) else { return Ok(()) };
        match self.participants.payment.check_known(shard).await {
            Err(ParticipantError::NoShard { .. }) => Err(Refusal::UnknownUser.into()),
            Err(error @ ParticipantError::BeyondList { .. }) => Err(error.into()),
            // A cart can be filled while the payment service does not answer.
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
        // Before anything is spent on it: a flood of rejections must leave time for the admitted checkouts.
        if !self.admission.has_room() {
            let TooMany = self.admission.reject().await;
            checkout_telemetry::rejected();
            return Err(OrderError::TooMany);
        }
        // In a task of its own, so that an attempt goes on when its client hangs up.
        let (coordinator, work) = (Rc::clone(self), self.gate.begin_work());
        let context = Context::of_checkout(trace::current(), &order);
        let attempt = rt::spawn(trace::within(&Rc::clone(&context), async move {
            let _work = work;
            let done = coordinator.pay(&order).await;
            checkout_telemetry::ended(&context, coordinator.settings.slow_ms, &done);
            done
        }));
        attempt.await.unwrap_or(Err(OrderError::OutcomeUnknown))
    }

    async fn pay(&self, order: &OrderId) -> Result<()> {
        let asked = Instant::now();
        let give_up = asked + self.settings.checkout_wait_ms;
        let shard = home(&self.participants.shards, order).await?;
        let mut has_waited = false;
        loop {
            let admitted = self.admission.admit().await.map_err(|TooMany| OrderError::TooMany)?;
            let state = match self.begin(shard, order).await? {
                Start::Own(attempt) => {
                    let outcome = self.drive(shard, &attempt, give_up).await;
                    if metrics::on() {
                        self.recent.push(attempt, &outcome, asked.elapsed());
                    }
                    return outcome;
                }
                Start::NotBegun(state) => state,
            };
            match state.status {
                Status::Paid => return Ok(()),
                Status::Open => return Err(state.refusal().into()),
                Status::Pending | Status::Aborting => {
                    drop(admitted);
                    trace::about_tx(&state.tx);
                    let waited = Box::pin(self.wait(shard, order, &state.tx, give_up));
                    let outcome = tokio::time::timeout_at(give_up.into(), waited)
                        .await
                        .unwrap_or(Err(OrderError::OutcomeUnknown));
                    // The attempt that this call waited for was given up, for example because its coordinator has died.
                    // The client should not have to ask once more: there is one further attempt, if time is left.
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

    /// Drives an attempt that this coordinator began.
    async fn drive(&self, shard: &Shard, attempt: &Attempt, give_up: Instant) -> Result<()> {
        trace::drives(&attempt.tx);
        fault::point(Point::AfterBegin);
        let lease_end = Instant::now() + self.settings.checkout_lease_ms;
        // A quarter of the lease is kept for giving up, before recovery does it.
        let mut patience = Patience::until(lease_end - self.settings.checkout_lease_ms / 4);
        let plan = loop {
            match self.participants.plan(attempt).await {
                Ok(plan) => break plan,
                // A shard that the participant does not know cannot be asked, now or later.
                Err(error) if !is_beyond(&error) && patience.pause().await => {}
                Err(error) => {
                    let given_up = self.give_up(shard, attempt, against(attempt, &error), Vec::new(), lease_end);
                    return Box::pin(given_up).await;
                }
            }
        };
        match self.reserve(attempt, &plan, patience.until).await {
            Reserved::All => {
                fault::point(Point::AfterAll);
                self.decide(shard, attempt, &plan, give_up).await
            }
            Reserved::Not { refusal, holders } => {
                Box::pin(self.give_up(shard, attempt, refusal, holders, lease_end)).await
            }
        }
    }
}

fn is_beyond(error: &ParticipantError) -> bool {
    matches!(error, ParticipantError::BeyondList { .. } | ParticipantError::NoShard { .. })
}

/// Why an attempt that cannot be planned is given up: what nobody can have made is unknown.
fn against(attempt: &Attempt, error: &ParticipantError) -> Refusal {
    match error {
        ParticipantError::NoShard { service: Service::Payment, .. } => Refusal::UnknownUser,
        ParticipantError::NoShard { service: Service::Stock, shard } => {
            let item = attempt.lines.iter().find(|(item, _)| minted_shard(item.as_str()) == Some(*shard));
            item.map_or(Refusal::CheckoutAborted, |(item, _)| Refusal::UnknownItem(item.clone()))
        }
        _ => Refusal::CheckoutAborted,
    }
}
