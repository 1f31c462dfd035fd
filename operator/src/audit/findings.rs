//! What disagrees.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use serde::Serialize;
use serde_json::Value;
use shardcart_store::faults::Fault;

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
    /// A key lies on a shard that does not own its id, or under the tag of another shard.
    Misplaced,
    /// A record of a version that this release does not know: left out of all sums.
    NotUnderstood,
    /// A record that no release writes.
    Unreadable,
    /// A field that no release writes like that.
    InvalidField,
    /// A cart without its order.
    CartWithoutOrder,
    /// A key that no release writes on a shard of this service.
    UnknownKey,
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
    kinds: RefCell<BTreeMap<Kind, Noted>>,
    hasher: RandomState,
}

/// The disagreements of a kind.
#[derive(Debug, Default)]
struct Noted {
    count: u64,
    kept: Vec<Disagreement>,
    /// Ids and particulars of what is kept, as a number: a key may be listed twice, and is told of once.
    seen: HashSet<u64>,
}

impl Findings {
    /// Notes a disagreement.
    pub fn add(&self, kind: Kind, id: &str, expected: impl Into<Value>, found: impl Into<Value>, detail: String) {
        let mut kinds = self.kinds.borrow_mut();
        let Noted { count, kept, seen } = kinds.entry(kind).or_default();
        let particulars = self.hasher.hash_one((id, &detail));
        if seen.contains(&particulars) {
            return;
        }
        *count += 1;
        if kept.len() < KEPT_MAX {
            seen.insert(particulars);
            kept.push(Disagreement { kind, id: id.to_owned(), expected: expected.into(), found: found.into(), detail });
        }
    }

    /// Notes the fields of a record that are not as they should be.
    pub fn faults(&self, what: &str, id: &str, faults: Vec<Fault>) {
        for Fault { field, expected, found } in faults {
            let shown = if found.is_empty() { "nothing" } else { &found };
            let detail = format!("{field} of {what}: {shown}, expected {expected}");
            self.add(Kind::InvalidField, id, expected, found, detail);
        }
    }

    /// By kind: how many in all, and those that were kept, by id.
    pub fn into_kinds(self) -> BTreeMap<Kind, (u64, Vec<Disagreement>)> {
        let kinds = self.kinds.into_inner().into_iter().map(|(kind, Noted { count, mut kept, .. })| {
            kept.sort_by(|one, other| one.id.cmp(&other.id));
            (kind, (count, kept))
        });
        kinds.collect()
    }
}
