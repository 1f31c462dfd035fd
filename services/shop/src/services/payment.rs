//! The payment service in one thread.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_payment::api::{State, legacy};
use shardcart_payment::incarnations::Incarnations;
use shardcart_payment::insight::LocalInsight;
use shardcart_payment::reservation::LocalPayment;
use shardcart_protocol::orders::Orders;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;

use super::Served;

/// Serves payment from these shards. `orders` is asked which order of an id is meant.
pub fn serve(shards: Arc<Shards>, orders: Rc<dyn Orders>, batch_init: &BatchInitSettings) -> Served {
    let participant = Rc::new(LocalPayment::new(Arc::clone(&shards)));
    let insight = Rc::new(LocalInsight::new(Arc::clone(&shards)));
    let state = State { shards, orders: Incarnations::new(orders), batch_init: batch_init.clone() };
    let endpoints = Box::new(|config: &mut _| legacy::endpoints(config, state));
    Served { participant, insight, endpoints, v1: Box::new(|_| {}) }
}
