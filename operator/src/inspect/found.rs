//! What was found under an id: `shop inspect` prints it, the console gets it as JSON.

use serde::{Deserialize, Serialize};
use shardcart_protocol::insight::{PaymentRecord, ReservationRecord, Seen};
use shardcart_types::ids::minted_shard;

/// All that is known under an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// The id.
    pub id: String,
    /// Whether it was minted here; a foreign id is routed by a hash.
    pub minted: bool,
    /// What has this id.
    pub things: Vec<Thing>,
    /// Who did not answer, in words: what they know is missing.
    pub unanswered: Vec<String>,
}

/// Something that has the id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// `order`, `item`, `user` or `attempt`.
    pub kind: String,
    /// How it stands, in one or two words.
    pub state: String,
    /// Where it lies.
    pub place: Place,
    /// How it stands, in plain sentences.
    pub story: Vec<String>,
    /// Of an order: whose it is.
    pub user: Option<String>,
    /// Of an order: what it costs. Of an item: what one costs. Of a user: the credit.
    pub amount: Option<u64>,
    /// Of an order.
    pub lines: Vec<Line>,
    /// Of an order, if there is one.
    pub payment: Option<PaymentRecord>,
    /// Of an attempt: what participants have on record.
    pub reservations: Vec<Reservation>,
    /// Of an order or an attempt: the last attempts, the latest first.
    pub attempts: Vec<Attempted>,
    /// Of an order: whether "settle now" may have something to do.
    pub in_flight: bool,
}

/// Where something lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The service.
    pub service: String,
    /// The shard.
    pub shard: u16,
}

/// A line of a cart, with its item as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The item.
    pub item: String,
    /// How many.
    pub units: u64,
    /// The sum quoted for them.
    pub sum: u64,
    /// The item's shard, if it was looked up.
    pub shard: Option<u16>,
    /// Units of it that can be bought now, if it was found.
    pub stock: Option<u64>,
}

/// What a participant has on record of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// `stock` or `payment`.
    pub service: String,
    /// The record.
    pub record: ReservationRecord,
}

/// An attempt on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// Its id.
    pub tx: String,
    /// When it began, Unix ms.
    pub began_ms: u64,
    /// How it went, in words.
    pub told: String,
}

impl Inspected {
    pub(super) fn of(id: &str) -> Self {
        Inspected { id: id.to_owned(), minted: minted_shard(id).is_some(), things: Vec::new(), unanswered: Vec::new() }
    }
}

impl Thing {
    pub(super) fn of(kind: &str, service: &str, seen: &Seen, state: &str) -> Self {
        Thing {
            kind: kind.to_owned(),
            state: state.to_owned(),
            place: Place { service: service.to_owned(), shard: seen.shard },
            story: Vec::new(),
            user: None,
            amount: None,
            lines: Vec::new(),
            payment: None,
            reservations: Vec::new(),
            attempts: Vec::new(),
            in_flight: false,
        }
    }
}
