//! What participants ask of the order service: how an attempt stands, and which incarnation of an order this is.

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use shardcart_schema::order::OrderStatus;
use shardcart_types::ids::{OrderId, TxId};

/// An attempt that a participant still holds something for, or an order whose incarnation it wants to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusQuery {
    /// The order.
    pub order: OrderId,
    /// The attempt that is still held, if this is about one: the order is then looked at by recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<TxId>,
}

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum StatusAnswer {
    /// There is no such order.
    Unknown,
    /// There is one.
    Known {
        /// `open`, `pending`, `aborting` or `paid`.
        status: String,
        /// Its current attempt, or its last.
        tx: String,
        /// Which incarnation of a foreign id this is; empty for an id minted here.
        incarnation: String,
    },
    /// Its shard does not answer.
    Unanswered,
}

impl StatusAnswer {
    /// Whether a reservation of `tx` can belong to this order still: it is its current attempt, and not over.
    pub fn may_hold(&self, tx: &TxId) -> bool {
        match self {
            StatusAnswer::Unknown => false,
            StatusAnswer::Known { status, tx: current, .. } => {
                OrderStatus::parse(status) != Some(OrderStatus::Open) && current == tx.as_str()
            }
            StatusAnswer::Unanswered => true,
        }
    }
}

/// The order service, near or far. Asking may be repeated.
pub trait Orders {
    /// One answer for each, in order; `Err` when nobody answers, with the cause for the log.
    fn order_statuses(&self, asked: Vec<StatusQuery>) -> LocalBoxFuture<'_, Result<Vec<StatusAnswer>, String>>;
}
