//! The plan of an attempt: which shards take part in it, and what each is asked to hold.

use std::collections::BTreeMap;

use shardcart_protocol::participant::Step;
use shardcart_types::ids::ItemId;
use shardcart_types::service::Service;

use crate::attempt::Attempt;

/// What one stock shard is asked to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockPart {
    /// The shard.
    pub shard: u16,
    /// Items and units.
    pub lines: Vec<(ItemId, u64)>,
}

/// What the user's payment shard is asked to hold: the whole sum of the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentPart {
    /// The shard.
    pub shard: u16,
}

/// All shards that take part in an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Each stock shard that the cart touches. They are asked first, in parallel.
    pub stock: Vec<StockPart>,
    /// The user's payment shard. It is asked when everything in stock is held.
    pub payment: PaymentPart,
}

/// One part of a plan, whichever participant it is for.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Of stock.
    Stock(&'a StockPart),
    /// Of payment.
    Payment(&'a PaymentPart),
}

impl Plan {
    /// Plans an attempt, by how items and users are spread over the shards of stock and payment.
    pub fn new(attempt: &Attempt, item_shard: impl Fn(&str) -> u16, user_shard: impl Fn(&str) -> u16) -> Self {
        let mut stock: BTreeMap<u16, StockPart> = BTreeMap::new();
        for (item, units) in &attempt.lines {
            let shard = item_shard(item.as_str());
            let part = stock.entry(shard).or_insert(StockPart { shard, lines: Vec::new() });
            part.lines.push((item.clone(), *units));
        }
        let payment = PaymentPart { shard: user_shard(attempt.user.as_str()) };
        Plan { stock: stock.into_values().collect(), payment }
    }

    /// All parts, those of stock first.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.stock.iter().map(Part::Stock).chain([Part::Payment(&self.payment)])
    }
}

impl Part<'_> {
    /// Which participant it is for.
    pub fn service(self) -> Service {
        match self {
            Part::Stock(_) => Service::Stock,
            Part::Payment(_) => Service::Payment,
        }
    }

    /// The shard that is asked.
    pub fn shard(self) -> u16 {
        match self {
            Part::Stock(part) => part.shard,
            Part::Payment(part) => part.shard,
        }
    }

    /// What the shard is asked to hold for the attempt that was planned.
    pub fn reserve(self, attempt: &Attempt) -> Step {
        match self {
            Part::Stock(part) => Step::ReserveStock { order: attempt.order.clone(), lines: part.lines.clone() },
            Part::Payment(_) => Step::ReserveCredit {
                order: attempt.order.clone(),
                incarnation: attempt.incarnation.clone(),
                user: attempt.user.clone(),
                amount: attempt.total,
            },
        }
    }
}
