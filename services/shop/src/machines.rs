//! The machines: which services and which listeners each program puts together.

pub mod order;
pub mod participant;
pub mod shop;

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use shardcart_http::gate::Gate;
use shardcart_http::health::{self, Health};
use shardcart_store::shards::Shards;

/// Binds `/health/live` and `/health/ready` of a listener whose requests need these shards.
fn bind_health(config: &mut ServiceConfig, gate: &Arc<Gate>, shards: Vec<Arc<Shards>>) {
    config.app_data(Health::new(Arc::clone(gate), shards)).configure(health::endpoints);
}
