//! Begin: makes an attempt the order's only one. From here on the order is `pending`, and its cart is frozen.

use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_telemetry::metrics::checkout::Step;
use shardcart_telemetry::trace;
use shardcart_types::ids::{OrderId, TxId, now_ms};

use crate::attempt::{AttemptRef, Begun};
use crate::checkout::coordinator::Coordinator;
use crate::checkout::step::Start;
use crate::error::{OrderError, Result};

/// How often begin is tried: each time it can find that the clock must be ahead of the last attempt, or get no answer.
const BEGINS_MAX: usize = 3;

impl Coordinator {
    /// Begins an attempt on an order.
    ///
    /// # Errors
    /// - `Shard`: no answer. An attempt that has begun nevertheless is given up by recovery.
    /// - `OutcomeUnknown`: each tx that was tried was not later than the order's last.
    pub(super) async fn begin(&self, shard: &Shard, order: &OrderId) -> Result<Start> {
        let _timed = trace::step(Step::Begin);
        let mut tx = TxId::mint(shard.number(), now_ms());
        let mut has_moved = false;
        for _ in 0..BEGINS_MAX {
            match self.attempts.begin(AttemptRef { order: order.clone(), shard: shard.number(), tx: tx.clone() }).await
            {
                Ok(Begun::Attempt(attempt)) => return Ok(Start::Own(attempt)),
                Ok(Begun::NotBegun(state)) => return Ok(Start::NotBegun(state)),
                Ok(Begun::Moved { last_ms }) => {
                    tx = TxId::mint(shard.number(), now_ms().max(last_ms + 1));
                    has_moved = true;
                }
                // The same tx again: if it has begun, that is what the answer says.
                Err(ShardError::Unanswered { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if has_moved {
            return Err(OrderError::OutcomeUnknown);
        }
        Err(ShardError::Unanswered { shard: shard.number(), cause: "begin".to_owned() }.into())
    }
}
