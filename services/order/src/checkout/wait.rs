//! Waiting: another checkout drives an attempt on the same order, and this one gives its outcome.

use std::time::Instant;

use shardcart_protocol::participant::Refusal;
use shardcart_store::shard::Shard;
use shardcart_types::ids::{OrderId, minted_ms};

use crate::attempt::{self, Status};
use crate::checkout::coordinator::Coordinator;
use crate::checkout::patience::Patience;
use crate::error::{OrderError, Result};

impl Coordinator {
    /// Waits for the attempt of another checkout and gives its outcome. Takes the order over when its coordinator is
    /// late.
    ///
    /// # Errors
    /// - `Refused`: that attempt took nothing, and never will.
    /// - `OutcomeUnknown`, `Newer`: it may have been paid.
    pub(super) async fn wait(&self, shard: &Shard, order: &OrderId, tx: &str, give_up: Instant) -> Result<()> {
        let look = attempt::order_status(shard, order, None);
        let mut lease_end = Instant::now() + self.settings.checkout_lease_ms;
        let mut patience = Patience::until(give_up);
        while patience.pause().await {
            let Ok(reply) = shard.run(&look).await else { continue };
            let (state, incarnation) = attempt::read_order_status(shard, reply)?;
            match state.status {
                Status::Paid => return Ok(()),
                Status::Newer => return Err(OrderError::Newer(order.clone())),
                // The order was removed or overwritten since: there is no record any more of how the attempt ended.
                Status::Unknown => return Err(OrderError::OutcomeUnknown),
                _ if minted_ms(&incarnation) >= minted_ms(tx) => return Err(OrderError::OutcomeUnknown),
                _ if state.tx != tx => return Err(Refusal::CheckoutAborted.into()),
                Status::Open => return Err(state.refusal().into()),
                _ if Instant::now() > lease_end => {
                    lease_end = Instant::now() + self.settings.checkout_lease_ms;
                    if let Err(error) = self.participants.resolve(order).await {
                        log::warn!(order:%, error:%; "an order cannot be taken over yet");
                    }
                }
                _ => {}
            }
        }
        Err(OrderError::OutcomeUnknown)
    }
}
