//! What lies in Redis, read past the services: for what no endpoint tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncTypedCommands, cmd};
use futures_util::future::join_all;

use crate::ids;
use crate::redis::connect;
use crate::redis::record::{self, Fields};
use crate::service::Service;
use crate::wait::eventually;

/// The shards of the three services, by their position in the address lists.
#[derive(Debug, Clone)]
pub struct Data {
    /// `redis` URLs, by [`Service::index`] and shard.
    shards: [Vec<String>; 3],
}

/// All units of an item or all credit of a user: free, and held by undecided attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// What can be bought, or spent, now.
    pub free: u64,
    /// What undecided attempts hold.
    pub held: u64,
}

impl Amounts {
    /// Those of a stored item or user; `free` is the field that says what is free.
    pub fn of(record: &Fields, free: &str) -> Amounts {
        let number = |field: &str| match record.get(field) {
            Some(text) => text.parse().unwrap_or_else(|_| panic!("{field} is {text:?}, not an amount")),
            None => 0,
        };
        Amounts { free: number(free), held: number("held") }
    }
}

impl Data {
    /// Knows the shards by their `redis` URLs, in the order of [`Service::ALL`].
    pub fn new(shards: [Vec<String>; 3]) -> Data {
        Data { shards }
    }

    /// How many shards a service has.
    pub fn shard_count(&self, service: Service) -> usize {
        self.shards[service.index()].len()
    }

    /// The addresses of a service's shards, as the settings of the programs take them.
    pub fn addresses(&self, service: Service) -> Vec<String> {
        let address = |url: &String| match url.strip_prefix("redis+unix://") {
            Some(path) => format!("unix:{path}"),
            None => url.trim_start_matches("redis://").to_owned(),
        };
        self.shards[service.index()].iter().map(address).collect()
    }

    /// A connection to one shard.
    pub async fn shard(&self, service: Service, shard: usize) -> MultiplexedConnection {
        connect(&self.shards[service.index()][shard]).await
    }

    /// The keys of one shard that match a pattern of `KEYS`.
    pub async fn keys(&self, service: Service, shard: usize, pattern: &str) -> BTreeSet<String> {
        let mut shard = self.shard(service, shard).await;
        shard.keys(pattern).await.expect("a running Redis lists its keys").into_iter().collect()
    }

    /// All keys of a service that match a pattern, each with its shard.
    pub async fn all_keys(&self, service: Service, pattern: &str) -> Vec<(usize, String)> {
        let shards = 0..self.shard_count(service);
        let keys = join_all(shards.map(|shard| self.keys(service, shard, pattern))).await;
        let numbered = keys.into_iter().enumerate();
        numbered.flat_map(|(shard, keys)| keys.into_iter().map(move |key| (shard, key))).collect()
    }

    /// The shard on which `{…}:<kind>:<id>` lies, if it exists.
    pub async fn home(&self, service: Service, kind: &str, id: &str) -> Option<usize> {
        let found = self.all_keys(service, &format!("*:{kind}:{id}")).await;
        assert!(found.len() <= 1, "{kind} {id} exists more than once: {found:?}");
        found.first().map(|(shard, _)| *shard)
    }

    /// The records of all keys that match a pattern, by key, over all shards of a service.
    pub async fn records(&self, service: Service, pattern: &str) -> BTreeMap<String, Fields> {
        let mut records = BTreeMap::new();
        for shard in 0..self.shard_count(service) {
            let keys: Vec<String> = self.keys(service, shard, pattern).await.into_iter().collect();
            let found = record::read(&mut self.shard(service, shard).await, &keys).await;
            records.extend(keys.into_iter().zip(found));
        }
        records
    }

    /// The stored fields of `{…}:<kind>:<id>`; none when it does not exist.
    pub async fn record(&self, service: Service, kind: &str, id: &str) -> Fields {
        self.records(service, &format!("*:{kind}:{id}")).await.into_values().next().unwrap_or_default()
    }

    /// The stored status of an order: `open`, `pending`, `aborting`, `paid`.
    pub async fn order_status(&self, order: &str) -> String {
        self.record(Service::Order, "order", order).await.remove("status").unwrap_or_default()
    }

    /// All units of one item.
    pub async fn units(&self, item: &str) -> Amounts {
        Amounts::of(&self.record(Service::Stock, "item", item).await, "stock")
    }

    /// All credit of one user.
    pub async fn credit(&self, user: &str) -> Amounts {
        Amounts::of(&self.record(Service::Payment, "user", user).await, "credit")
    }

