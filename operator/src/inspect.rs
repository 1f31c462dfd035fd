//! What lies under an id, as all three services report it: `shop inspect`, and the console's search.
//!
//! An id does not say what it is the id of, and a foreign one may be that of an order, an item and a user at once. So
//! all three are looked for, and all that is found is shown. Nothing here writes.

pub mod command;
pub mod found;
mod looks;
mod words;

use found::{Attempted, Inspected, Line, Reservation, Thing};
use looks::Looks;
use shardcart_order::recent::AttemptSummary;
use shardcart_protocol::insight::{Found, ItemRecord, OrderRecord, Seen, Wanted};
use shardcart_schema::order::OrderStatus;
use shardcart_types::ids::{InvalidId, ItemId, OrderId, TxId, UserId, minted_ms};

use crate::sources::Sources;

/// How many lines of an order have their items looked up as well.
const LINES_MAX: usize = 100;

/// Tells all that is known under an id. Only reads; a service or shard that is silent is named, and the rest told.
///
/// # Errors
/// `InvalidId`: it cannot be an id.
pub async fn inspect(sources: &Sources, id: &str) -> Result<Inspected, InvalidId> {
    let (order, item, user, tx) = (OrderId::parse(id)?, ItemId::parse(id)?, UserId::parse(id)?, TxId::parse(id)?);
    let mut told = Inspected::of(id);
    let looks = Looks::new(sources);
    // An attempt always has an id that was minted here.
    let of_tx = || told.minted.then(|| Wanted::Reservations { tx: tx.clone() });
    let (orders, items, users) = tokio::join!(
        looks.ask("order", vec![Wanted::Order { order }]),
        looks.ask("stock", [Some(Wanted::Item { item }), of_tx()].into_iter().flatten().collect()),
        looks.ask("payment", [Some(Wanted::User { user }), of_tx()].into_iter().flatten().collect()),
    );
    for seen in &orders {
        if let Found::Order(record) = &seen.found {
            told.things.push(order_told(&looks, seen, record).await);
        }
    }
    let mut reservations = Vec::new();
    for (service, seen) in items.iter().map(|seen| ("stock", seen)).chain(users.iter().map(|seen| ("payment", seen))) {
        match &seen.found {
            Found::Item(record) => told.things.push(item_told(seen, record)),
            Found::User(record) => {
                let mut thing =
                    Thing::of("user", service, seen, if record.credit > 0 { "has credit" } else { "no credit" });
                thing.amount = Some(record.credit);
                thing.story = words::user(record);
                told.things.push(thing);
            }
            Found::Reservations { records, .. } => reservations.extend(
                records.iter().map(|record| Reservation { service: service.to_owned(), record: record.clone() }),
            ),
            _ => {}
        }
    }
    // The search for the order of an attempt is long: only where nothing else has this id.
    if told.minted && (told.things.is_empty() || !reservations.is_empty()) {
        told.things.extend(attempt_told(&looks, &tx, reservations).await);
    }
    told.unanswered = looks.into_unanswered();
    Ok(told)
}

async fn order_told(looks: &Looks<'_>, seen: &Seen, record: &OrderRecord) -> Thing {
    let mut thing = Thing::of("order", "order", seen, &record.status);
    let looked_up = record.lines.iter().take(LINES_MAX);
    let items = looked_up.filter_map(|(item, ..)| Some(Wanted::Item { item: ItemId::parse(item).ok()? })).collect();
    let ids = UserId::parse(&record.user).ok().zip(OrderId::parse(&record.order).ok());
    let of_user = ids.map_or_else(Vec::new, |(user, order)| {
        vec![Wanted::User { user: user.clone() }, Wanted::Payment { user, order }]
    });
    let (items, of_user) = tokio::join!(looks.ask("stock", items), looks.ask("payment", of_user));
    let line = |(place, (item, units, sum)): (usize, &(String, u64, u64))| {
        let seen = items.get(place);
        let stock = seen.and_then(|seen| if let Found::Item(item) = &seen.found { Some(item.stock) } else { None });
        Line { item: item.clone(), units: *units, sum: *sum, shard: seen.map(|seen| seen.shard), stock }
    };
    thing.lines = record.lines.iter().enumerate().map(line).collect();
    let (user, payment) = (of_user.first().map(|seen| &seen.found), of_user.get(1).map(|seen| &seen.found));
    thing.payment = match (user, payment) {
        // A payment of another incarnation of the user or the order says nothing about this one.
        (Some(Found::User(user)), Some(Found::Payment(payment)))
            if payment.incarnation == format!("{}/{}", user.incarnation, record.incarnation) =>
        {
            Some(payment.clone())
        }
        _ => None,
    };
    thing.user = Some(record.user.clone());
    thing.amount = Some(record.total);
    thing.in_flight =
        record.due_ms.is_some() || matches!(record.status(), Some(OrderStatus::Pending | OrderStatus::Aborting));
    thing.story = words::order(record, user, thing.payment.as_ref(), payment);
    thing.attempts = attempts(looks.sources.recent.as_deref().map(|recent| recent.of_order(&record.order)), record);
    thing
}

