//! Giving up: an attempt that was never decided gives back what it may hold, and then the order is open again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shardcart_protocol::participant::{self, Answer, Refusal};
use shardcart_store::shard::Shard;
use shardcart_telemetry::metrics::checkout::Step;
use shardcart_telemetry::trace;

use crate::attempt::{self, Attempt, Status};
use crate::checkout::coordinator::Coordinator;
use crate::checkout::decide::ended;
use crate::checkout::patience::Patience;
use crate::checkout::reserve::operation;
use crate::error::{OrderError, Result};
use crate::participants::Part;

/// Cancelling is given this long at the least, however short the lease is.
const CANCEL_MIN: Duration = Duration::from_millis(500);

impl Coordinator {
    /// Gives an attempt up that was never decided: cancels first, then opens the order, then answers.
    ///
    /// # Errors
    /// Always: `refusal`, or what the order's shard says instead; `OutcomeUnknown` if that does not answer.
    pub(super) async fn give_up(
        &self,
        shard: &Shard,
        attempt: &Attempt,
        refusal: Refusal,
        holders: Vec<Part<'_>>,
        lease_end: Instant,
    ) -> Result<()> {
        let _timed = trace::step(Step::GiveUp);
        if refusal == Refusal::CheckoutAborted {
            let asked = holders.len();
            log::warn!(order:% = attempt.order, tx:% = attempt.tx, asked; "an attempt is given up: not all it needs has answered");
        }
        let until = lease_end.max(Instant::now() + CANCEL_MIN);
        let cancelled =
            join_all(holders.iter().map(|part| self.cancel(attempt, *part, until))).await.into_iter().all(|done| done);
        let mut patience = Patience::until(until + CANCEL_MIN);
        loop {
            let told = if cancelled {
                self.attempts.refuse(attempt.reference(), refusal.clone()).await
            } else {
                attempt::abort(shard, attempt, &refusal).await
            };
            match told {
                // Recovery goes on cancelling; the attempt itself can no longer be decided.
                Ok(state) if !cancelled && state.status == Status::Aborting => {
                    return Err(Refusal::CheckoutAborted.into());
                }
                Ok(state) => return ended(attempt, &state),
                Err(_) if patience.pause().await => {}
                Err(error) => {
                    log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "giving an attempt up stays unknown");
                    return Err(OrderError::OutcomeUnknown);
                }
            }
        }
    }

    /// Cancels one part; `true` if its participant has acknowledged that in time.
    async fn cancel(&self, attempt: &Attempt, part: Part<'_>, until: Instant) -> bool {
        let mut patience = Patience::until(until);
        loop {
            let answer = self.submit(part, operation(attempt, participant::Step::Cancel)).await;
            match answer {
                Answer::Cancelled => return true,
                Answer::Conflict => {
                    shardcart_protocol::batch_metrics::alarm(part.service(), &answer);
                    log::error!(alarm:? = answer, order:% = attempt.order, tx:% = attempt.tx, service:% = part.service(); "an undecided attempt was confirmed");
                    return false;
                }
                _ if patience.pause().await => {}
                _ => return false,
            }
        }
    }
}
