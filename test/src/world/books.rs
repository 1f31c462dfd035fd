//! What lies in Redis about a world: read by exact keys, so that it costs the same however much else is there.

use std::collections::BTreeMap;

use shardcart_harness::data::{Amounts, Data};
use shardcart_harness::ids;
use shardcart_harness::redis::record::{self, Fields};
use shardcart_harness::service::Service;

use super::orders::Placed;
use super::people::World;

/// The records of a world.
#[derive(Debug, Default)]
pub struct Books {
    /// Orders by id.
    pub orders: BTreeMap<String, Fields>,
    /// Payments by order; none is not in here.
    pub payments: BTreeMap<String, Fields>,
    /// Units by item.
    pub items: BTreeMap<String, Amounts>,
    /// Credit by user.
    pub users: BTreeMap<String, Amounts>,
}

impl Books {
    /// Reads all that concerns a world and what was placed in it.
    pub async fn read(data: &Data, world: &World, placed: &[Placed]) -> Books {
        let orders = placed
            .iter()
            .map(|placed| (placed.order.clone(), key(Service::Order, "order", &placed.order, &placed.order)));
        let payments = placed.iter().map(|placed| {
            let id = format!("{}:{}", placed.user, placed.order);
            (placed.order.clone(), key(Service::Payment, "payment", &placed.user, &id))
        });
        let items = world.items.iter().map(|(item, ..)| (item.clone(), key(Service::Stock, "item", item, item)));
        let users = world.users.iter().map(|(user, _)| (user.clone(), key(Service::Payment, "user", user, user)));
        let items = read(data, Service::Stock, items).await;
        let users = read(data, Service::Payment, users).await;
        Books {
            orders: read(data, Service::Order, orders).await,
            payments: read(data, Service::Payment, payments).await,
            items: items.into_iter().map(|(id, record)| (id, Amounts::of(&record, "stock"))).collect(),
            users: users.into_iter().map(|(id, record)| (id, Amounts::of(&record, "credit"))).collect(),
        }
    }

    /// One field of an order, empty where it has none.
    pub fn order(&self, order: &str, field: &str) -> &str {
        self.orders.get(order).and_then(|record| record.get(field)).map_or("", String::as_str)
    }

    /// One field of the payment for an order, empty where there is none.
    pub fn payment(&self, order: &str, field: &str) -> &str {
        self.payments.get(order).and_then(|record| record.get(field)).map_or("", String::as_str)
    }
}

/// The shard and the key of what lies where `home` does.
fn key(service: Service, kind: &str, home: &str, id: &str) -> (usize, String) {
    (ids::shard(home), ids::key(service, home, kind, id))
}

/// Records by name; those that do not exist are left out.
async fn read(
    data: &Data,
    service: Service,
    wanted: impl Iterator<Item = (String, (usize, String))>,
) -> BTreeMap<String, Fields> {
    let mut by_shard: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for (name, (shard, key)) in wanted {
        by_shard.entry(shard).or_default().push((name, key));
    }
    let mut found = BTreeMap::new();
    for (shard, wanted) in by_shard {
        let mut connection = data.shard(service, shard).await;
        for wanted in wanted.chunks(1_000) {
            let keys: Vec<String> = wanted.iter().map(|(_, key)| key.clone()).collect();
            let records = record::read(&mut connection, &keys).await;
            let names = wanted.iter().map(|(name, _)| name.clone());
            found.extend(names.zip(records).filter(|(_, record)| !record.is_empty()));
        }
    }
    found
}
