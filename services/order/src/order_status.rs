//! The order status query: participants ask for the state of orders for which they still hold something.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use shardcart_protocol::orders::{Orders, StatusAnswer, StatusQuery};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::attempt::{self, Status};

/// The order service itself, asked in-process.
pub struct LocalOrders(Arc<Shards>);

impl LocalOrders {
    /// Answers from these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalOrders(shards)
    }

    async fn status_of(&self, asked: &StatusQuery) -> Result<StatusAnswer, ShardError> {
        let shard = self.0.route(asked.order.as_str())?;
        let reply = shard.run(&attempt::order_status(shard, &asked.order, asked.tx.as_ref())).await?;
        let (state, incarnation) = attempt::read_order_status(shard, reply)?;
        let Some(status) = state.status.status() else {
            // Nothing can be concluded from what a later release wrote.
            return Ok(if state.status == Status::Unknown { StatusAnswer::Unknown } else { StatusAnswer::Unanswered });
        };
        Ok(StatusAnswer::Known { status: status.to_string(), tx: state.tx, incarnation })
    }
}

impl Orders for LocalOrders {
    fn order_statuses(&self, asked: Vec<StatusQuery>) -> LocalBoxFuture<'_, Result<Vec<StatusAnswer>, String>> {
        async move {
            let answers = join_all(asked.iter().map(|asked| async move {
                self.status_of(asked).await.unwrap_or_else(|error| {
                    log::warn!(order:% = asked.order, error:%; "how an order stands cannot be told");
                    StatusAnswer::Unanswered
                })
            }));
            Ok(answers.await)
        }
        .boxed_local()
    }
}
