//! The faces of the stock service: each calls the same operations.

pub mod legacy;
mod problems;
pub mod v1;

use std::sync::Arc;

use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;

/// What the handlers of every face work with, in one thread.
pub struct State {
    /// The stock shards.
    pub shards: Arc<Shards>,
    /// Whether bulk loads are allowed.
    pub batch_init: BatchInitSettings,
}
