//! What is held, and whether it belongs to orders in flight.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use shardcart_order::audit::{self as orders, Found, Record};
use shardcart_schema::key;
use shardcart_schema::order::OrderStatus;
use shardcart_schema::reservation_record;
use shardcart_store::scan::{self, Reservation};
use shardcart_store::shards::Shards;

use super::findings::{Findings, Kind};
use super::{AuditError, shard_failed};

/// How often a reservation whose order looks wrong is looked at again, with its order.
const LOOKS: usize = 3;
/// Orders that are read at once.
const BATCH: usize = 500;

/// A reservation that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who holds it: `stock` or `payment`.
    pub service: &'static str,
    /// The shard that holds it.
    pub shard: u16,
    /// Its attempt.
    pub tx: String,
    /// The order that is being paid.
    pub order: String,
    /// When the attempt must have ended, Unix ms.
    pub deadline_ms: u64,
    /// What it is.
    taken: Taken,
}

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Taken {
    /// Items and units.
    Units(Vec<(String, i64)>),
    /// A user, and how much.
    Credit(String, i64),
}

impl Held {
    /// A reservation of a shard; `None` if it cannot be read.
    pub fn of(service: &'static str, shard: u16, reservation: &Reservation) -> Option<Self> {
        let held = reservation.held()?;
        let (order, deadline_ms) = (held.order.to_owned(), held.deadline_ms);
        let id = |key: &str| key::parse(key).map_or_else(String::new, |parts| parts.name.to_owned());
        let taken = match held.taken {
            reservation_record::Taken::Units(lines) => {
                Taken::Units(lines.into_iter().map(|(item, units)| (id(item), units)).collect())
            }
            reservation_record::Taken::Credit { user, amount, .. } => Taken::Credit(id(user), amount),
        };
        Some(Held { service, shard, tx: reservation.tx.clone(), order, deadline_ms, taken })
    }

    /// What is held that the order does not want. While it has this attempt, nothing of it changes.
    fn unwanted(&self, order: &Record) -> Option<String> {
        match &self.taken {
            Taken::Units(lines) => {
                let is_wanted = |(item, units): &(String, i64)| {
                    order.lines.iter().any(|(wanted, of, _)| wanted == item && of == units)
                };
                let (item, units) = lines.iter().find(|line| !is_wanted(line))?;
                Some(format!("does not want {units} of item {item}"))
            }
            Taken::Credit(user, amount) => (order.user != *user || order.total != *amount)
                .then(|| format!("wants {} of user {}, not {amount} of user {user}", order.total, order.user)),
        }
    }
}

/// Reads orders by their ids, wherever they are; in the order of the ids.
///
/// # Errors
/// A shard does not answer.
pub async fn read_orders(shards: &Shards, ids: &[&str]) -> Result<Vec<Found>, AuditError> {
    let mut by_shard: HashMap<u16, Vec<(usize, &str)>> = HashMap::new();
    for (place, id) in ids.iter().enumerate() {
        by_shard.entry(shards.shard_of(id)).or_default().push((place, *id));
    }
    let mut found = vec![Found::Absent; ids.len()];
    let reads = try_join_all(by_shard.into_iter().map(|(number, wanted)| async move {
        let mut read = Vec::with_capacity(wanted.len());
        // An id of a shard that is not in the list cannot exist: the list was found to be complete.
        if let Ok(shard) = shards.shard(number) {
            for chunk in wanted.chunks(BATCH) {
                let ids: Vec<&str> = chunk.iter().map(|(_, id)| *id).collect();
                let orders = orders::read(shard, &ids).await.map_err(shard_failed("order"))?;
                read.extend(chunk.iter().map(|(place, _)| *place).zip(orders));
            }
        }
        Ok::<_, AuditError>(read)
    }));
    for (place, order) in reads.await?.into_iter().flatten() {
        found[place] = order;
    }
    Ok(found)
}

/// How attempts stand, as far as their orders tell.
#[derive(Debug, Default)]
pub struct Statuses(HashMap<String, bool>);

impl Statuses {
    /// Asks the orders of reservations.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn ask(shards: &Shards, held: &[Held]) -> Result<Self, AuditError> {
        let ids: Vec<&str> = held.iter().map(|held| held.order.as_str()).collect();
        let mut statuses = HashMap::new();
        for (held, found) in held.iter().zip(read_orders(shards, &ids).await?) {
            if let Found::Order(order) = found {
                statuses.insert(held.tx.clone(), order.is_paid() && order.tx == held.tx);
            }
        }
        Ok(Statuses(statuses))
    }

    /// Whether the attempt's order was paid by it.
    pub fn is_paid(&self, tx: &str) -> bool {
        self.0.get(tx).copied().unwrap_or(false)
    }

    /// Whether it may have been: nothing is known to the contrary.
    pub fn may_be_paid(&self, tx: &str) -> bool {
        self.0.get(tx).copied().unwrap_or(true)
    }
}

/// Checks that each reservation belongs to an order in flight, which wants what is held.
///
/// An order lets go of an attempt only when nothing is held for it any more, so an order that looks wrong is right if the
/// reservation has ended since.
///
/// # Errors
/// A shard does not answer.
pub async fn check(
    order_shards: &Shards,
    holders: &[(&'static str, &Shards)],
    mut held: Vec<Held>,
    findings: &Findings,
) -> Result<(), AuditError> {
    let mut wrong = Vec::new();
    for _ in 0..LOOKS {
        let ids: Vec<&str> = held.iter().map(|held| held.order.as_str()).collect();
        let orders = read_orders(order_shards, &ids).await?;
        wrong.clear();
        for (held, order) in held.into_iter().zip(orders) {
            if let Some(found) = objection(&held, &order)
                && is_still_held(holders, &held).await?
            {
                wrong.push((held, found));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        held = wrong.iter().map(|(held, _)| held.clone()).collect();
    }
    for (held, found) in wrong {
        let (order, service) = (&held.order, held.service);
        let detail = format!("held at {service} for order {order}, which {found}");
        findings.add(Kind::ReservationWithoutOrder, &held.tx, format!("order {order} in flight"), found, detail);
    }
    Ok(())
}

/// What an order has against a reservation being held for it.
fn objection(held: &Held, order: &Found) -> Option<String> {
    match order {
        // Reported by itself.
        Found::Newer | Found::Unreadable(_) => None,
        Found::Absent => Some("is not there".to_owned()),
        Found::Order(order) if order.tx != held.tx => Some(format!("has another attempt, {}", order.tx)),
        Found::Order(order) if order.status == OrderStatus::Open => Some("is open".to_owned()),
        Found::Order(order) if order.deadline_ms != held.deadline_ms => {
            Some(format!("has the deadline {}, and the reservation {}", order.deadline_ms, held.deadline_ms))
        }
        Found::Order(order) if !order.in_flight => Some(format!("is {} and not in flight", order.status)),
        Found::Order(order) => held.unwanted(order),
    }
}

async fn is_still_held(holders: &[(&'static str, &Shards)], held: &Held) -> Result<bool, AuditError> {
    let holder = holders.iter().find(|(service, _)| *service == held.service);
    let Some(Ok(shard)) = holder.map(|(_, shards)| shards.shard(held.shard)) else {
        return Ok(false);
    };
    scan::is_held(shard, &held.tx).await.map_err(shard_failed(held.service))
}
