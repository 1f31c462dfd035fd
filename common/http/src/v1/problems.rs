//! `GET /v1/problems`: every code that an error can have, from the table that the answers are made from.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shardcart_types::code::Code;
use utoipa::ToSchema;

use super::endpoint;
use super::page::Page;
use super::route::PUBLIC;
use crate::problem::Problem;

/// What a client can know of a code beforehand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnownProblem)]
pub struct Known {
    /// The stable code
    code: &'static str,
    /// The HTTP status
    status: u16,
    /// What it means, for people
    title: &'static str,
    /// What stands as `type` in the error
    r#type: String,
    /// Whether the same request is worth repeating
    retryable: bool,
}

/// Binds it for a service.
pub fn endpoints(config: &mut web::ServiceConfig, service: &'static str) {
    config.service(endpoint::at(service, "/v1/problems").get(PUBLIC, list));
}

/// All codes of errors
///
/// Every code that an error can have, from the table that the answers are made from.
#[utoipa::path(
    get,
    path = "/v1/problems",
    operation_id = "list_problems",
    tag = "reference",
    responses((status = 200, description = "All codes, on one page", body = Page<Known>)),
)]
pub(super) async fn list(request: HttpRequest) -> HttpResponse {
    let known = |code: &Code| Known {
        code: code.as_str(),
        status: code.status(),
        title: code.title(),
        r#type: Problem::type_of(*code),
        retryable: Problem::new(*code, "").is_retryable(),
    };
    Page { data: Code::ALL.iter().map(known).collect(), next: None }.answer(&request)
}
