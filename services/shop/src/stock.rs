//! A stock machine: the stock service in a process of its own.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_common::participant_machine::{self, Served};
use shardcart_stock::handlers::{self, State};
use shardcart_stock::insight::LocalInsight;
use shardcart_stock::reservation::LocalStock;

use crate::config::stock::Config;

/// Runs a stock machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    let batch_init = config.batch_init.clone();
    let settings = participant_machine::Settings {
        service: "stock",
        port: config.port,
        internal_port: config.internal_port,
        machine: config.machine,
        orders: config.orders,
        redis: config.redis,
        http: config.http,
        observe: config.observe,
    };
    participant_machine::run(settings, move |shards, _orders| {
        let stock = Rc::new(LocalStock::new(Arc::clone(&shards)));
        let insight = Rc::new(LocalInsight::new(Arc::clone(&shards)));
        let state = State { shards, batch_init: batch_init.clone() };
        Served {
            participant: Rc::<LocalStock>::clone(&stock),
            prices: Some(stock),
            insight,
            endpoints: Box::new(|service| handlers::endpoints(service, state)),
        }
    })
    .await
}
