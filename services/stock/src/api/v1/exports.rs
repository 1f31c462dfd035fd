//! Exports: all products, as the rows that an import takes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ACCEPT;
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use shardcart_http::problem::Problem;
use shardcart_http::v1::money::currency;
use shardcart_store::shards::Shards;

use crate::api::State;
use crate::products::Product;
use crate::products::error::ProductError;
use crate::products::export::{self, Progress};

/// How often a step is tried, and how long it is waited for in between.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

const HEADER: [&str; 9] = ["id", "handle", "name", "price", "currency", "description", "tags", "attributes", "status"];

/// Export products
///
/// All of them, archived ones, too, in no order: as `application/x-ndjson`, or as `text/csv` where `Accept` says so. An
/// export that cannot be ended is broken off.
#[utoipa::path(
    get,
    path = "/v1/exports/products",
    operation_id = "export_products",
    tag = "products",
    responses((status = 200, description = "A row a product", content((String = "application/x-ndjson"), (String = "text/csv")))),
)]
pub(super) async fn export(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_csv = accept.split([',', ';']).any(|part| part.trim() == "text/csv");
    let media_type = if is_csv { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    let rows = rows(Arc::clone(&state.shards), is_csv);
    Ok(HttpResponse::Ok().content_type(media_type).streaming(rows))
}

fn rows(shards: Arc<Shards>, is_csv: bool) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let header = if is_csv { record(HEADER) } else { Vec::new() };
    stream::unfold((shards, Some(Progress::default()), header), move |(shards, progress, mut text)| async move {
        let progress = progress?;
        match step(&shards, &progress).await {
            Ok((products, next)) => {
                for product in &products {
                    text.extend(if is_csv { as_csv(product) } else { as_json(product) });
                }
                Some((Ok(Bytes::from(text)), (shards, next, Vec::new())))
            }
            Err(error) => {
                log::error!(error:%; "an export is broken off");
                Some((Err(Problem::shard_unavailable().into()), (shards, None, Vec::new())))
            }
        }
    })
}

async fn step(shards: &Shards, progress: &Progress) -> Result<(Vec<Product>, Option<Progress>), ProductError> {
    for _ in 1..TRIES {
        match export::step(shards, progress).await {
            Ok(step) => return Ok(step),
            Err(error) => log::warn!(error:%; "a step of an export is tried again"),
        }
        sleep(PAUSE).await;
    }
    export::step(shards, progress).await
}

fn attributes(product: &Product) -> Value {
    Value::Object(product.content.attributes.clone())
}

fn as_json(product: &Product) -> Vec<u8> {
    let content = &product.content;
    let mut row = json!({
        "id": product.id, "name": content.name, "tags": content.tags, "attributes": attributes(product),
        "price": { "amount": product.price, "currency": currency().to_string() }, "status": content.status,
    });
    for (name, value) in [("handle", &content.handle), ("description", &content.description)] {
        if let Some(value) = value {
            row[name] = value.as_str().into();
        }
    }
    format!("{row}\n").into_bytes()
}

fn as_csv(product: &Product) -> Vec<u8> {
    let content = &product.content;
    record([
        product.id.as_str(),
        content.handle.as_deref().unwrap_or_default(),
        &content.name,
        &product.price.to_string(),
        &currency().to_string(),
        content.description.as_deref().unwrap_or_default(),
        &content.tags.join(" "),
        &attributes(product).to_string(),
        content.status.as_str(),
    ])
}

/// A record of CSV, with its line end.
fn record<const N: usize>(cells: [&str; N]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    if let Err(error) = writer.write_record(cells) {
        log::error!(error:%; "a record of an export cannot be written");
    }
    writer.into_inner().unwrap_or_default()
}
