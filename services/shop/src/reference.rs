//! The description of /v1: what each service says of its part, as one document.

use shardcart_http::settings::HttpSettings;
use shardcart_http::v1::Common;
use shardcart_http::v1::openapi::Document;
use shardcart_operator::reference;
use shardcart_stock::api::v1 as stock;

/// The description of all that the system serves under /v1. Every machine serves the whole.
pub fn document() -> Document {
    Document::of([stock::openapi(), reference::openapi()])
}

/// What every machine serves of /v1.
pub fn common(settings: &HttpSettings) -> Common {
    Common { document: document(), origins: settings.cors_origins.clone() }
}
