//! The stock service in one thread.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_common::participant::Prices;
use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;
use shardcart_stock::api::{State, legacy};
use shardcart_stock::insight::LocalInsight;
use shardcart_stock::reservation::LocalStock;

use super::Served;

/// Serves stock from these shards, and tells what items cost.
pub fn serve(shards: Arc<Shards>, batch_init: &BatchInitSettings) -> (Served, Rc<dyn Prices>) {
    let stock = Rc::new(LocalStock::new(Arc::clone(&shards)));
    let insight = Rc::new(LocalInsight::new(Arc::clone(&shards)));
    let state = State { shards, batch_init: batch_init.clone() };
    let endpoints = Box::new(|config: &mut _| legacy::endpoints(config, state));
    (Served { participant: Rc::<LocalStock>::clone(&stock), insight, endpoints }, stock)
}
