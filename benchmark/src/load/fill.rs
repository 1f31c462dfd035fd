//! What a shop is filled with before it is measured: by three batch_init calls, or record by record where these are
//! forbidden.

use std::cell::RefCell;
use std::fmt::{Display, Formatter};
use std::time::Instant;

use serde::Serialize;
use shardcart_harness::Service;

use crate::load::calls::{Call, Mix};
use crate::shop::control::Control;
use crate::waiting::during;

/// Largest amount the shop takes: 2^53-1.
pub const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// Units of an item, or credit of a user, that no run takes: an hour of 250,000 calls a second is less.
const LASTS: u64 = 1_000_000_000;

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
    /// Orders, each of random items for a random user.
    pub orders: u64,
    /// Random items in each order, one unit of each. batch_init knows 2 alone.
    pub lines: u64,
}

/// How the data is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// Three batch_init calls. They overwrite what has the same ids, and may be forbidden.
    Batch,
    /// The calls that every client may make, one record after another. Nothing is overwritten.
    Plain,
}

/// The ids of what was loaded, by number.
#[derive(Debug, Clone)]
pub enum Ids {
    /// `0`, `1`, `2` …
    Numbers(u64),
    /// As the shop made them.
    Minted(Vec<Box<str>>),
}

/// One id.
pub enum Id<'a> {
    /// A number.
    Number(u64),
    /// As the shop made it.
    Minted(&'a str),
}

impl Ids {
    /// How many.
    pub fn len(&self) -> u64 {
        match self {
            Self::Numbers(count) => *count,
            Self::Minted(ids) => ids.len() as u64,
        }
    }

    /// The `at`-th of them, which must exist.
    pub fn get(&self, at: u64) -> Id<'_> {
        match self {
            Self::Numbers(_) => Id::Number(at),
            Self::Minted(ids) => Id::Minted(&ids[at as usize]),
        }
    }

    /// One of them by chance.
    ///
    /// # Panics
    /// When there are none.
    pub fn any(&self) -> Id<'_> {
        self.get(fastrand::u64(0..self.len()))
    }
}

impl Display for Id<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Minted(id) => id.fmt(out),
        }
    }
}

/// What a shop was filled with.
#[derive(Debug, Clone)]
pub struct Goods {
    /// Items.
    pub items: Ids,
    /// Users.
    pub users: Ids,
    /// Orders.
    pub orders: Ids,
}

/// One step of loading.
#[derive(Debug, Serialize)]
pub struct Loading {
    /// What was loaded: items, users, orders.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// From its first request to its last answer, in seconds.
    pub seconds: f64,
}

impl Fill {
    /// Items and users with so much stock and credit that nothing is ever refused for lack of it.
    ///
    /// # Errors
    /// That is more than the shop can count.
    pub fn plenty(items: u64, users: u64, price: u64, orders: u64, lines: u64) -> Result<Self, String> {
        let stock = orders.saturating_mul(lines);
        let credit = stock.saturating_mul(price);
        if credit.max(stock) > AMOUNT_MAX {
            return Err("so many checkouts at this price need more credit than a user can have".to_owned());
        }
        Ok(Self { items, stock, price, users, credit, orders, lines })
    }

    /// The same with enough for calls that take from it beyond the checkouts of loaded orders: nobody knows beforehand how
    /// many of them there will be.
    #[must_use]
    pub fn lasting(self, mix: &Mix) -> Self {
        let stock = if mix.has(Call::Purchase) || mix.has(Call::Subtract) { LASTS } else { 0 };
        let credit = if mix.has(Call::Pay) { LASTS } else { 0 };
        Self { stock: self.stock.max(stock), credit: self.credit.max(credit), ..self }
    }

    /// Loads it.
    ///
    /// # Errors
    /// The shop refuses a call or does not answer: what was loaded before stays.
    pub async fn load(&self, how: How, control: &mut Control) -> Result<(Goods, Vec<Loading>), String> {
        match how {
            How::Batch if self.lines != 2 => Err("batch_init makes orders of two items only".to_owned()),
            How::Batch => self.batch(control).await,
            How::Plain => self.plain(control).await,
        }
    }

