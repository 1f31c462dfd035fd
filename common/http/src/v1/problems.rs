//! `GET /v1/problems`: every code that an error can have, from the table that the answers are made from.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shardcart_types::code::Code;

use super::endpoint;
use super::page::Page;
use super::route::PUBLIC;
use crate::problem::Problem;

/// What a client can know of a code beforehand.
#[derive(Debug, Serialize)]
struct Known {
    code: &'static str,
    status: u16,
    title: &'static str,
    r#type: String,
    retryable: bool,
}

/// Binds it for a service.
pub fn endpoints(config: &mut web::ServiceConfig, service: &'static str) {
    config.service(endpoint::at(service, "/v1/problems").get(PUBLIC, list));
}

async fn list(request: HttpRequest) -> HttpResponse {
    let known = |code: &Code| Known {
        code: code.as_str(),
        status: code.status(),
        title: code.title(),
        r#type: Problem::type_of(*code),
        retryable: Problem::new(*code, "").is_retryable(),
    };
    Page { data: Code::ALL.iter().map(known).collect(), next: None }.answer(&request)
}
