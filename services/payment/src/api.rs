//! The faces of the payment service: each calls the same operations.

pub mod legacy;
mod problems;

use std::sync::Arc;

use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;

use crate::incarnations::Incarnations;

/// What the handlers of every face work with, in one thread.
pub struct State {
    /// The payment shards.
    pub shards: Arc<Shards>,
    /// Who knows the orders.
    pub orders: Incarnations,
    /// Whether bulk loads are allowed.
    pub batch_init: BatchInitSettings,
}
