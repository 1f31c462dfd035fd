//! The legacy face: the stock service's endpoints, in the order of the API.

use actix_web::{HttpResponse, web};
use serde_json::json;
use shardcart_http::args::Args;
use shardcart_http::endpoint;
use shardcart_http::idempotency::{Key, Replayable as _};
use shardcart_http::problem::Problem;
use shardcart_types::amount::Amount;
use shardcart_types::ids::ItemId;

use crate::api::State;
use crate::items;

type Result<T> = std::result::Result<T, Problem>;
type Data = web::Data<State>;

/// Binds the endpoints.
pub fn endpoints(config: &mut web::ServiceConfig, state: State) {
    config
        .app_data(web::Data::new(state))
        .service(endpoint::post("stock", "/item/create/{price}", create))
        .service(endpoint::get("stock", "/find/{item_id}", find))
        .service(endpoint::post("stock", "/add/{item_id}/{amount}", add))
        .service(endpoint::post("stock", "/subtract/{item_id}/{amount}", subtract))
        .service(endpoint::post("stock", "/batch_init/{n}/{starting_stock}/{item_price}", batch_init));
}

/// Creates an item, without stock.
async fn create(state: Data, Args((price,)): Args<(Amount,)>, Key(key): Key) -> Result<HttpResponse> {
    let created = items::create(&state.shards, price, key.as_ref()).await?;
    Ok(created.answer(|item| HttpResponse::Ok().json(json!({ "item_id": item }))))
}

/// Shows an item: what it costs, and how much of it can be bought now.
async fn find(state: Data, Args((item,)): Args<(ItemId,)>) -> Result<HttpResponse> {
    let found = items::find(&state.shards, &item).await?;
    Ok(HttpResponse::Ok().json(json!({ "stock": found.stock, "price": found.price })))
}

/// Adds units to stock.
async fn add(state: Data, Args((item, amount)): Args<(ItemId, Amount)>, Key(key): Key) -> Result<HttpResponse> {
    let added = items::add(&state.shards, &item, amount, key.as_ref()).await?;
    Ok(added.answer(|()| HttpResponse::Ok().finish()))
}

/// Takes units out of stock directly, outside any checkout.
async fn subtract(state: Data, Args((item, amount)): Args<(ItemId, Amount)>, Key(key): Key) -> Result<HttpResponse> {
    let subtracted = items::subtract(&state.shards, &item, amount, key.as_ref()).await?;
    Ok(subtracted.answer(|()| HttpResponse::Ok().finish()))
}

/// Overwrites items `0..n`.
async fn batch_init(state: Data, Args((count, stock, price)): Args<(Amount, Amount, Amount)>) -> Result<HttpResponse> {
    items::load(&state.shards, &state.batch_init, count.get(), stock, price).await?;
    Ok(HttpResponse::Ok().json(json!({ "msg": "Batch init for stock successful" })))
}
