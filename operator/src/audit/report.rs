//! What the audit has found: for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::findings::{Disagreement, Kind};
use super::totals::{ItemTotals, OrderTotals, PaymentTotals, UserTotals, Width};
use crate::terminal::grouped;

/// How many disagreements of a kind are shown to people.
const SHOWN_MAX: usize = 100;

/// The result of an audit.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing disagrees.
    pub clean: bool,
    /// Whether nothing was under way: then all is exact.
    pub at_rest: bool,
    /// Orders in flight at the end.
    pub in_flight: u64,
    /// Reservations held at the end, of stock and of payment.
    pub held: u64,
    /// By status.
    pub orders: OrderTotals,
    /// Sums.
    pub items: ItemTotals,
    /// Sums.
    pub users: UserTotals,
    /// By kind.
    pub payments: PaymentTotals,
    /// How far apart the bounds are.
    pub width: Width,
    /// Orders and payments that were looked at again, because they had moved in between.
    pub looked_at_again: u64,
    /// Shards of order, stock and payment.
    pub shards: [usize; 3],
    /// How often the data was read, so that it fits into memory.
    pub passes: u64,
    /// How long it took.
    pub seconds: f64,
    /// How many things disagree, by kind.
    pub counts: BTreeMap<Kind, u64>,
    /// What disagrees: up to 100,000 of a kind.
    pub disagreements: Vec<Disagreement>,
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Report { orders, items, users, payments, width, .. } = self;
        let row = |formatter: &mut Formatter<'_>, name: &str, cells: &[(&str, i128)]| {
            write!(formatter, "{name:<10}")?;
            for (what, number) in cells {
                write!(formatter, " {:>22}", format!("{what} {}", grouped(*number)))?;
            }
            writeln!(formatter)
        };
        let all = orders.open + orders.pending + orders.aborting + orders.paid;
        row(
            formatter,
            "orders",
            &[
                ("", all.into()),
                ("open", orders.open.into()),
                ("pending", orders.pending.into()),
                ("aborting", orders.aborting.into()),
                ("paid", orders.paid.into()),
            ],
        )?;
        let came = items.net + items.before;
        let count = i128::from(items.count);
        row(
            formatter,
            "items",
            &[("", count), ("net", came), ("= stock", items.stock), ("+ held", items.held), ("+ sold", items.sold)],
        )?;
        let count = i128::from(users.count);
        row(
            formatter,
            "users",
            &[
                ("", count),
                ("net", users.net),
                ("= credit", users.credit),
                ("+ held", users.held),
                ("+ charged", users.charged),
            ],
        )?;
        let count = payments.reserved + payments.checkout + payments.direct + payments.cancelled;
        row(
            formatter,
            "payments",
            &[
                ("", count.into()),
                ("reserved", payments.reserved.into()),
                ("checkout", payments.checkout.into()),
                ("direct", payments.direct.into()),
                ("cancelled", payments.cancelled.into()),
            ],
        )?;
        row(formatter, "under way", &[("in flight", self.in_flight.into()), ("held", self.held.into())])?;
        if self.at_rest {
            writeln!(formatter, "at rest: every sum is exact")?;
        } else {
            writeln!(
                formatter,
                "not at rest: sums within a shard are exact; across shards within {} units and {} of credit, over all items and users",
                grouped(width.units),
                grouped(width.credit),
            )?;
        }
        if self.users.overwritten_meanwhile > 0 {
            writeln!(
                formatter,
                "{} users were overwritten meanwhile and not judged",
                grouped(self.users.overwritten_meanwhile)
            )?;
        }
        let mut shown = (None, 0);
        for disagreement in &self.disagreements {
            if shown.0 != Some(disagreement.kind) {
                shown = (Some(disagreement.kind), 0);
                let count = self.counts.get(&disagreement.kind).copied().unwrap_or(0);
                writeln!(formatter, "\n{} ({})", name(disagreement.kind), grouped(count))?;
                if count > SHOWN_MAX as u64 {
                    writeln!(formatter, "  the first {SHOWN_MAX}; --json lists more")?;
                }
            }
            shown.1 += 1;
            if shown.1 <= SHOWN_MAX {
                writeln!(formatter, "  {}  {}", disagreement.id, disagreement.detail)?;
            }
        }
        let count: u64 = self.counts.values().sum();
        let [order, stock, payment] = self.shards;
        let things = if count == 1 { "disagreement" } else { "disagreements" };
        let verdict = if self.clean { "clean".to_owned() } else { format!("{} {things}", grouped(count)) };
        write!(
            formatter,
            "{}{verdict}: {order} order, {stock} stock and {payment} payment shards in {:.1} s",
            if self.clean { "" } else { "\n" },
            self.seconds
        )
    }
}

/// A kind for people.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::ItemUnits => "items: net is not stock + held + sold",
        Kind::ItemHeld => "items: held is not what reservations hold",
        Kind::ItemUnknown => "items that were bought and are not there",
        Kind::UserCredit => "users: net is not credit + held + charged",
        Kind::UserHeld => "users: held is not what reservations hold",
        Kind::UserUnknown => "users who were charged and are not there",
        Kind::OrderTotal => "orders: total is not the sum of the cart",
        Kind::OrderUncharged => "paid orders that were not charged their total",
        Kind::ChargeWithoutOrder => "orders that were charged and are not paid",
        Kind::OrderNotInFlight => "orders under way that are not in flight",
        Kind::StrayInFlight => "orders in flight that are not under way",
        Kind::ReservationWithoutOrder => "reservations of no order in flight",
        Kind::ReservationWithoutPayment => "reservations whose payment is not reserved",
        Kind::PaymentWithoutReservation => "payments reserved by no reservation",
        Kind::ProductWithoutItem => "products whose items are not there",
        Kind::ProductListing => "entries of lists of products that are missing or stray",
        Kind::ProductHandle => "products whose handles are not known to be theirs",
        Kind::Misplaced => "keys that are not where their ids belong",
        Kind::NotUnderstood => "records of another version, left out",
        Kind::Unreadable => "records that cannot be read, left out",
    }
}
