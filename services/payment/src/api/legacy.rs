//! The legacy face: the payment service's endpoints, in the order of the API.

use actix_web::{HttpResponse, web};
use serde_json::json;
use shardcart_http::args::Args;
use shardcart_http::endpoint;
use shardcart_http::idempotency::{Key, Replayable as _};
use shardcart_http::problem::Problem;
use shardcart_types::amount::Amount;
use shardcart_types::ids::{OrderId, UserId};

use crate::api::State;
use crate::payments;
use crate::users;

type Result<T> = std::result::Result<T, Problem>;
type Data = web::Data<State>;

/// Binds the endpoints.
pub fn endpoints(config: &mut web::ServiceConfig, state: State) {
    config
        .app_data(web::Data::new(state))
        .service(endpoint::post("payment", "/create_user", create_user))
        .service(endpoint::get("payment", "/find_user/{user_id}", find_user))
        .service(endpoint::post("payment", "/add_funds/{user_id}/{amount}", add_funds))
        .service(endpoint::post("payment", "/pay/{user_id}/{order_id}/{amount}", pay_order))
        .service(endpoint::post("payment", "/pay/{user_id}/{amount}", pay))
        .service(endpoint::post("payment", "/cancel/{user_id}/{order_id}", cancel))
        .service(endpoint::get("payment", "/status/{user_id}/{order_id}", status))
        .service(endpoint::post("payment", "/batch_init/{n}/{starting_money}", batch_init));
}

/// Creates a user, without credit.
async fn create_user(state: Data, Key(key): Key) -> Result<HttpResponse> {
    let created = users::create(&state.shards, key.as_ref()).await?;
    Ok(created.answer(|user| HttpResponse::Ok().json(json!({ "user_id": user }))))
}

/// Shows a user's credit.
async fn find_user(state: Data, Args((user,)): Args<(UserId,)>) -> Result<HttpResponse> {
    let credit = users::credit(&state.shards, &user).await?;
    Ok(HttpResponse::Ok().json(json!({ "user_id": user, "credit": credit })))
}

/// Adds credit.
async fn add_funds(state: Data, Args((user, amount)): Args<(UserId, Amount)>, Key(key): Key) -> Result<HttpResponse> {
    let added = users::add_funds(&state.shards, &user, amount, key.as_ref()).await?;
    Ok(added.answer(|()| HttpResponse::Ok().json(json!({ "done": true }))))
}

/// Takes credit for an order, once.
async fn pay_order(
    state: Data,
    Args((user, order, amount)): Args<(UserId, OrderId, Amount)>,
    Key(key): Key,
) -> Result<HttpResponse> {
    let paid = payments::pay_order(&state.shards, &state.orders, &user, &order, amount, key.as_ref()).await?;
    Ok(paid.answer(|()| HttpResponse::Ok().finish()))
}

/// Takes credit.
async fn pay(state: Data, Args((user, amount)): Args<(UserId, Amount)>, Key(key): Key) -> Result<HttpResponse> {
    let paid = users::pay(&state.shards, &user, amount, key.as_ref()).await?;
    Ok(paid.answer(|()| HttpResponse::Ok().finish()))
}

/// Gives back what was paid directly for an order.
async fn cancel(state: Data, Args((user, order)): Args<(UserId, OrderId)>, Key(key): Key) -> Result<HttpResponse> {
    let cancelled = payments::cancel_payment(&state.shards, &state.orders, &user, &order, key.as_ref()).await?;
    Ok(cancelled.answer(|()| HttpResponse::Ok().finish()))
}

/// Tells whether an order is paid.
async fn status(state: Data, Args((user, order)): Args<(UserId, OrderId)>) -> Result<HttpResponse> {
    let paid = payments::has_paid(&state.shards, &state.orders, &user, &order).await?;
    Ok(HttpResponse::Ok().json(json!({ "paid": paid })))
}

/// Overwrites users `0..n`.
async fn batch_init(state: Data, Args((count, money)): Args<(Amount, Amount)>) -> Result<HttpResponse> {
    users::load(&state.shards, &state.batch_init, count.get(), money).await?;
    Ok(HttpResponse::Ok().json(json!({ "msg": "Batch init for users successful" })))
}
