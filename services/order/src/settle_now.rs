//! "Settle now": recovery of one attempt, at an operator's word instead of at its time.
//!
//! It is the same take-over and the same settling that recovery does, by the same rules: an attempt that is still its
//! coordinator's is left alone. Whoever asks can only make happen earlier what would happen anyway.

use serde::{Deserialize, Serialize};
use shardcart_protocol::insight::Found;
use shardcart_schema::order::OrderStatus;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::OrderId;

use crate::insight;
use crate::participants::Participants;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SettledNow {
    /// The attempt has ended: all participants know how.
    Settled {
        /// Whether the order is paid; otherwise it is open again, and nothing was taken.
        paid: bool,
    },
    /// It is still its coordinator's: nothing was done.
    Held {
        /// For so long, in milliseconds.
        lease_left_ms: u64,
    },
    /// Nothing is in flight for the order: nothing was done.
    Nothing {
        /// `open` or `paid`.
        status: String,
    },
    /// Decided or given up, but not everyone who has to know answers. It stays in flight, and recovery goes on.
    Waiting {
        /// Whether the order is paid; otherwise it is being given up.
        paid: bool,
    },
    /// There is no such order.
    Unknown,
    /// Another release wrote it: it is left alone.
    Newer,
}

/// Recovers the attempt on an order now, if its lease is over. May be repeated, by several at once.
///
/// # Errors
/// The order's shard does not answer; the attempt stays as it was, or goes on to be recovered.
pub async fn settle_now(settling: &Participants, order: &OrderId) -> Result<SettledNow, ShardError> {
    let before = look(settling, order).await?;
    match &before {
        Look::Ended(ended) => return Ok(ended.clone()),
        Look::InFlight { lease_left_ms: 1.., .. } => return Ok(before.outcome()),
        Look::InFlight { tx, .. } => log::info!(order:%, tx:%; "an operator asks for an attempt to be settled now"),
    }
    settling.resolve(order).await?;
    Ok(match look(settling, order).await? {
        Look::Ended(SettledNow::Nothing { status }) => {
            SettledNow::Settled { paid: OrderStatus::parse(&status) == Some(OrderStatus::Paid) }
        }
        after => after.outcome(),
    })
}

/// How an order stands for this purpose.
enum Look {
    Ended(SettledNow),
    InFlight { tx: String, paid: bool, lease_left_ms: u64 },
}

impl Look {
    fn outcome(self) -> SettledNow {
        match self {
            Look::Ended(ended) => ended,
            Look::InFlight { lease_left_ms: 0, paid, .. } => SettledNow::Waiting { paid },
            Look::InFlight { lease_left_ms, .. } => SettledNow::Held { lease_left_ms },
        }
    }
}

async fn look(settling: &Participants, order: &OrderId) -> Result<Look, ShardError> {
    let shard = settling.shards.route(order.as_str())?;
    Ok(match insight::order(shard, order).await? {
        Found::Order(found) => {
            let paid = found.status() == Some(OrderStatus::Paid);
            let is_over = found.status() == Some(OrderStatus::Open) || paid && found.due_ms.is_none();
            let lease_left_ms = found.lease_left_ms();
            if is_over {
                Look::Ended(SettledNow::Nothing { status: found.status })
            } else {
                Look::InFlight { tx: found.tx, paid, lease_left_ms }
            }
        }
        Found::Absent => Look::Ended(SettledNow::Unknown),
        Found::Newer => Look::Ended(SettledNow::Newer),
        _ => {
            return Err(ShardError::Unanswered { shard: shard.number(), cause: "the order cannot be read".to_owned() });
        }
    })
}
