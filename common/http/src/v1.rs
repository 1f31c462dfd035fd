//! The frame of /v1, the API for those who build a shop: what all its endpoints have in common.
//!
//! An endpoint is bound by [`endpoint::at`]. Its handlers take what they read as arguments: [`json::Json`],
//! [`json::Patch`], [`query::Query`], [`precondition::Preconditions`], [`prefer::Prefer`], [`idempotency::Key`],
//! and the ids of the path as [`Args`](crate::args::Args). What a request says and no argument has read is refused. An
//! error is a [`Problem`], which the gate tells as /v1 does.

pub mod body;
pub mod cors;
pub mod cursor;
pub mod endpoint;
mod exact;
pub mod fingerprint;
pub mod idempotency;
pub mod json;
pub mod merge_patch;
pub mod money;
pub mod openapi;
pub mod page;
pub mod precondition;
pub mod prefer;
pub mod problems;
pub mod query;
pub mod route;
mod strict;
pub mod timestamp;
mod typed;

use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::{HttpServiceFactory, ServiceResponse};
use actix_web::{HttpResponse, ResponseError, web};
use shardcart_telemetry::trace::Context;

use self::cors::Origin;
use self::openapi::Document;
use crate::problem::Problem;

/// Where it begins.
pub const PREFIX: &str = "/v1";

/// Whether a path is one of /v1.
pub fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What all machines serve of /v1, and how.
#[derive(Debug, Clone)]
pub struct Common {
    /// The description of all of it.
    pub document: Document,
    /// Whose pages may call.
    pub origins: Vec<Origin>,
}

/// All of /v1 that a machine serves: what every machine does, and what `bind` adds. It is bound behind the other faces,
/// because paths are compared in order.
pub fn scope<F: FnOnce(&mut web::ServiceConfig)>(
    service: &'static str,
    common: &Common,
    bind: F,
) -> impl HttpServiceFactory + use<F> {
    let scope = web::scope(PREFIX).configure(bind).configure(|config| {
        problems::endpoints(config, service);
        openapi::endpoints(config, service, &common.document);
    });
    scope.wrap(cors::middleware(&common.origins))
}

/// Tells a problem in an answer as /v1 does.
pub fn told<B>(response: ServiceResponse<B>, context: &Context) -> ServiceResponse<EitherBody<B>> {
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    match problem.map(|problem| problem.body_of_v1(&context.about())) {
        Some(body) => response.map_body(|_, _| EitherBody::right(BoxBody::new(body))),
        None => response.map_into_left_body(),
    }
}

/// The answer of /v1 to a request that does not reach its endpoint.
pub fn refused(problem: &Problem, context: &Context) -> HttpResponse {
    problem.error_response().set_body(BoxBody::new(problem.body_of_v1(&context.about())))
}

#[cfg(test)]
mod tests;
