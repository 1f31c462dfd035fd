//! What a shop is filled with before it is measured, and the three calls that do it.

use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;

use crate::control::Control;

/// Items, users and orders, all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Items, each with `stock` units at `price`.
    pub items: u64,
    /// Units of each item.
    pub stock: u64,
    /// Price of a unit.
    pub price: u64,
    /// Users, each with `credit`.
    pub users: u64,
    /// Credit of each user.
    pub credit: u64,
    /// Orders, each of two random items for a random user.
    pub orders: u64,
}

/// One batch_init.
#[derive(Debug, Serialize)]
pub struct Call {
    /// What was loaded: items, users, orders.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// From the request to its answer, in seconds.
    pub seconds: f64,
}

impl Fill {
    /// Overwrites what the shop holds, one batch_init after another.
    ///
    /// # Errors
    /// The shop refuses one or does not answer: the calls before it are done.
    pub async fn load(&self, control: &mut Control) -> Result<Vec<Call>, String> {
        let Self { items, stock, price, users, credit, orders } = self;
        let mut calls = Vec::new();
        for (what, count, path) in [
            ("items", items, format!("/stock/batch_init/{items}/{stock}/{price}")),
            ("users", users, format!("/payment/batch_init/{users}/{credit}")),
            ("orders", orders, format!("/orders/batch_init/{orders}/{items}/{users}/{price}")),
        ] {
            let spinner = ProgressBar::new_spinner().with_message(format!("loading {what}"));
            spinner.enable_steady_tick(Duration::from_millis(200));
            let took = control.batch_init(&path).await?;
            spinner.finish_and_clear();
            calls.push(Call { what, count: *count, seconds: took.as_secs_f64() });
        }
        Ok(calls)
    }
}
