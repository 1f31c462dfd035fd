//! The face of /v1: products, their stock, imports and exports.

mod exports;
mod imports;
mod lines;
mod list;
mod problems;
mod products;
mod stock;
mod told;

use actix_web::web;
use shardcart_http::v1::endpoint;
use utoipa::OpenApi;
use utoipa::openapi;

use crate::api::State;

/// Who may read products.
const READ: &str = "products:read";
/// Who may write them.
const WRITE: &str = "products:write";

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    products::create,
    products::show_by_handle,
    products::show,
    products::replace,
    products::patch,
    products::archive,
    stock::show,
    stock::change,
    imports::import,
    exports::export,
))]
struct Products;

/// What the description of /v1 says of these.
pub fn openapi() -> openapi::OpenApi {
    Products::openapi()
}

/// Binds the endpoints.
pub fn endpoints(config: &mut web::ServiceConfig, state: State) {
    config.app_data(web::Data::new(state));
    config
        .service(endpoint::at("stock", "/v1/products").get(READ, list::list).post(WRITE, products::create))
        .service(endpoint::at("stock", "/v1/products/by-handle/{handle}").get(READ, products::show_by_handle))
        .service(
            endpoint::at("stock", "/v1/products/{id}")
                .get(READ, products::show)
                .put(WRITE, products::replace)
                .patch(WRITE, products::patch)
                .delete(WRITE, products::archive),
        )
        .service(endpoint::at("stock", "/v1/products/{id}/stock").get(READ, stock::show))
        .service(endpoint::at("stock", "/v1/products/{id}/stock-changes").post(WRITE, stock::change))
        .service(endpoint::at("stock", "/v1/imports/products").post_stream("imports:write", imports::import))
        .service(endpoint::at("stock", "/v1/exports/products").get_stream("exports:read", exports::export));
}