    /// All units of all items.
    pub async fn units_in_all(&self) -> Amounts {
        sum(&self.records(Service::Stock, "*:item:*").await, "stock")
    }

    /// All credit of all users.
    pub async fn credit_in_all(&self) -> Amounts {
        sum(&self.records(Service::Payment, "*:user:*").await, "credit")
    }

    /// The keys of everything that is begun and not yet settled: `inflight` of order, `held` of
    /// stock and payment.
    pub async fn unsettled(&self) -> Vec<String> {
        let mut unsettled = Vec::new();
        for (service, pattern) in
            [(Service::Order, "*:inflight"), (Service::Stock, "*:held"), (Service::Payment, "*:held")]
        {
            let keys = self.all_keys(service, pattern).await;
            unsettled.extend(keys.into_iter().map(|(shard, key)| format!("{service} {shard} {key}")));
        }
        unsettled
    }

    /// What is begun and not yet settled, each as its service, shard, and order's key or attempt. Costs the same however
    /// much is stored: for a system that is checked again and again.
    ///
    /// # Errors
    /// A shard that does not answer.
    pub async fn in_flight(&self) -> ::redis::RedisResult<Vec<String>> {
        let mut found = Vec::new();
        for service in Service::ALL {
            for shard in 0..self.shard_count(service) {
                let mut connection = self.shard(service, shard).await;
                let (kind, listed) = match service {
                    Service::Order => {
                        ("inflight", connection.zrange(ids::own_key(service, shard, "inflight"), 0, -1).await?)
                    }
                    _ => ("held", connection.hkeys(ids::own_key(service, shard, "held")).await?),
                };
                found.extend(listed.into_iter().map(|id| format!("{service} {kind} {shard} {id}")));
            }
        }
        Ok(found)
    }

    /// Waits until everything that was begun is settled; then nothing may be held.
    ///
    /// # Panics
    /// After `within`, or when something is held all the same.
    pub async fn settled(&self, within: Duration) {
        let mut left = Vec::new();
        let start = std::time::Instant::now();
        while start.elapsed() < within {
            left = self.unsettled().await;
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(crate::wait::PAUSE).await;
        }
        assert!(left.is_empty(), "not settled within {within:?}: {left:?}");
        assert_eq!(self.units_in_all().await.held, 0, "units are held by nobody");
        assert_eq!(self.credit_in_all().await.held, 0, "credit is held by nobody");
    }

    /// Waits until an order has one of these stored statuses, and returns which.
    pub async fn order_becomes(&self, order: &str, wanted: &[&str], within: Duration) -> String {
        eventually(format!("order {order} is {wanted:?}"), within, async || {
            let status = self.order_status(order).await;
            wanted.contains(&status.as_str()).then_some(status)
        })
        .await
    }

    /// Leaves an order of a shard as a coordinator does that has died after begin: pending, its lease over.
    ///
    /// # Panics
    /// When there is no such order there.
    pub async fn abandon(&self, shard: usize, order: &str) {
        let key = self.keys(Service::Order, shard, &format!("*:order:{order}")).await.pop_first();
        let key = key.expect("the order is on this shard");
        let mut connection = self.shard(Service::Order, shard).await;
        record::set(&mut connection, &key, &[("status", "pending"), ("deadline", "1"), ("lease", "1")]).await;
        let listed = connection.zadd(ids::own_key(Service::Order, shard, "inflight"), key, 0).await;
        listed.expect("a running Redis takes it");
    }

    /// Waits until nothing of an order is in flight.
    pub async fn order_settles(&self, order: &str, within: Duration) {
        eventually(format!("order {order} is settled"), within, async || {
            let in_flight = self.in_flight().await.expect("running shards answer");
            let is_of_order = |entry: &String| entry.ends_with(&format!(":order:{order}"));
            (!in_flight.iter().any(is_of_order)).then_some(())
        })
        .await;
    }

    /// Sends one command to every shard of every service.
    pub async fn everywhere(&self, command: &[&str]) {
        for service in Service::ALL {
            for shard in 0..self.shard_count(service) {
                let mut shard = self.shard(service, shard).await;
                let mut call = cmd(command[0]);
                call.arg(&command[1..]);
                let done: ::redis::RedisResult<::redis::Value> = call.query_async(&mut shard).await;
                done.unwrap_or_else(|error| panic!("{command:?}: {error}"));
            }
        }
    }
}

fn sum(records: &BTreeMap<String, Fields>, free: &str) -> Amounts {
    records
        .values()
        .map(|record| Amounts::of(record, free))
        .fold(Amounts::default(), |all, one| Amounts { free: all.free + one.free, held: all.held + one.held })
}
