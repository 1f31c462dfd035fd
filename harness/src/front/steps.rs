//! Steps that most tests begin or end with; each panics where an answer is not a success.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::Front;
use crate::ids;

/// How many requests [`Front::each`] has under way at a time.
const ABREAST: usize = 32;

/// An order as `find` answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whether it has been paid.
    pub paid: bool,
    /// Whose it is.
    pub user: String,
    /// Quantities by item.
    pub items: BTreeMap<String, u64>,
    /// What a checkout charges.
    pub total_cost: u64,
}

impl Front {
    /// A new user with credit.
    pub async fn user_with(&self, credit: u64) -> String {
        let user = self.create_user().await.text("user_id");
        self.add_funds(&user, credit).await.ok();
        user
    }

    /// A new item with stock.
    pub async fn item_with(&self, stock: u64, price: u64) -> String {
        let item = self.create_item(price).await.text("item_id");
        self.add_stock(&item, stock).await.ok();
        item
    }

    /// New items until there are so many on each of the shards; those are returned, in the order
    /// of the shards.
    pub async fn items_on_all_shards(&self, shards: usize, each: usize, stock: u64, price: u64) -> Vec<String> {
        let mut found = vec![Vec::new(); shards];
        for _ in 0..100 * shards * each {
            // Nothing but creations in this loop: a proxy that takes turns would let one machine
            // make all the items, and another add all the stock.
            let item = self.create_item(price).await.text("item_id");
            let shard = &mut found[ids::shard(&item)];
            if shard.len() < each {
                shard.push(item);
            }
            if found.iter().all(|shard| shard.len() == each) {
                let items = found.concat();
                for item in &items {
                    self.add_stock(item, stock).await.ok();
                }
                return items;
            }
        }
        panic!("new items do not come on all shards: {found:?}");
    }

    /// A new order with these quantities of these items.
    pub async fn order_of(&self, user: &str, lines: &[(&str, u64)]) -> String {
        let order = self.create_order(user).await.text("order_id");
        for (item, quantity) in lines {
            self.add_item(&order, item, *quantity).await.ok();
        }
        order
    }

    /// What is left of an item.
    pub async fn stock_of(&self, item: &str) -> u64 {
        self.find_item(item).await.number("stock")
    }

    /// What is left of a user's credit.
    pub async fn credit_of(&self, user: &str) -> u64 {
        self.find_user(user).await.number("credit")
    }

    /// Whether an order counts as paid, as order tells it.
    pub async fn is_paid(&self, order: &str) -> bool {
        self.order(order).await.paid
    }

    /// Whether an order counts as paid, as payment tells it.
    pub async fn has_payment(&self, user: &str, order: &str) -> bool {
        self.status(user, order).await.ok()["paid"].as_bool().expect("`paid` is true or false")
    }

    /// An order as it stands.
    pub async fn order(&self, order: &str) -> Order {
        let body = self.find_order(order).await.ok();
        let lines = body["items"].as_array().expect("`items` is a list");
        let line = |line: &Value| {
            let item = line[0].as_str().expect("a line begins with an item").to_owned();
            (item, line[1].as_u64().expect("a line ends with a quantity"))
        };
        Order {
            paid: body["paid"].as_bool().expect("`paid` is true or false"),
            user: body["user_id"].as_str().expect("`user_id` is text").to_owned(),
            items: lines.iter().map(line).collect(),
            total_cost: body["total_cost"].as_u64().expect("`total_cost` is a number"),
        }
    }

    /// Runs something for each of many, some at a time, and returns the results in order.
    pub async fn each<A, T, F>(&self, all: impl IntoIterator<Item = A>, run: impl Fn(A) -> F) -> Vec<T>
    where
        F: Future<Output = T>,
    {
        stream::iter(all).map(run).buffered(ABREAST).collect().await
    }

    /// Starts everything at once, each as a task of its own, and returns the results in order.
    pub async fn at_once<A, T, F>(&self, all: impl IntoIterator<Item = A>, run: impl Fn(Front, A) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let tasks: Vec<_> = all.into_iter().map(|one| tokio::spawn(run(self.clone(), one))).collect();
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.expect("the task does not panic"));
        }
        results
    }
}
