//! The faces of the order service: each calls the same operations.

pub mod legacy;
mod problems;

use std::rc::Rc;
use std::sync::Arc;

use shardcart_common::participant::Prices;
use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;

use crate::checkout::coordinator::Coordinator;

/// What the handlers of every face work with, in one thread.
pub struct State {
    /// The order shards.
    pub shards: Arc<Shards>,
    /// Who knows what items cost.
    pub prices: Rc<dyn Prices>,
    /// Who pays orders.
    pub coordinator: Rc<Coordinator>,
    /// Whether bulk loads are allowed.
    pub batch_init: BatchInitSettings,
}
