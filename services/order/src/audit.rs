//! What the audit reads of the order service: orders with their carts, what is in flight, and what overwritten orders
//! had bought. Nothing here writes.

use std::future::Future;

use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_schema::order::OrderStatus;
use shardcart_store::scan;
use shardcart_store::script::Call;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

use crate::attempt::order_of_key;
use crate::orders::{inflight_key, keys};

shardcart_store::scripts! {
    AUDIT = "audit.lua";
    INFLIGHT = "inflight.lua";
}

/// What was found where an order should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A record of another version.
    Newer,
    /// A record that this release never writes; what is wrong with it.
    Unreadable(String),
    /// An order.
    Order(Record),
}

/// An order as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How it stands.
    pub status: OrderStatus,
    /// The current or last attempt.
    pub tx: String,
    /// Whose it is.
    pub user: String,
    /// What a checkout charges.
    pub total: i64,
    /// Which of the orders that had this id; empty for a minted one.
    pub incarnation: String,
    /// Whether recovery knows of it. Always false for an open order: see [`in_flight`].
    pub in_flight: bool,
    /// Item, units, and the sum quoted for them.
    pub lines: Vec<(String, i64, i64)>,
}

impl Record {
    /// Whether it is paid.
    pub fn is_paid(&self) -> bool {
        self.status == OrderStatus::Paid
    }

    /// The sum of the cart's sums.
    pub fn sum(&self) -> i128 {
        self.lines.iter().map(|(_, _, sum)| i128::from(*sum)).sum()
    }
}

/// Goes through the ids of all orders of a shard: see [`scan::scan`].
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan<R>(shard: &Shard, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    scan::scan(shard, &key::order("*", "*").to_string(), read).await
}

/// Reads orders by id, in their order; each with its cart and its place in flight at one moment.
///
/// # Errors
/// The shard's.
pub async fn read(shard: &Shard, orders: &[&str]) -> Result<Vec<Found>, ShardError> {
    let wanted: Vec<String> = orders.iter().flat_map(|order| keys(shard, order)).collect();
    let reply = shard.ask_bulk(&AUDIT.keys(&wanted)).await?;
    Ok(scan::rows(shard, &AUDIT, reply)?.into_iter().map(found).collect())
}

fn found(mut row: Vec<Option<String>>) -> Found {
    if row.len() < 7 {
        return Found::Unreadable("the reply is too short".to_owned());
    }
    let lines = row.split_off(7);
    let mut row = row.into_iter();
    let mut next = || row.next().flatten();
    let (status, tx, user, total, incarnation, version, due) = (next(), next(), next(), next(), next(), next(), next());
    if version.is_some() {
        return Found::Newer;
    }
    let Some(status) = status else {
        return Found::Absent;
    };
    let Some(status) = OrderStatus::parse(&status) else {
        return Found::Unreadable(format!("status {status:?}"));
    };
    let Some(((tx, user), total)) = tx.zip(user).zip(total) else {
        return Found::Unreadable("it has no tx, user or total".to_owned());
    };
    let Ok(total) = total.parse() else {
        return Found::Unreadable(format!("total {total:?}"));
    };
    let line = |pair: &[Option<String>]| {
        let [Some(item), Some(line)] = pair else { return None };
        let (units, sum) = line.split_once(' ')?;
        Some((item.clone(), units.parse().ok()?, sum.parse().ok()?))
    };
    match lines.chunks(2).map(line).collect() {
        Some(lines) => Found::Order(Record {
            status,
            tx,
            user,
            total,
            incarnation: incarnation.unwrap_or_default(),
            in_flight: due.is_some(),
            lines,
        }),
        None => Found::Unreadable("a line of its cart is not units and a sum".to_owned()),
    }
}

/// An order that is listed as in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Its id.
    pub order: String,
    /// Its status at that moment; `None` if there is no such order.
    pub status: Option<String>,
    /// Whether its record is of another version.
    pub newer: bool,
}

/// All that is in flight on a shard, at one moment.
///
/// # Errors
/// The shard's.
pub async fn in_flight(shard: &Shard) -> Result<Vec<InFlight>, ShardError> {
    let reply = shard.ask_bulk(&INFLIGHT.keys(&[inflight_key(shard)])).await?;
    let row = |row: Vec<Option<String>>| {
        let mut row = row.into_iter();
        let (key, status) = (row.next().flatten().unwrap_or_default(), row.next().flatten());
        let order = id(&key).map_or_else(|| key.clone(), str::to_owned);
        InFlight { order, status, newer: row.nth(1).flatten().is_some() }
    };
    Ok(scan::rows(shard, &INFLIGHT, reply)?.into_iter().map(row).collect())
}

/// Items and units that paid orders of a shard had bought before `batch_init` overwrote them. Only ever grows.
///
/// # Errors
/// The shard's.
pub async fn overwritten(shard: &Shard) -> Result<Vec<(String, i64)>, ShardError> {
    let mut read = redis::cmd("HGETALL");
    read.arg(key::overwritten(shard.tag()).to_string());
    let reply = shard.ask_bulk(&Call::read(read)).await?;
    Vec::from_redis_value(reply).map_err(|error| scan::unexpected_reply(shard, "HGETALL", &error.to_string()))
}

/// The id of an order in its key; `None` for another key.
pub fn id(key: &str) -> Option<&str> {
    order_of_key(key)
}
