//! What the audit reads of the stock service: items, and what is held of them. Nothing here writes.

pub mod products;

use std::future::Future;

use shardcart_schema::key;
use shardcart_schema::record::field;
use shardcart_schema::reservation_record::Taken;
use shardcart_store::scan::{self, Holdings, Reservation};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

/// What was found where an item should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A record of another version.
    Newer,
    /// A record that this release never writes.
    Unreadable,
    /// An item.
    Item(Units),
}

/// An item's units as its shard counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Can be bought now.
    pub stock: i64,
    /// In undecided or unsettled attempts.
    pub held: i64,
    /// Added minus taken out directly.
    pub net: i64,
    /// Sold before `batch_init` overwrote the item.
    pub before: i64,
}

impl Units {
    /// What has been sold and settled, if nothing was lost: everything that ever came in and is not here any more.
    pub fn gone(self) -> i64 {
        self.net.saturating_add(self.before).saturating_sub(self.stock).saturating_sub(self.held)
    }
}

const FIELDS: [&str; 5] = [field::STOCK, field::HELD, field::NET, field::BEFORE, field::V];

/// Goes through the keys of all items of a shard: see [`scan::scan`].
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan<R>(shard: &Shard, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    scan::scan(shard, &key::item("*", "*").to_string(), read).await
}

/// Reads items by their keys, in their order.
///
/// # Errors
/// The shard's.
pub async fn read(shard: &Shard, keys: &[String]) -> Result<Vec<Found>, ShardError> {
    Ok(scan::fields(shard, keys, &FIELDS).await?.into_iter().map(|row| found(&row)).collect())
}

fn found(row: &[Option<String>]) -> Found {
    let [stock, held, net, before, version] = row else { return Found::Unreadable };
    if version.is_some() {
        return Found::Newer;
    }
    if [stock, held, net].iter().all(|field| field.is_none()) {
        return Found::Absent;
    }
    let number = |field: &Option<String>| field.as_deref().and_then(|text| text.parse::<i64>().ok());
    let before = if before.is_none() { Some(0) } else { number(before) };
    match (number(stock), number(held), number(net), before) {
        (Some(stock), Some(held), Some(net), Some(before)) => Found::Item(Units { stock, held, net, before }),
        _ => Found::Unreadable,
    }
}

/// All that a shard holds, with these items and those that it concerns, at one moment.
///
/// # Errors
/// The shard's.
pub async fn holdings(shard: &Shard, items: &[String]) -> Result<(Vec<Reservation>, Vec<(String, Found)>), ShardError> {
    let Holdings { reservations, records } = scan::holdings(shard, items, &FIELDS).await?;
    Ok((reservations, records.into_iter().map(|(key, row)| (key, found(&row))).collect()))
}

/// What a reservation holds: each line's item key and units. `None` for what is no reservation of units.
pub fn lines(reservation: &Reservation) -> Option<Vec<(&str, i64)>> {
    match reservation.held()?.taken {
        Taken::Units(lines) => Some(lines),
        Taken::Credit { .. } => None,
    }
}
