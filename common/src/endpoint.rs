//! Endpoints: how paths are bound to handlers, so that every wrong method and path gets its problem.

use std::future::Future;

use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, ResponseError, web};

use crate::problem::Problem;
use crate::settings::Secret;

/// `POST path`.
pub fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::post().to(handler)).default_service(web::to(|| refuse("POST")))
}

/// `GET path`.
pub fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::get().to(handler)).default_service(web::to(|| refuse("GET")))
}

/// `DELETE path`.
pub fn delete<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::delete().to(handler)).default_service(web::to(|| refuse("DELETE")))
}

fn refuse(allow: &'static str) -> impl Future<Output = HttpResponse> {
    std::future::ready(Problem::method_not_allowed(allow).error_response())
}

/// The answer to a path that does not exist.
pub async fn no_route() -> HttpResponse {
    Problem::no_route().error_response()
}

/// Whether an `Authorization` header carries the secret. Compared in constant time.
pub fn is_authorized(header: Option<&actix_web::http::header::HeaderValue>, token: &Secret) -> bool {
    let sent = header.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| subtle::ConstantTimeEq::ct_eq(sent, token.expose().as_bytes()).into())
}
