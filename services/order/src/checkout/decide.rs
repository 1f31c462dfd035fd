//! Decide: the one write that makes an order paid (`scripts/decide.lua`, on the order's shard).

use std::time::Instant;

use shardcart_protocol::fault::{self, Point};
use shardcart_protocol::participant::Refusal;
use shardcart_store::shard::Shard;
use shardcart_telemetry::metrics::checkout::Step;
use shardcart_telemetry::trace;

use crate::attempt::{Attempt, OrderState, Status};
use crate::checkout::coordinator::Coordinator;
use crate::checkout::patience::Patience;
use crate::error::{OrderError, Result};
use crate::participants::Plan;
use crate::settling::Settlement;

impl Coordinator {
    /// Commits. Where no answer comes, it asks again: the order's shard has the truth.
    ///
    /// # Errors
    /// - `Refused`: the attempt was given up, and took nothing.
    /// - `OutcomeUnknown`, `Newer`: it may have been paid.
    pub(super) async fn decide(&self, shard: &Shard, attempt: &Attempt, plan: &Plan, give_up: Instant) -> Result<()> {
        let _timed = trace::step(Step::Decide);
        let mut patience = Patience::until(give_up);
        loop {
            match self.attempts.decide(attempt.reference()).await {
                Ok(state) if state.tx == attempt.tx.as_str() && state.status == Status::Paid => {
                    fault::point(Point::AfterDecide);
                    self.queue.push(Settlement::of(attempt, true, plan));
                    return Ok(());
                }
                // Another attempt came after this one, or the order was overwritten or removed since. An earlier
                // decide, whose answer was lost, may have paid the order before that; the connection itself may have
                // sent it, too.
                Ok(state) if state.tx != attempt.tx.as_str() => {
                    let tx = attempt.tx.as_str();
                    return Box::pin(self.wait(shard, &attempt.order, tx, give_up)).await;
                }
                Ok(state) => return ended(attempt, &state),
                Err(_) if patience.pause().await => {}
                Err(error) => {
                    log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "a decision stays unknown");
                    return Err(OrderError::OutcomeUnknown);
                }
            }
        }
    }
}

/// The result for a client whose attempt was ended, or is being ended, by someone else.
pub(super) fn ended(attempt: &Attempt, state: &OrderState) -> Result<()> {
    match state.status {
        Status::Paid => Ok(()),
        Status::Newer => Err(OrderError::Newer(attempt.order.clone())),
        Status::Pending if state.tx == attempt.tx.as_str() => Err(OrderError::OutcomeUnknown),
        _ if state.tx == attempt.tx.as_str() => Err(state.refusal().into()),
        _ => Err(Refusal::CheckoutAborted.into()),
    }
}
