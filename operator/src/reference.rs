//! The reference of /v1 as a page: what the description says, to be searched and tried on this very shop. It asks nobody
//! else for anything.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use shardcart_http::problem::Problem;
use shardcart_http::v1::endpoint;
use shardcart_http::v1::route::PUBLIC;
use utoipa::OpenApi;
use utoipa::openapi;

use crate::console::pages;

const PAGE: &str = include_str!("reference/page/docs.html");
const STYLE: &str = include_str!("reference/page/docs.css");
const PROGRAM: &str = include_str!("reference/page/docs.js");

#[derive(OpenApi)]
#[openapi(paths(page, part))]
struct Reference;

/// What the description says of the page itself.
pub fn openapi() -> openapi::OpenApi {
    Reference::openapi()
}

/// Binds the page for a service.
pub fn endpoints(config: &mut web::ServiceConfig, service: &'static str) {
    config
        .service(endpoint::at(service, "/v1/docs").get(PUBLIC, page))
        .service(endpoint::at(service, "/v1/docs/{part}").get(PUBLIC, part));
}

/// The reference as a page
#[utoipa::path(
    get,
    path = "/v1/docs",
    operation_id = "show_docs",
    tag = "reference",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
async fn page() -> HttpResponse {
    pages::private(HttpResponse::Ok()).content_type(ContentType::html()).body(PAGE)
}

/// A part of the page
#[utoipa::path(
    get,
    path = "/v1/docs/{part}",
    operation_id = "show_docs_part",
    tag = "reference",
    params(("part" = String, Path, description = "`docs.js`, `docs.css`, `console.css` or `icon.svg`")),
    responses((status = 200, description = "The part", content(
        (String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml"),
    ))),
)]
async fn part(part: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(match part.as_str() {
        "docs.js" => pages::asset("text/javascript", PROGRAM),
        "docs.css" => pages::asset("text/css", STYLE),
        "console.css" => pages::asset("text/css", pages::STYLE),
        "icon.svg" => pages::asset("image/svg+xml", pages::ICON),
        _ => return Err(Problem::no_route()),
    })
}
