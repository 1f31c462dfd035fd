//! Taking over: an order whose coordinator is late is settled by whoever finds it.

use shardcart_protocol::fault::{self, Point};
use shardcart_store::shard_error::ShardError;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::{self, export};
use shardcart_types::ids::OrderId;

use crate::attempt::{self, TakenOver};
use crate::participants::Participants;
use crate::settling::Settlement;

impl Participants {
    /// Takes an order over from a coordinator that is late, and settles it as far as its participants answer.
    /// May be repeated.
    ///
    /// # Errors
    /// The order's shard gives no answer.
    pub async fn resolve(&self, order: &OrderId) -> Result<(), ShardError> {
        let shard = self.shards.route(order.as_str())?;
        let began = export::begin(trace::current);
        let reply = shard.run(&attempt::take_over(shard, order)).await;
        export::ended(began, "take_over.lua", "order", shard.number(), reply.is_err());
        if let Some(settlement) = self.settlement(attempt::taken_over(shard, order, reply?)?).await {
            self.settle(&[settlement]).await;
        }
        Ok(())
    }

    /// The settlement of an order that was taken over; `None` if there is nothing to settle, or a participant is
    /// silent.
    pub async fn settlement(&self, taken: TakenOver) -> Option<Settlement> {
        // Only this once: what a participant keeps in flight is found again every two seconds.
        if matches!(taken, TakenOver::Taken(_)) {
            metrics::checkout::taken_over();
        }
        let (attempt, paid) = match taken {
            TakenOver::Paid(attempt) => (attempt, true),
            TakenOver::Taken(attempt) | TakenOver::Aborting(attempt) => (attempt, false),
            TakenOver::Nothing => return None,
        };
        log::info!(order:% = attempt.order, tx:% = attempt.tx, paid; "recovery settles an attempt");
        fault::point(Point::MidRecovery);
        match self.plan(&attempt).await {
            Ok(plan) => Some(Settlement::of(&attempt, paid, &plan)),
            Err(error) => {
                log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "recovery has to wait");
                None
            }
        }
    }
}
