//! The legacy face: the order service's endpoints, in the order of the API.

use std::rc::Rc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shardcart_http::args::Args;
use shardcart_http::endpoint;
use shardcart_http::idempotency::{Key, Replayable as _};
use shardcart_http::problem::Problem;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_types::amount::{Amount, Quantity};
use shardcart_types::code::Code;
use shardcart_types::ids::{ItemId, OrderId, UserId};

use crate::api::State;
use crate::error::{self, OrderError};
use crate::orders;

/// The longest flat list of items, in units.
const FLAT_MAX: u64 = 1000;

type Result<T> = std::result::Result<T, Problem>;
type Data = web::Data<Rc<State>>;

/// Binds the endpoints.
pub fn endpoints(config: &mut web::ServiceConfig, state: Rc<State>) {
    config
        .app_data(web::Data::new(state))
        .service(endpoint::post("order", "/create/{user_id}", create))
        .service(endpoint::post("order", "/addItem/{order_id}/{item_id}", add_one))
        .service(endpoint::post("order", "/addItem/{order_id}/{item_id}/{quantity}", add_item))
        .service(endpoint::delete("order", "/removeItem/{order_id}/{item_id}", remove_item))
        .service(endpoint::delete("order", "/remove/{order_id}", remove))
        .service(endpoint::get("order", "/find/{order_id}", find))
        .service(endpoint::post("order", "/checkout/{order_id}", checkout))
        .service(endpoint::post("order", "/batch_init/{n}/{n_items}/{n_users}/{item_price}", batch_init));
}

/// Creates an order with an empty cart.
async fn create(state: Data, Args((user,)): Args<(UserId,)>, Key(key): Key) -> Result<HttpResponse> {
    state.coordinator.check_user(&user).await?;
    let created = orders::create(&state.shards, &user, key.as_ref()).await?;
    Ok(created.answer(|order| HttpResponse::Ok().json(json!({ "order_id": order }))))
}

/// Adds one unit of an item.
async fn add_one(state: Data, Args((order, item)): Args<(OrderId, ItemId)>, Key(key): Key) -> Result<HttpResponse> {
    add(&state, &order, &item, Quantity::ONE, key.as_ref()).await
}

/// Adds units of an item.
async fn add_item(
    state: Data,
    Args((order, item, quantity)): Args<(OrderId, ItemId, Quantity)>,
    Key(key): Key,
) -> Result<HttpResponse> {
    add(&state, &order, &item, quantity, key.as_ref()).await
}

async fn add(
    state: &State,
    order: &OrderId,
    item: &ItemId,
    quantity: Quantity,
    key: Option<&IdempotencyKey>,
) -> Result<HttpResponse> {
    let added = match (price(state, item).await, key) {
        (Ok(price), _) => orders::add_item(&state.shards, order, item, quantity, price, key).await?,
        // What was added stays added, whatever has become of the item or its shard: a replay is told so.
        (Err(_), Some(key)) if orders::was_added(&state.shards, order, item, quantity, key).await? => Done::before(()),
        (Err(error), _) => return Err(error.into()),
    };
    Ok(added.answer(|()| HttpResponse::Ok().finish()))
}

async fn price(state: &State, item: &ItemId) -> error::Result<u64> {
    state.prices.price(item).await?.ok_or_else(|| OrderError::UnknownItem(item.clone()))
}

/// Takes one unit of an item off.
async fn remove_item(state: Data, Args((order, item)): Args<(OrderId, ItemId)>, Key(key): Key) -> Result<HttpResponse> {
    let removed = orders::remove_item(&state.shards, &order, &item, key.as_ref()).await?;
    Ok(removed.answer(|()| HttpResponse::Ok().finish()))
}

/// Removes an order.
async fn remove(state: Data, Args((order,)): Args<(OrderId,)>, Key(key): Key) -> Result<HttpResponse> {
    let removed = orders::remove(&state.shards, &order, key.as_ref()).await?;
    Ok(removed.answer(|()| HttpResponse::Ok().finish()))
}

#[derive(Deserialize)]
struct FindOptions {
    items: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Items {
    Lines(Vec<(ItemId, u64)>),
    Flat(Vec<ItemId>),
}

#[derive(Serialize)]
struct FoundOrder {
    order_id: OrderId,
    paid: bool,
    items: Items,
    user_id: UserId,
    total_cost: u64,
}

/// Shows an order; `?items=flat` gives the older list, each item as often as it is in the cart.
async fn find(
    state: Data,
    Args((order_id,)): Args<(OrderId,)>,
    options: web::Query<FindOptions>,
) -> Result<HttpResponse> {
    let order = orders::find(&state.shards, &order_id).await?;
    let items = if options.items.as_deref() == Some("flat") {
        Items::Flat(flat(&order.items)?)
    } else {
        Items::Lines(order.items)
    };
    Ok(HttpResponse::Ok().json(FoundOrder {
        order_id,
        paid: order.paid,
        items,
        user_id: order.user,
        total_cost: order.total,
    }))
}

fn flat(lines: &[(ItemId, u64)]) -> error::Result<Vec<ItemId>> {
    let units = lines.iter().fold(0_u64, |sum, (_, units)| sum.saturating_add(*units));
    if units > FLAT_MAX {
        return Err(OrderError::TooLarge(format!("a flat list has at most {FLAT_MAX} units; ask without items=flat")));
    }
    Ok(lines
        .iter()
        .flat_map(|(item, units)| std::iter::repeat_n(item.clone(), usize::try_from(*units).unwrap_or(0)))
        .collect())
}

/// Pays an order: everything, once, or nothing.
async fn checkout(state: Data, Args((order,)): Args<(OrderId,)>) -> Result<HttpResponse> {
    state.coordinator.checkout(order).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Overwrites orders `0..n`.
async fn batch_init(
    state: Data,
    Args((count, items, users, price)): Args<(Amount, Amount, Amount, Amount)>,
) -> Result<HttpResponse> {
    let (count, items, users, price) = (count.get(), items.get(), users.get(), price.get());
    if count > 0 && (items == 0 || users == 0) {
        return Err(Problem::new(Code::InvalidAmount, "orders need at least one item and one user"));
    }
    if price > shardcart_types::amount::AMOUNT_MAX / 2 {
        return Err(Problem::new(Code::InvalidAmount, "twice the price would exceed 9007199254740991"));
    }
    orders::load(&state.shards, &state.batch_init, count, items, users, price).await?;
    Ok(HttpResponse::Ok().json(json!({ "msg": "Batch init for orders successful" })))
}