    async fn batch(&self, control: &mut Control) -> Result<(Goods, Vec<Loading>), String> {
        let Self { items, stock, price, users, credit, orders, .. } = self;
        let mut loadings = Vec::new();
        for (what, service, count, path) in [
            ("items", Service::Stock, items, format!("/batch_init/{items}/{stock}/{price}")),
            ("users", Service::Payment, users, format!("/batch_init/{users}/{credit}")),
            ("orders", Service::Order, orders, format!("/batch_init/{orders}/{items}/{users}/{price}")),
        ] {
            let took = during(&format!("loading {what}"), control.batch_init(service, &path)).await?;
            loadings.push(Loading { what, count: *count, seconds: took.as_secs_f64() });
        }
        let goods = Goods { items: Ids::Numbers(*items), users: Ids::Numbers(*users), orders: Ids::Numbers(*orders) };
        Ok((goods, loadings))
    }

    async fn plain(&self, control: &mut Control) -> Result<(Goods, Vec<Loading>), String> {
        let &Self { stock, price, credit, lines, .. } = self;
        let mut loadings = Vec::new();
        let items = one_by_one("items", self.items, control, &mut loadings, async |control| {
            let item = control.create(Service::Stock, format_args!("/item/create/{price}")).await?;
            control.post(Service::Stock, format_args!("/add/{item}/{stock}")).await?;
            Ok(item)
        });
        let items = items.await?;
        let users = one_by_one("users", self.users, control, &mut loadings, async |control| {
            let user = control.create(Service::Payment, format_args!("/create_user")).await?;
            control.post(Service::Payment, format_args!("/add_funds/{user}/{credit}")).await?;
            Ok(user)
        });
        let users = users.await?;
        if self.orders > 0 && (items.len() < lines || users.len() == 0) {
            return Err("orders need users, and as many items as each has lines".to_owned());
        }
        let orders = one_by_one("orders", self.orders, control, &mut loadings, async |control| {
            let order = control.create(Service::Order, format_args!("/create/{}", users.any())).await?;
            for at in distinct(lines, items.len()) {
                control.post(Service::Order, format_args!("/addItem/{order}/{}/1", items.get(at))).await?;
            }
            Ok(order)
        });
        let orders = orders.await?;
        Ok((Goods { items, users, orders }, loadings))
    }
}

/// So many different numbers below `below`, which must not be fewer.
fn distinct(count: u64, below: u64) -> Vec<u64> {
    let mut drawn: Vec<u64> = Vec::new();
    while (drawn.len() as u64) < count {
        let at = fastrand::u64(0..below);
        if !drawn.contains(&at) {
            drawn.push(at);
        }
    }
    drawn
}

async fn one_by_one(
    what: &'static str,
    count: u64,
    control: &Control,
    loadings: &mut Vec<Loading>,
    make: impl AsyncFn(&mut Control) -> Result<Box<str>, String>,
) -> Result<Ids, String> {
    let begun = Instant::now();
    let made = RefCell::new(Vec::new());
    let done = control.each(count, async |_, control| {
        let id = make(control).await?;
        made.borrow_mut().push(id);
        Ok(())
    });
    during(&format!("loading {count} {what} one by one"), done).await?;
    loadings.push(Loading { what, count, seconds: begun.elapsed().as_secs_f64() });
    Ok(Ids::Minted(made.into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_without_end_finds_enough() {
        let fill = Fill::plenty(3, 3, 1, 10, 2).unwrap();
        let lasting = |mix: &str| {
            let fill = fill.lasting(&mix.parse().unwrap());
            (fill.stock, fill.credit)
        };
        assert_eq!(lasting("checkout,find_item"), (20, 20));
        assert_eq!(lasting("purchase"), (LASTS, 20));
        assert_eq!(lasting("subtract,pay"), (LASTS, LASTS));
    }
}
