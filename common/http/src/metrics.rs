//! `GET /metrics`, for Prometheus.

use actix_web::{HttpResponse, web};
use shardcart_telemetry::metrics::{CONTENT_TYPE, on, render};

use crate::endpoint;

/// Binds `/metrics`, where anything is counted.
pub fn endpoints(config: &mut web::ServiceConfig) {
    if on() {
        config.service(endpoint::plain_get("/metrics", show));
    }
}

async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(render())
}
