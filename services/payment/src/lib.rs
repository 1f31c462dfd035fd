#![doc = include_str!("../README.md")]

pub mod audit;
pub mod config;
pub mod error;
pub mod handlers;
pub mod insight;
pub mod lives;
pub mod reservation;
pub mod users;

use std::rc::Rc;
use std::sync::Arc;

use shardcart_protocol::participant_machine;
use shardcart_protocol::participant_machine::Served;

use config::Config;
use handlers::State;
use insight::LocalInsight;
use lives::Lives;
use reservation::LocalPayment;

/// Runs a payment machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    let batch_init = config.batch_init.clone();
    let settings = participant_machine::Settings {
        service: "payment",
        port: config.port,
        internal_port: config.internal_port,
        machine: config.machine,
        orders: config.orders,
        redis: config.redis,
        http: config.http,
        observe: config.observe,
    };
    participant_machine::run(settings, move |shards, orders| {
        let participant = Rc::new(LocalPayment::new(Arc::clone(&shards)));
        let insight = Rc::new(LocalInsight::new(Arc::clone(&shards)));
        let state = State { shards, orders: Lives::new(orders), batch_init: batch_init.clone() };
        let endpoints = Box::new(|service: &mut _| handlers::endpoints(service, state));
        Served { participant, prices: None, insight, endpoints }
    })
    .await
}
