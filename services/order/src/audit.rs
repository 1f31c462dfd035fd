//! What the audit reads of the order service: orders with their carts, what is in flight, and what overwritten orders
//! had bought. Nothing here writes.

mod rules;

use std::future::Future;

use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_schema::order::{CartLine, OrderStatus};
use shardcart_schema::record::{self, ORDER, field};
use shardcart_store::faults::Fault;
use shardcart_store::scan::{self, text};
use shardcart_store::script::Call;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

use crate::attempt::order_of_key;
use crate::orders::{inflight_key, keys};

shardcart_store::scripts! {
    AUDIT = "audit.lua";
    INFLIGHT = "inflight.lua";
    ORPHANS = "orphans.lua";
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
    /// Until when participants may reserve for the current or last attempt, Unix ms; 0 before the first.
    pub deadline_ms: u64,
    /// Item, units, and the sum quoted for them.
    pub lines: Vec<(String, i64, i64)>,
    /// What is wrong with its fields by themselves.
    pub faults: Vec<Fault>,
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
    let rows = scan::raw_rows(shard, &AUDIT, reply)?;
    Ok(orders.iter().zip(rows).map(|(order, row)| found(shard.number(), order, row)).collect())
}

fn found(shard: u16, id: &str, mut row: Vec<Option<Vec<u8>>>) -> Found {
    if row.len() < 2 {
        return Found::Unreadable("the reply is too short".to_owned());
    }
    let lines = row.split_off(2);
    let record = match ORDER.read(row[0].as_deref()) {
        record::Found::Absent => return Found::Absent,
        record::Found::Newer => return Found::Newer,
        record::Found::Unreadable => return Found::Unreadable("its bytes are no order".to_owned()),
        record::Found::Record(record) => record,
    };
    let Some(status) = OrderStatus::parse(record.text(field::STATUS)) else {
        return Found::Unreadable(format!("status {:?}", record.text(field::STATUS)));
    };
    let Some(total) = record.number(field::TOTAL) else {
        return Found::Unreadable("its total is no whole number".to_owned());
    };
    let Some(lines) = cart(lines) else {
        return Found::Unreadable("a line of its cart is not units and a sum".to_owned());
    };
    Found::Order(Record {
        status,
        tx: record.text(field::TX).to_owned(),
        user: record.text(field::USER).to_owned(),
        total,
        incarnation: record.incarnation().to_owned(),
        in_flight: row[1].is_some(),
        deadline_ms: record.amount(field::DEADLINE).unwrap_or(0),
        faults: rules::faults(shard, id, &record, &lines),
        lines,
    })
}

/// Items, units and sums of a cart; `None`: a line is none.
fn cart(mut fields: Vec<Option<Vec<u8>>>) -> Option<Vec<(String, i64, i64)>> {
    let line = |pair: &mut [Option<Vec<u8>>]| {
        let [Some(item), Some(line)] = pair else { return None };
        let written = std::str::from_utf8(line).ok()?;
        let line = CartLine::parse(written).filter(|line| format!("{} {}", line.units, line.sum) == written)?;
        Some((text(std::mem::take(item)), line.units.try_into().ok()?, line.sum.try_into().ok()?))
    };
    fields.chunks_mut(2).map(line).collect()
}

/// What lies in the list of orders in flight.
#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    /// The order's id, or what stands in the place of its key.
    pub order: String,
    /// Whether the key is one of an order, of this shard.
    pub is_order: bool,
    /// When recovery looks at it, as it is written.
    pub due: String,
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
    let row = |row: Vec<Option<Vec<u8>>>| {
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let (key, due, bytes) = (next().map(text).unwrap_or_default(), next().map(text).unwrap_or_default(), next());
        let is_order = key::parse(&key).is_some_and(|parts| parts.tag == shard.tag().as_str()) && id(&key).is_some();
        let order = id(&key).map_or_else(|| key.clone(), str::to_owned);
        let found = ORDER.read(bytes.as_deref());
        let status = match &found {
            record::Found::Record(record) => Some(record.text(field::STATUS).to_owned()),
            record::Found::Unreadable => Some("not readable".to_owned()),
            record::Found::Absent | record::Found::Newer => None,
        };
        InFlight { order, is_order, due, status, newer: found == record::Found::Newer }
    };
    Ok(scan::raw_rows(shard, &INFLIGHT, reply)?.into_iter().map(row).collect())
}

/// Items and units, as they are written, that paid orders of a shard had bought before `batch_init` overwrote them. The
/// units only ever grow.
///
/// # Errors
/// The shard's.
pub async fn overwritten(shard: &Shard) -> Result<Vec<(String, String)>, ShardError> {
    let mut read = redis::cmd("HGETALL");
    read.arg(key::overwritten(shard.tag()).to_string());
    let reply = shard.ask_bulk(&Call::read(read)).await?;
    let fields = Vec::<(Vec<u8>, Vec<u8>)>::from_redis_value(reply)
        .map_err(|error| scan::unexpected_reply(shard, "HGETALL", &error.to_string()))?;
    Ok(fields.into_iter().map(|(item, units)| (text(item), text(units))).collect())
}

/// The id of an order in its key; `None` for another key.
pub fn id(key: &str) -> Option<&str> {
    order_of_key(key)
}

/// Those of these ids under which there is a cart and no order.
///
/// # Errors
/// The shard's.
pub async fn orphans(shard: &Shard, ids: &[&str]) -> Result<Vec<String>, ShardError> {
    let pairs: Vec<String> = ids.iter().flat_map(|id| keys(shard, id).into_iter().take(2)).collect();
    let reply = shard.ask_bulk(&ORPHANS.keys(&pairs)).await?;
    let places = Vec::<usize>::from_redis_value(reply)
        .map_err(|error| scan::unexpected_reply(shard, ORPHANS.name(), &error.to_string()))?;
    Ok(places.into_iter().filter_map(|place| ids.get(place - 1)).map(ToString::to_string).collect())
}
