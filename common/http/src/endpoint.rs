//! Endpoints: how paths are bound to handlers, so that every wrong method and path gets its problem.

use std::future::Future;
use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, ResponseError, Route, guard, web};
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::{Context, export};
use shardcart_types::code::Code;
use shardcart_types::secret::Secret;

use crate::problem::Problem;

/// `POST path` of a service.
pub fn post<F, Args>(service: &'static str, path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only("POST", web::post().to(handler), counted(service, path))
}

/// `GET path` of a service, and `HEAD`, which is answered alike; the body stays here.
pub fn get<F, Args>(service: &'static str, path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only("GET, HEAD", get_or_head().to(handler), counted(service, path))
}

/// `DELETE path` of a service.
pub fn delete<F, Args>(service: &'static str, path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only("DELETE", web::delete().to(handler), counted(service, path))
}

/// `GET path` for those who run the machine: it is not counted among the requests.
pub fn plain_get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only("GET, HEAD", get_or_head().to(handler), web::resource(path).app_data(Uncounted))
}

/// `POST path` for those who run the machine: it is not counted among the requests.
pub fn plain_post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only("POST", web::post().to(handler), web::resource(path).app_data(Uncounted))
}

/// Marks what is not counted among the requests.
#[derive(Debug, Clone, Copy)]
struct Uncounted;

/// A resource whose requests are counted as one endpoint of a service.
fn counted(service: &'static str, path: &str) -> Resource {
    web::resource(path).app_data(metrics::requests::endpoint(service, path))
}

/// Counts a request that has been answered now.
pub fn count<B>(response: &ServiceResponse<B>, began: Instant) {
    let (request, status) = (response.request(), response.status().as_u16());
    let code = response.response().extensions().get::<Code>().copied();
    match request.app_data::<&'static metrics::requests::Endpoint>() {
        Some(endpoint) => endpoint.answered(began, status, code),
        None if request.app_data::<Uncounted>().is_some() => {}
        None => metrics::requests::unmatched(began, status, code),
    }
}

/// Exports the span of a request that has been answered now, if its trace is recorded.
pub fn trace<B>(response: &ServiceResponse<B>, context: &Context) {
    let request = response.request();
    let Some(endpoint) = request.app_data::<&'static metrics::requests::Endpoint>() else { return };
    let name = || format!("{} {}", request.method(), endpoint.template());
    if let Some(mut span) = context.span(endpoint.service(), name) {
        span.serves = true;
        span.failed = response.status().is_server_error();
        export::send(span.with("http.response.status_code", response.status().as_str()));
    }
}

fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// A resource with this route, which refuses every other method.
fn only(allow: &'static str, route: Route, resource: Resource) -> Resource {
    resource.route(route).default_service(web::to(move || refuse(allow)))
}

fn refuse(allow: &'static str) -> impl Future<Output = HttpResponse> {
    std::future::ready(Problem::method_not_allowed(allow).error_response())
}

/// The answer to a path that does not exist.
///
/// # Errors
/// `no_route`, always.
pub async fn no_route() -> Result<HttpResponse, Problem> {
    Err(Problem::no_route())
}

/// Whether an `Authorization` header carries the secret. Compared in constant time.
pub fn is_authorized(header: Option<&actix_web::http::header::HeaderValue>, token: &Secret) -> bool {
    let sent = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| subtle::ConstantTimeEq::ct_eq(sent, token.expose().as_bytes()).into())
}
