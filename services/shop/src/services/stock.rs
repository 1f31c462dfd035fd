//! The stock service in one thread.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_protocol::participant::Prices;
use shardcart_stock::api::{State, legacy, v1};
use shardcart_stock::insight::LocalInsight;
use shardcart_stock::reservation::LocalStock;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;

use super::Served;

/// Serves stock from these shards, and tells what items cost.
pub fn serve(shards: Arc<Shards>, batch_init: &BatchInitSettings) -> (Served, Rc<dyn Prices>) {
    let stock = Rc::new(LocalStock::new(Arc::clone(&shards)));
    let insight = Rc::new(LocalInsight::new(Arc::clone(&shards)));
    let state = || State { shards: Arc::clone(&shards), batch_init: batch_init.clone() };
    let (of_legacy, of_v1) = (state(), state());
    let endpoints = Box::new(|config: &mut _| legacy::endpoints(config, of_legacy));
    let v1 = Box::new(|config: &mut _| v1::endpoints(config, of_v1));
    (Served { participant: Rc::<LocalStock>::clone(&stock), insight, endpoints, v1 }, stock)
}
