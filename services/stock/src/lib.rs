#![doc = include_str!("../README.md")]

pub mod audit;
pub mod config;
pub mod error;
pub mod handlers;
pub mod insight;
pub mod items;
pub mod reservation;

use std::rc::Rc;
use std::sync::Arc;

use shardcart_protocol::participant_machine;
use shardcart_protocol::participant_machine::Served;

use config::Config;
use handlers::State;
use insight::LocalInsight;
use reservation::LocalStock;

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
