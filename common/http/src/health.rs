//! Liveness and readiness.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::json;
use shardcart_store::shards::Shards;

use crate::endpoint;
use crate::gate::Gate;

/// What readiness is asked of: the shards of one service, or of all in `shop`.
pub struct Health {
    gate: Arc<Gate>,
    services: Vec<Arc<Shards>>,
}

impl Health {
    /// The health of a machine with these shards.
    pub fn new(gate: Arc<Gate>, services: Vec<Arc<Shards>>) -> web::Data<Self> {
        web::Data::new(Health { gate, services })
    }
}

/// Binds `/health/live` and `/health/ready`.
pub fn endpoints(config: &mut web::ServiceConfig) {
    config.service(endpoint::plain_get("/health/live", live)).service(endpoint::plain_get("/health/ready", ready));
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "live": true }))
}

/// 200 when all shards answer and their clocks agree; otherwise 503, with the shards that do not answer.
async fn ready(health: web::Data<Health>) -> HttpResponse {
    let mut silent = serde_json::Map::new();
    let mut clocks_agree = true;
    for shards in &health.services {
        let numbers = shards.silent().await;
        if !numbers.is_empty() {
            silent.insert(shards.membership().service().to_owned(), json!(numbers));
        }
        clocks_agree &= shards.membership().clocks_agree();
    }
    let draining = health.gate.is_draining();
    let ready = silent.is_empty() && clocks_agree && !draining;
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response
        .json(json!({ "ready": ready, "draining": draining, "clocks_agree": clocks_agree, "silent_shards": silent }))
}
