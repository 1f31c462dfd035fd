//! What disagrees.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// How many disagreements of a kind are kept with their particulars; all are counted.
pub const KEPT_MAX: usize = 100_000;

/// What kind of thing disagrees with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An item: net + before is not stock + held + sold.
    ItemUnits,
    /// An item's `held` is not what reservations hold of it.
    ItemHeld,
    /// A paid order bought an item that is not there.
    ItemUnknown,
    /// A user: net is not credit + held + charged.
    UserCredit,
    /// A user's `held` is not what reservations hold of it.
    UserHeld,
    /// Payments were charged to a user who is not there.
    UserUnknown,
    /// An order's total is not the sum of its cart.
    OrderTotal,
    /// A paid order was not charged, or not its total.
    OrderUncharged,
    /// A checkout has charged a payment, and its order is not paid, or not there.
    ChargeWithoutOrder,
    /// An order is pending or aborting, and nobody will settle it.
    OrderNotInFlight,
    /// An order is listed as in flight, and is open or not there.
    StrayInFlight,
    /// A reservation belongs to no order in flight.
    ReservationWithoutOrder,
    /// A reservation's payment is not reserved with its amount.
    ReservationWithoutPayment,
    /// A payment is reserved, and no reservation holds it.
    PaymentWithoutReservation,
    /// A product has no item.
    ProductWithoutItem,
    /// An entry of a list of products is missing, or belongs to no product.
    ProductListing,
    /// A product carries a handle that is not known to be its own.
    ProductHandle,
    /// A key lies where its id does not belong.
    Misplaced,
    /// A record of a version that this release does not know: left out of all sums.
    NotUnderstood,
    /// A record that no release writes.
    Unreadable,
}

/// One disagreement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disagreement {
    /// What kind of thing disagrees.
    pub kind: Kind,
    /// The id: of an item, a user, an order, an attempt.
    pub id: String,
    /// What it should be.
    pub expected: Value,
    /// What it is.
    pub found: Value,
    /// The same for people.
    pub detail: String,
}

/// All disagreements so far.
#[derive(Debug, Default)]
pub struct Findings {
    kinds: RefCell<BTreeMap<Kind, (u64, Vec<Disagreement>)>>,
}

impl Findings {
    /// Notes a disagreement.
    pub fn add(&self, kind: Kind, id: &str, expected: impl Into<Value>, found: impl Into<Value>, detail: String) {
        let mut kinds = self.kinds.borrow_mut();
        let (count, kept) = kinds.entry(kind).or_default();
        *count += 1;
        if kept.len() < KEPT_MAX {
            kept.push(Disagreement { kind, id: id.to_owned(), expected: expected.into(), found: found.into(), detail });
        }
    }

    /// By kind: how many in all, and those that were kept, by id.
    pub fn into_kinds(self) -> BTreeMap<Kind, (u64, Vec<Disagreement>)> {
        let mut kinds = self.kinds.into_inner();
        for (_, kept) in kinds.values_mut() {
            kept.sort_by(|one, other| one.id.cmp(&other.id));
        }
        kinds
    }
}
