//! Reading the order shards: orders with their carts, and what overwritten orders had bought.

use std::cell::RefCell;
use std::collections::HashSet;

use futures_util::future::try_join_all;
use serde_json::json;
use shardcart_order::audit::{self as orders, Found};
use shardcart_schema::order::OrderStatus;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::check;

use super::super::entries;
use super::super::findings::Kind;
use super::super::ids::{Id, Slice};
use super::super::keys::home_id;
use super::super::shard_failed;
use super::{Done, Pass};

impl Pass<'_> {
    pub(super) async fn read_orders(&self) -> Done {
        self.read_overwritten(false).await?;
        // Each order must be counted once, though it may be listed twice: a slice of orders is remembered at a time.
        for part in self.slice.all() {
            let others = RefCell::new(HashSet::new());
            let (others, shards) = (&others, &*self.source.order);
            try_join_all(shards.iter().map(|shard| async move {
                let read = |mut keys: Vec<String>| async move {
                    let all = keys.len();
                    keys.retain(|key| {
                        home_id(shards, shard, key).is_some()
                            && orders::id(key).is_some_and(|id| part.has(self.names.id(id)))
                    });
                    if !keys.is_empty() {
                        let ids: Vec<_> = keys.iter().filter_map(|key| orders::id(key)).collect();
                        for (id, found) in ids.iter().zip(orders::read(shard, &ids).await?) {
                            self.read_order(id, &found, part, &mut others.borrow_mut());
                        }
                    }
                    self.progress.add(all);
                    Ok::<_, ShardError>(())
                };
                orders::scan(shard, read).await
            }))
            .await
            .map_err(shard_failed("order"))?;
        }
        self.read_overwritten(true).await
    }

    fn read_order(&self, id: &str, found: &Found, part: Slice, others: &mut HashSet<Id>) {
        let is_mine = part == self.slice;
        let short = self.names.id(id);
        let record = match found {
            Found::Absent => return,
            Found::Order(record) => Some(record),
            Found::Newer | Found::Unreadable(_) => None,
        };
        let is_new =
            if is_mine { self.orders.borrow_mut().add(self.names, short, record) } else { others.insert(short) };
        if !is_new {
            return;
        }
        if let Some(record) = record.filter(|record| record.is_paid()) {
            let mut items = self.items.borrow_mut();
            for (item, units, _) in &record.lines {
                let item = self.names.id(item);
                if self.slice.has(item) {
                    items.bought(item, *units);
                }
            }
        }
        if !is_mine {
            return;
        }
        match found {
            Found::Absent => {}
            Found::Newer => self.odd_record(Kind::NotUnderstood, "order", id, "another version"),
            Found::Unreadable(why) => self.odd_record(Kind::Unreadable, "order", id, why),
            Found::Order(record) => {
                self.totals.borrow_mut().orders.add(record.status);
                self.findings.faults("order", id, record.faults.clone());
                let sum = record.sum();
                if i128::from(record.total) != sum {
                    let detail = format!("total {}, but its cart adds up to {sum}", record.total);
                    self.findings.add(Kind::OrderTotal, id, json!(sum), json!(record.total), detail);
                }
                if !record.in_flight && matches!(record.status, OrderStatus::Pending | OrderStatus::Aborting) {
                    let detail = format!("{} with attempt {}, and not listed as in flight", record.status, record.tx);
                    self.findings.add(Kind::OrderNotInFlight, id, "in flight", "not listed", detail);
                }
            }
        }
    }

    /// What overwritten orders had bought: once before and once after the orders are read. What is more the second time
    /// belongs to orders that were overwritten meanwhile, and may have been counted before that, or not.
    async fn read_overwritten(&self, is_second: bool) -> Done {
        let read = try_join_all(self.source.order.iter().map(orders::overwritten)).await;
        let overwritten = read.map_err(shard_failed("order"))?;
        let mut items = self.items.borrow_mut();
        for (item, units) in overwritten.into_iter().flatten() {
            let id = self.names.id(&item);
            if self.slice.has(id) {
                if !(entries::is_whole(&units) && check(&item).is_ok()) {
                    let detail = format!("overwritten orders had bought {units} of item {item}, expected an amount");
                    self.findings.add(Kind::InvalidField, &item, "an amount", units.as_str(), detail);
                }
                let units = units.parse().unwrap_or(0);
                if is_second { items.overwritten_after(id, units) } else { items.overwritten_before(id, units) }
            }
        }
        Ok(())
    }
}
