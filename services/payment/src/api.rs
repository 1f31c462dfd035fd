//! The faces of the payment service: each calls the same operations.

pub mod legacy;
mod problems;

use std::sync::Arc;

use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;

use crate::incarnations::Lives;

/// What the handlers of every face work with, in one thread.
pub struct State {
    /// The payment shards.
    pub shards: Arc<Shards>,
    /// Who knows the orders.
    pub orders: Lives,
    /// Whether bulk loads are allowed.
    pub batch_init: BatchInitSettings,
}
