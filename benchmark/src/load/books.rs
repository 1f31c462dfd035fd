//! A check of the answers against the stores: what was taken must be what was answered.
//!
//! A rate is worth nothing if the checkouts behind it did not happen, so the stock and credit left are added up
//! after the measurement.

use std::cell::Cell;

use serde::{Deserialize, Serialize};
use shardcart_harness::Service;

use crate::load::fill::{Fill, Goods};
use crate::shop::control::Control;

/// Above this many items and users together the sums are not read: it would take longer than the measurement.
const RECORDS_MAX: u64 = 20_000;

/// What the shop was filled with, and how much of it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Units of stock gone. Negative if there are more than at first.
    pub units_taken: i64,
    /// Credit gone. Negative if there is more than at first.
    pub credit_taken: i64,
    /// Checkouts that this means.
    pub checkouts: i64,
    /// Whether it agrees with the answers.
    pub balanced: bool,
}

/// What `find` tells of an item.
#[derive(Debug, Deserialize)]
pub struct Item {
    /// Units that can be bought.
    pub stock: u64,
}

/// What `find_user` tells of a user.
#[derive(Debug, Deserialize)]
pub struct User {
    /// What is left.
    pub credit: u64,
}

impl Books {
    /// Adds up what is left; `None` where that is too much to read.
    ///
    /// `committed` checkouts were answered 2xx, `unknown` more may have happened. `drained` credit was taken otherwise.
    ///
    /// # Errors
    /// A record could not be read.
    pub async fn check(
        fill: &Fill,
        goods: &Goods,
        control: &Control,
        committed: u64,
        unknown: u64,
        drained: u64,
    ) -> Result<Option<Self>, String> {
        if goods.items.len().saturating_add(goods.users.len()) > RECORDS_MAX {
            return Ok(None);
        }
        let (stock_left, credit_left) = (Cell::new(0_u128), Cell::new(u128::from(drained)));
        let items = control.each(goods.items.len(), async |at, control| {
            let item: Item = control.find(Service::Stock, format_args!("/find/{}", goods.items.get(at))).await?;
            stock_left.set(stock_left.get() + u128::from(item.stock));
            Ok(())
        });
        items.await?;
        let users = control.each(goods.users.len(), async |at, control| {
            let user: User = control.find(Service::Payment, format_args!("/find_user/{}", goods.users.get(at))).await?;
            credit_left.set(credit_left.get() + u128::from(user.credit));
            Ok(())
        });
        users.await?;
        Ok(Some(Self::of(fill, stock_left.get(), credit_left.get(), committed, unknown)))
    }

    fn of(fill: &Fill, stock_left: u128, credit_left: u128, committed: u64, unknown: u64) -> Self {
        let gone = |count: u64, each: u64, left: u128| {
            let filled = u128::from(count) * u128::from(each);
            i64::try_from(filled.cast_signed() - left.cast_signed()).unwrap_or(i64::MAX)
        };
        let units_taken = gone(fill.items, fill.stock, stock_left);
        let credit_taken = gone(fill.users, fill.credit, credit_left);
        let lines = i64::try_from(fill.lines.max(1)).unwrap_or(i64::MAX);
        let possible = i128::from(committed)..=i128::from(committed) + i128::from(unknown);
        let balanced = units_taken % lines == 0
            && possible.contains(&i128::from(units_taken / lines))
            && i128::from(credit_taken) == i128::from(units_taken) * i128::from(fill.price);
        Self { units_taken, credit_taken, checkouts: units_taken / lines, balanced }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILL: Fill = Fill { items: 10, stock: 100, price: 3, users: 5, credit: 1000, orders: 7, lines: 2 };

    fn balanced(stock_left: u128, credit_left: u128, committed: u64, unknown: u64) -> bool {
        Books::of(&FILL, stock_left, credit_left, committed, unknown).balanced
    }

    #[test]
    fn two_units_and_their_price_for_each_committed_checkout() {
        assert!(balanced(1000, 5000, 0, 0));
        assert!(balanced(1000 - 2 * 7, 5000 - 6 * 7, 7, 0));
    }

    #[test]
    fn an_unknown_outcome_may_have_happened_or_not() {
        for happened in 0..=2 {
            assert!(balanced(1000 - 2 * (7 + happened), 5000 - 6 * (7 + u128::from(happened as u64)), 7, 2));
        }
        assert!(!balanced(1000 - 2 * 10, 5000 - 6 * 10, 7, 2));
    }

    #[test]
    fn lost_or_created_units_and_credit_are_found() {
        assert!(!balanced(1000 - 13, 5000 - 42, 7, 0));
        assert!(!balanced(1000 - 14, 5000 - 41, 7, 0));
        assert!(!balanced(1000 - 12, 5000 - 36, 7, 0));
        assert!(!balanced(1000 - 16, 5000 - 48, 7, 0));
        assert!(!balanced(1001, 5000, 0, 0));
    }
}
