//! What lies in Redis about a world: read by exact keys, so that it costs the same however much else is there.

use std::collections::BTreeMap;

use redis::pipe;

use super::orders::Placed;
use super::people::World;
use crate::data::{Amounts, Data, Hash};
use crate::ids;
use crate::service::Service;

/// The records of a world.
#[derive(Debug, Default)]
pub struct Books {
    /// Orders by id.
    pub orders: BTreeMap<String, Hash>,
    /// Payments by order; none is not in here.
    pub payments: BTreeMap<String, Hash>,
    /// Units by item.
    pub items: BTreeMap<String, Amounts>,
    /// Credit by user.
    pub users: BTreeMap<String, Amounts>,
}

impl Books {
    /// Reads all that concerns a world and what was placed in it.
    pub async fn read(data: &Data, world: &World, placed: &[Placed]) -> Books {
        let orders = placed.iter().map(|placed| (placed.order.clone(), key("order", &placed.order, &placed.order)));
        let payments = placed.iter().map(|placed| {
            let id = format!("{}:{}", placed.user, placed.order);
            (placed.order.clone(), key("payment", &placed.user, &id))
        });
        let items = world.items.iter().map(|(item, ..)| (item.clone(), key("item", item, item)));
        let users = world.users.iter().map(|(user, _)| (user.clone(), key("user", user, user)));
        let items = read(data, Service::Stock, items).await;
        let users = read(data, Service::Payment, users).await;
        Books {
            orders: read(data, Service::Order, orders).await,
            payments: read(data, Service::Payment, payments).await,
            items: items.into_iter().map(|(id, hash)| (id, Amounts::of(&hash, "stock"))).collect(),
            users: users.into_iter().map(|(id, hash)| (id, Amounts::of(&hash, "credit"))).collect(),
        }
    }

    /// One field of an order, empty where it has none.
    pub fn order(&self, order: &str, field: &str) -> &str {
        self.orders.get(order).and_then(|hash| hash.get(field)).map_or("", String::as_str)
    }

    /// One field of the payment for an order, empty where there is none.
    pub fn payment(&self, order: &str, field: &str) -> &str {
        self.payments.get(order).and_then(|hash| hash.get(field)).map_or("", String::as_str)
    }
}

/// The shard and the key of what lies in the partition of `at`.
fn key(kind: &str, at: &str, id: &str) -> (usize, String) {
    (ids::shard(at), format!("{{{}}}:{kind}:{id}", ids::partition(at)))
}

/// Hashes by name; those that do not exist are left out.
async fn read(
    data: &Data,
    service: Service,
    wanted: impl Iterator<Item = (String, (usize, String))>,
) -> BTreeMap<String, Hash> {
    let mut by_shard: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for (name, (shard, key)) in wanted {
        by_shard.entry(shard).or_default().push((name, key));
    }
    let mut found = BTreeMap::new();
    for (shard, wanted) in by_shard {
        let mut connection = data.shard(service, shard).await;
        for wanted in wanted.chunks(1_000) {
            let mut reads = pipe();
            for (_, key) in wanted {
                reads.hgetall(key);
            }
            let hashes: Vec<Hash> = reads.query_async(&mut connection).await.expect("all these keys hold hashes");
            let names = wanted.iter().map(|(name, _)| name.clone());
            found.extend(names.zip(hashes).filter(|(_, hash)| !hash.is_empty()));
        }
    }
    found
}