/// The attempts that this machine remembers, and the one that is on the order's record.
fn attempts(remembered: Option<Vec<AttemptSummary>>, record: &OrderRecord) -> Vec<Attempted> {
    let told =
        |told: AttemptSummary| Attempted { began_ms: minted_ms(&told.tx), told: words::attempt(&told), tx: told.tx };
    let mut attempts: Vec<Attempted> = remembered.into_iter().flatten().map(told).collect();
    // A deadline is written by the first attempt.
    if record.deadline_ms > 0 && attempts.iter().all(|attempt| attempt.tx != record.tx) {
        let told = words::last_attempt(record);
        attempts.insert(0, Attempted { tx: record.tx.clone(), began_ms: minted_ms(&record.tx), told });
    }
    attempts
}

fn item_told(seen: &Seen, record: &ItemRecord) -> Thing {
    let state = match (record.stock, record.held) {
        (0, 0) => "sold out",
        (0, _) => "all held",
        _ => "on sale",
    };
    let mut thing = Thing::of("item", "stock", seen, state);
    thing.amount = Some(record.price);
    thing.story = words::item(record);
    thing
}

async fn attempt_told(looks: &Looks<'_>, tx: &TxId, reservations: Vec<Reservation>) -> Option<Thing> {
    let holder = reservations.iter().find_map(|reservation| OrderId::parse(reservation.record.order.as_ref()?).ok());
    let remembered = looks.sources.recent.as_deref().and_then(|recent| recent.of_tx(tx.as_str()));
    let known = holder.or_else(|| OrderId::parse(&remembered.as_ref()?.order).ok());
    let wanted = known.map_or(Wanted::OrderOf { tx: tx.clone() }, |order| Wanted::Order { order });
    let seen = looks.ask_one("order", wanted).await;
    let order = if let Found::Order(record) = &seen.found { Some(record) } else { None };
    // The id of an order is its own first tx, before any attempt.
    let order = order.filter(|record| record.order != tx.as_str());
    if order.is_none() && reservations.is_empty() && remembered.is_none() {
        return None;
    }
    let state = words::attempt_state(tx, order, &reservations);
    let mut thing = Thing::of("attempt", "order", &seen, state);
    thing.story = words::attempt_story(tx, order, &reservations);
    thing.user = order.map(|record| record.user.clone());
    thing.amount = order.map(|record| record.total);
    thing.in_flight = order.is_some_and(|record| record.due_ms.is_some() && record.tx == tx.as_str());
    thing.attempts = remembered
        .map(|told| Attempted { began_ms: minted_ms(&told.tx), told: words::attempt(&told), tx: told.tx })
        .into_iter()
        .collect();
    thing.reservations = reservations;
    Some(thing)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use futures_util::FutureExt;
    use futures_util::future::LocalBoxFuture;
    use shardcart_protocol::insight::{Insight, ShardState};

    use super::*;

    /// A service that knows nothing, and has too many orders to go through.
    struct Crowded;

    impl Insight for Crowded {
        fn shards(&self) -> LocalBoxFuture<'_, Result<Vec<ShardState>, String>> {
            async { Ok(Vec::new()) }.boxed_local()
        }

        fn look_up(&self, wanted: Vec<Wanted>) -> LocalBoxFuture<'_, Result<Vec<Seen>, String>> {
            let seen = |wanted: Wanted| {
                let found = if matches!(wanted, Wanted::OrderOf { .. }) { Found::TooMany } else { Found::Absent };
                Seen { shard: 1, found }
            };
            async move { Ok(wanted.into_iter().map(seen).collect()) }.boxed_local()
        }
    }

    #[actix_web::test]
    async fn too_many_orders_to_go_through_are_no_silent_shard() {
        let service: Rc<dyn Insight> = Rc::new(Crowded);
        let sources =
            Sources { order: Rc::clone(&service), stock: Rc::clone(&service), payment: service, recent: None };
        let tx = TxId::mint(1, 1);
        let told = inspect(&sources, tx.as_str()).await.unwrap();
        assert_eq!(told.things, []);
        assert_eq!(told.unanswered.len(), 1, "{told:?}");
        assert!(told.unanswered[0].contains("order shard 1 has too many orders"), "{told:?}");
    }
}
