//! One pass over all shards: reads everything once, in an order that makes the bounds hold, and joins it.
//!
//! 1. Reservations, and whether their orders are paid: these units are sold, although stock does not say so yet.
//! 2. Items, and what is held of them: the least that orders must have bought.
//! 3. Orders: what they have bought.
//! 4. Users, payments, and users again.
//! 5. Reservations again: what is decided and not settled now. Then items again: the most that orders can have bought.
//!
//! Each of these may be read over some time, while the system works. `docs/operate/audit.md` says why the bounds hold.

mod orders;
mod payment;
mod records;
mod stock;

use std::cell::RefCell;

use stock::held_of;

use super::AuditError;
use super::findings::{Findings, Kind};
use super::ids::{Names, Slice};
use super::items::Items;
use super::orders::{Orders, Suspect};
use super::progress::Progress;
use super::reservations::{Held, Statuses};
use super::source::Source;
use super::totals::{ItemTotals, OrderTotals, PaymentTotals, UserTotals};
use super::users::Users;

/// What all passes together have found.
#[derive(Debug, Default)]
pub struct Totals {
    /// Orders.
    pub orders: OrderTotals,
    /// Items.
    pub items: ItemTotals,
    /// Users.
    pub users: UserTotals,
    /// Payments.
    pub payments: PaymentTotals,
    /// What was held at the end.
    pub held: Vec<Held>,
}

/// A pass over the ids of one slice.
pub struct Pass<'a> {
    source: &'a Source,
    names: &'a Names,
    findings: &'a Findings,
    progress: &'a Progress,
    slice: Slice,
    totals: RefCell<&'a mut Totals>,
    items: RefCell<Items>,
    users: RefCell<Users>,
    orders: RefCell<Orders>,
}

type Done = Result<(), AuditError>;

impl<'a> Pass<'a> {
    /// A pass that has not begun.
    pub fn new(
        source: &'a Source,
        names: &'a Names,
        findings: &'a Findings,
        progress: &'a Progress,
        slice: Slice,
        totals: &'a mut Totals,
    ) -> Self {
        Pass {
            source,
            names,
            findings,
            progress,
            slice,
            totals: RefCell::new(totals),
            items: RefCell::default(),
            users: RefCell::default(),
            orders: RefCell::default(),
        }
    }

    /// Reads and joins everything; gives the orders and payments that have to be looked at again.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn run(self) -> Result<Vec<Suspect>, AuditError> {
        self.progress.say("items");
        let first = self.stock_holdings(&[]).await?;
        let paid_first = Statuses::ask(&self.source.order, &held_of(&first)).await?;
        let moving = self.open_items().await?;
        self.check_held_items(&paid_first, &moving).await?;

        self.progress.say("orders");
        self.read_orders().await?;

        self.progress.say("payments");
        self.read_users(false).await?;
        let reserved = self.read_payments().await?;
        self.check_held_credit(&reserved).await?;
        self.read_users(true).await?;
        self.missing_users().await?;

        self.progress.say("items again");
        let last = self.stock_holdings(&[]).await?;
        let held_last = held_of(&last);
        let paid_last = Statuses::ask(&self.source.order, &held_last).await?;
        self.note_unsettled(&last, &paid_last);
        if self.is_first() {
            self.totals.borrow_mut().held.extend(held_last);
        }
        self.compare_items().await?;
        self.missing_items().await?;
        Ok(self.orders.into_inner().suspects())
    }

    /// What concerns no single id is done once.
    fn is_first(&self) -> bool {
        self.slice.part == 0
    }

    fn odd_record(&self, kind: Kind, what: &str, id: &str, why: &str) {
        let expected = if kind == Kind::NotUnderstood { "version 1" } else { "a record" };
        self.findings.add(kind, id, expected, why, format!("{what}: {why}"));
    }
}
