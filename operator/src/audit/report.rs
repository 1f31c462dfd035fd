//! What the audit has found: for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use shardcart_payment::audit::Purse;
use shardcart_schema::order::OrderStatus;
use shardcart_stock::audit::Units;

use super::findings::{Disagreement, Kind};

/// How many disagreements of a kind are shown to people.
const SHOWN_MAX: usize = 100;

/// Sums over all items, in units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ItemTotals {
    /// How many items.
    pub count: u64,
    /// Added minus taken out directly.
    pub net: i128,
    /// Sold before `batch_init` overwrote them.
    pub before: i128,
    /// Can be bought now.
    pub stock: i128,
    /// Held by attempts.
    pub held: i128,
    /// Bought by paid orders, and settled.
    pub sold: i128,
    #[serde(skip)]
    pub(super) width: i128,
}

impl ItemTotals {
    pub(super) fn add(&mut self, units: Units, sold: i64, width: i64) {
        self.count += 1;
        self.net += i128::from(units.net);
        self.before += i128::from(units.before);
        self.stock += i128::from(units.stock);
        self.held += i128::from(units.held);
        self.sold += i128::from(sold);
        self.width += i128::from(width.max(0));
    }
}

/// Sums over all users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UserTotals {
    /// How many users.
    pub count: u64,
    /// Funded minus paid directly.
    pub net: i128,
    /// Can be spent now.
    pub credit: i128,
    /// Held by attempts.
    pub held: i128,
    /// Charged by checkouts, also for orders that were overwritten since.
    pub charged: i128,
    /// Users that `batch_init` overwrote while the audit ran: they were not judged.
    pub overwritten_meanwhile: u64,
    #[serde(skip)]
    pub(super) width: i128,
}

impl UserTotals {
    pub(super) fn add(&mut self, purse: &Purse, charged: i64, width: i64) {
        self.count += 1;
        self.net += i128::from(purse.net);
        self.credit += i128::from(purse.credit);
        self.held += i128::from(purse.held);
        self.charged += i128::from(charged) + i128::from(purse.before);
        self.width += i128::from(width.max(0));
    }
}

/// How many orders there are, by status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrderTotals {
    /// Not being paid.
    pub open: u64,
    /// An attempt is undecided.
    pub pending: u64,
    /// An attempt was given up, and not all have acknowledged it.
    pub aborting: u64,
    /// Paid.
    pub paid: u64,
}

impl OrderTotals {
    pub(super) fn add(&mut self, status: OrderStatus) {
        match status {
            OrderStatus::Open => self.open += 1,
            OrderStatus::Pending => self.pending += 1,
            OrderStatus::Aborting => self.aborting += 1,
            OrderStatus::Paid => self.paid += 1,
        }
    }
}

/// How many payment records there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PaymentTotals {
    /// Held by an attempt.
    pub reserved: u64,
    /// Charged by a checkout.
    pub checkout: u64,
    /// Paid directly.
    pub direct: u64,
    /// Paid directly and given back.
    pub cancelled: u64,
}

/// How far apart the bounds are between which sums over several shards were found: 0 when nothing moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Width {
    /// Over all items, in units.
    pub units: i128,
    /// Over all users.
    pub credit: i128,
}

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

/// A number with a comma between thousands.
struct Grouped<T>(T);

impl<T: Into<i128> + Copy> Display for Grouped<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let number: i128 = self.0.into();
        let digits = number.unsigned_abs().to_string();
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        formatter.pad_integral(number >= 0, "", &text)
    }
}

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Report { orders, items, users, payments, width, .. } = self;
        let row = |formatter: &mut Formatter<'_>, name: &str, cells: &[(&str, i128)]| {
            write!(formatter, "{name:<10}")?;
            for (what, number) in cells {
                write!(formatter, " {:>22}", format!("{what} {}", Grouped(*number)))?;
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
                Grouped(width.units),
                Grouped(width.credit),
            )?;
        }
        if self.users.overwritten_meanwhile > 0 {
            writeln!(
                formatter,
                "{} users were overwritten meanwhile and not judged",
                Grouped(self.users.overwritten_meanwhile)
            )?;
        }
        let mut shown = (None, 0);
        for disagreement in &self.disagreements {
            if shown.0 != Some(disagreement.kind) {
                shown = (Some(disagreement.kind), 0);
                let count = self.counts.get(&disagreement.kind).copied().unwrap_or(0);
                writeln!(formatter, "\n{} ({})", name(disagreement.kind), Grouped(count))?;
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
        let verdict = if self.clean { "clean".to_owned() } else { format!("{} {things}", Grouped(count)) };
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
        Kind::Misplaced => "keys that are not where their ids belong",
        Kind::NotUnderstood => "records of another version, left out",
        Kind::Unreadable => "records that cannot be read, left out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_between_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (-12_345_678, "-12,345,678")] {
            assert_eq!(Grouped(number).to_string(), text);
        }
    }
}
