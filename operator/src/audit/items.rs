//! The books of the items: what stock says has been sold against what paid orders have bought.
//!
//! Stock is read before and after the orders. What it says is sold only grows, and so does what paid orders have bought;
//! between the two lies what is decided and not settled yet. So each count of the orders has a lower and an upper bound,
//! and when nothing moves they are one number.

use std::collections::HashMap;

use serde_json::json;
use shardcart_stock::audit::Units;

use super::findings::{Findings, Kind};
use super::ids::{Id, Names};
use super::totals::ItemTotals;

#[derive(Debug, Default)]
struct Item {
    /// The least that orders have bought, by the first reading of stock.
    least: i64,
    /// What orders have bought, with what was overwritten before they were read.
    bought: i64,
    /// The same with what was overwritten after they were read.
    bought_most: i64,
    is_compared: bool,
}

/// The items of one slice.
#[derive(Debug, Default)]
pub struct Items {
    items: HashMap<Id, Item>,
    /// Units that reservations of paid orders hold, or of orders of which nothing is known: not settled yet.
    unsettled: HashMap<Id, i64>,
}

impl Items {
    /// First reading: what stock says is gone.
    pub fn opened(&mut self, id: Id, gone: i64) {
        self.items.entry(id).or_default().least = gone;
    }

    /// First reading: a paid order holds units that it has not settled yet.
    pub fn opened_unsettled(&mut self, id: Id, units: i64) {
        if let Some(item) = self.items.get_mut(&id) {
            item.least = item.least.saturating_add(units);
        }
    }

    /// An order has bought units.
    pub fn bought(&mut self, id: Id, units: i64) {
        let item = self.items.entry(id).or_default();
        item.bought = item.bought.saturating_add(units);
        item.bought_most = item.bought_most.saturating_add(units);
    }

    /// What overwritten orders of one shard had bought, before the orders are read.
    pub fn overwritten_before(&mut self, id: Id, units: i64) {
        let item = self.items.entry(id).or_default();
        item.bought = item.bought.saturating_add(units);
    }

    /// The same after that: orders that were overwritten meanwhile were counted before, or not.
    pub fn overwritten_after(&mut self, id: Id, units: i64) {
        let item = self.items.entry(id).or_default();
        item.bought_most = item.bought_most.saturating_add(units);
    }

    /// Second reading: an order that is paid, or of which nothing is known, holds units.
    pub fn unsettled(&mut self, id: Id, units: i64) {
        let held = self.unsettled.entry(id).or_default();
        *held = held.saturating_add(units);
    }

    /// An item that is left out: its record is not understood.
    pub fn left_out(&mut self, id: Id) {
        self.items.entry(id).or_default().is_compared = true;
    }

    /// Second reading: compares what stock says with what orders have bought.
    pub fn compare(&mut self, names: &Names, id: Id, units: Units, totals: &mut ItemTotals, findings: &Findings) {
        let item = self.items.entry(id).or_default();
        if std::mem::replace(&mut item.is_compared, true) {
            return;
        }
        let unsettled = self.unsettled.get(&id).copied().unwrap_or(0);
        let most = units.gone().saturating_add(unsettled);
        let sold = item.bought.saturating_sub(unsettled);
        let meanwhile = item.bought_most.saturating_sub(item.bought);
        totals.add(units, sold, most.saturating_sub(item.least).saturating_add(meanwhile));
        // Of two bounds the nearer is told.
        let expected = if item.bought_most < item.least {
            item.least
        } else if item.bought > most {
            most
        } else {
            return;
        };
        let Units { stock, held, net, before } = units;
        let short = expected.saturating_sub(item.bought);
        let came = if before == 0 { format!("net {net}") } else { format!("net {net} + before {before}") };
        let wrong = if short > 0 { format!("{short} lost") } else { format!("{} too many", short.saturating_neg()) };
        findings.add(
            Kind::ItemUnits,
            &names.text(id),
            json!(net.saturating_add(before)),
            json!(net.saturating_add(before).saturating_sub(short)),
            format!("{came}, but stock {stock} + held {held} + sold {sold}: {wrong}"),
        );
    }

    /// Items that paid orders have bought and stock has never heard of.
    pub fn missing(&self) -> Vec<(Id, i64)> {
        let missing = self.items.iter().filter(|(_, item)| !item.is_compared && item.bought != 0);
        missing.map(|(id, item)| (*id, item.bought)).collect()
    }
}
