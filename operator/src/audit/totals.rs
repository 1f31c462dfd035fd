//! What an audit adds up.

use serde::Serialize;
use shardcart_payment::audit::Purse;
use shardcart_schema::order::OrderStatus;
use shardcart_stock::audit::Units;

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
