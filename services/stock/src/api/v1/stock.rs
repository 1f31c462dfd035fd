//! The stock of a product.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use shardcart_http::args::Args;
use shardcart_http::idempotency::Replayable as _;
use shardcart_http::problem::Problem;
use shardcart_http::v1::idempotency::Key;
use shardcart_http::v1::json::Json;
use shardcart_types::amount::Amount;
use shardcart_types::code::Code;
use shardcart_types::ids::ItemId;
use utoipa::ToSchema;

use super::products::keyed;
use super::told::Stock;
use crate::api::State;
use crate::error::StockError;
use crate::items;
use crate::products::stock::{Adjustment, adjust};

type Result<T> = std::result::Result<T, Problem>;

/// The longest reason, in characters.
const REASON_MAX: usize = 100;

/// A change of stock: by a delta, or by what was counted
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockChange {
    /// Units to be added, or taken out where it is negative
    delta: Option<i64>,
    /// Units that were counted, with those that checkouts hold at the moment
    count: Option<u64>,
    /// Why: for the log
    reason: Option<String>,
}

/// What a change of stock did
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StockChanged {
    /// By how many units the stock changed
    delta: i64,
}

fn unknown(error: StockError) -> Problem {
    match error {
        StockError::UnknownItem(id) => Problem::new(Code::UnknownProduct, format_args!("product {id} does not exist")),
        other => other.into(),
    }
}

/// Read what can be bought of a product
#[utoipa::path(
    get,
    path = "/v1/products/{id}/stock",
    operation_id = "show_stock",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`")),
    responses((status = 200, description = "Its stock", body = Stock)),
)]
pub(super) async fn show(state: web::Data<State>, Args((id,)): Args<(ItemId,)>) -> Result<HttpResponse> {
    let item = items::find(&state.shards, &id).await.map_err(unknown)?;
    Ok(HttpResponse::Ok().json(Stock { available: item.stock }))
}

/// Change the stock of a product
///
/// Give it an `Idempotency-Key`: then it may be repeated.
#[utoipa::path(
    post,
    path = "/v1/products/{id}/stock-changes",
    operation_id = "change_stock",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`")),
    request_body = StockChange,
    responses((status = 200, description = "It was changed", body = StockChanged)),
)]
pub(super) async fn change(
    state: web::Data<State>,
    Args((id,)): Args<(ItemId,)>,
    Key(key): Key,
    Json(wanted): Json<StockChange>,
) -> Result<HttpResponse> {
    let adjustment = adjustment(&wanted)?;
    let changed = adjust(&state.shards, &id, adjustment, keyed(key.as_ref())).await.map_err(unknown)?;
    if !changed.is_replay {
        let (delta, reason) = (changed.value, wanted.reason.unwrap_or_default());
        log::info!(product:% = id, delta, reason; "a stock was changed");
    }
    Ok(changed.answer(|delta| HttpResponse::Ok().json(StockChanged { delta })))
}

fn adjustment(wanted: &StockChange) -> Result<Adjustment> {
    let is_odd = |reason: &String| reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control);
    if wanted.reason.as_ref().is_some_and(is_odd) {
        let form = format!("a reason has {REASON_MAX} characters at most, and no control characters");
        return Err(Problem::new(Code::InvalidBody, &form).at("/reason", "invalid_value", form));
    }
    let amount = |pointer: &str, units: u64| {
        let out = |error| Problem::new(Code::InvalidBody, error).at(pointer, "out_of_range", error);
        Amount::parse(&units.to_string()).map_err(out)
    };
    match (wanted.delta, wanted.count) {
        (Some(delta), None) if delta < 0 => Ok(Adjustment::Subtract(amount("/delta", delta.unsigned_abs())?)),
        (Some(delta), None) => Ok(Adjustment::Add(amount("/delta", delta.unsigned_abs())?)),
        (None, Some(count)) => Ok(Adjustment::Count(amount("/count", count)?)),
        _ => {
            let form = "a change of stock has a delta or a count, and not both";
            Err(Problem::new(Code::InvalidBody, form).at("", "invalid_value", form))
        }
    }
}
