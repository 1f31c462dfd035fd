//! The protocol's table: what is on record, what is asked and when, against the answer and what is then on record.

use shardcart_common::participant::{Answer, Refusal};

use crate::support::{Attempt, TestStock};

/// What is on record of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Nothing,
    Held,
    Confirmed,
    Cancelled,
    /// Refused: the item does not exist.
    Unknown,
    /// Refused: there is too little.
    Insufficient,
    /// Written by a later release.
    Newer,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve,
    Confirm,
    Cancel,
}

/// Where the clock stands.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Before the deadline.
    InTime,
    /// After the deadline.
    Late,
    /// More than 60 s after it: what is not on record was settled before.
    Settled,
    /// More than 70 s after it: tombstones are gone.
    Forgotten,
}

use Record::{Cancelled, Confirmed, Held, Insufficient, Newer, Nothing, Unknown};
use Step::{Cancel, Confirm, Reserve};
use When::{Forgotten, InTime, Late, Settled};

/// The answers, without the item that a refusal names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Held,
    Busy,
    Expired,
    UnknownItem,
    InsufficientStock,
    Cancelled,
    Confirmed,
    Gone,
    Lost,
    Conflict,
    Newer,
}

/// Of the item: 10 units at first, of which the attempt wants 3: stock and held.
type Left = [u64; 2];
const ALL: Left = [10, 0];
const SOME_HELD: Left = [7, 3];
const SOME_SOLD: Left = [7, 0];

#[rustfmt::skip]
const TABLE: [(Record, Step, When, Says, Record, Left); 72] = [
    // on record   asked    when       answer                    then on record  left
    (Nothing,      Reserve, InTime,    Says::Held,               Held,           SOME_HELD),
    (Nothing,      Reserve, Late,      Says::Expired,            Nothing,        ALL),
    (Nothing,      Reserve, Settled,   Says::Expired,            Nothing,        ALL),
    (Nothing,      Reserve, Forgotten, Says::Expired,            Nothing,        ALL),
    (Nothing,      Confirm, InTime,    Says::Lost,               Nothing,        ALL),
    (Nothing,      Confirm, Late,      Says::Lost,               Nothing,        ALL),
    (Nothing,      Confirm, Settled,   Says::Gone,               Nothing,        ALL),
    (Nothing,      Confirm, Forgotten, Says::Gone,               Nothing,        ALL),
    (Nothing,      Cancel,  InTime,    Says::Cancelled,          Cancelled,      ALL),
    (Nothing,      Cancel,  Late,      Says::Cancelled,          Cancelled,      ALL),
    (Nothing,      Cancel,  Settled,   Says::Cancelled,          Cancelled,      ALL),
    (Nothing,      Cancel,  Forgotten, Says::Cancelled,          Nothing,        ALL),

    (Held,         Reserve, InTime,    Says::Held,               Held,           SOME_HELD),
    (Held,         Reserve, Late,      Says::Held,               Held,           SOME_HELD),
    (Held,         Reserve, Settled,   Says::Held,               Held,           SOME_HELD),
    (Held,         Reserve, Forgotten, Says::Held,               Held,           SOME_HELD),
    (Held,         Confirm, InTime,    Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Held,         Confirm, Late,      Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Held,         Confirm, Settled,   Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Held,         Confirm, Forgotten, Says::Confirmed,          Nothing,        SOME_SOLD),
    (Held,         Cancel,  InTime,    Says::Cancelled,          Cancelled,      ALL),
    (Held,         Cancel,  Late,      Says::Cancelled,          Cancelled,      ALL),
    (Held,         Cancel,  Settled,   Says::Cancelled,          Cancelled,      ALL),
    (Held,         Cancel,  Forgotten, Says::Cancelled,          Nothing,        ALL),

    (Confirmed,    Reserve, InTime,    Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Reserve, Late,      Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Reserve, Settled,   Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Confirm, InTime,    Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Confirm, Late,      Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Confirm, Settled,   Says::Confirmed,          Confirmed,      SOME_SOLD),
    (Confirmed,    Cancel,  InTime,    Says::Conflict,           Confirmed,      SOME_SOLD),
    (Confirmed,    Cancel,  Late,      Says::Conflict,           Confirmed,      SOME_SOLD),
    (Confirmed,    Cancel,  Settled,   Says::Conflict,           Confirmed,      SOME_SOLD),

    (Cancelled,    Reserve, InTime,    Says::Cancelled,          Cancelled,      ALL),
    (Cancelled,    Reserve, Late,      Says::Cancelled,          Cancelled,      ALL),
    (Cancelled,    Reserve, Settled,   Says::Cancelled,          Cancelled,      ALL),
    (Cancelled,    Confirm, InTime,    Says::Conflict,           Cancelled,      ALL),
    (Cancelled,    Confirm, Late,      Says::Conflict,           Cancelled,      ALL),
    (Cancelled,    Confirm, Settled,   Says::Conflict,           Cancelled,      ALL),
    (Cancelled,    Cancel,  InTime,    Says::Cancelled,          Cancelled,      ALL),
    (Cancelled,    Cancel,  Late,      Says::Cancelled,          Cancelled,      ALL),
    (Cancelled,    Cancel,  Settled,   Says::Cancelled,          Cancelled,      ALL),

    (Unknown,      Reserve, InTime,    Says::UnknownItem,        Unknown,        ALL),
    (Unknown,      Reserve, Late,      Says::UnknownItem,        Unknown,        ALL),
    (Unknown,      Reserve, Settled,   Says::UnknownItem,        Unknown,        ALL),
    (Unknown,      Confirm, InTime,    Says::Conflict,           Unknown,        ALL),
    (Unknown,      Confirm, Late,      Says::Conflict,           Unknown,        ALL),
    (Unknown,      Confirm, Settled,   Says::Conflict,           Unknown,        ALL),
    (Unknown,      Cancel,  InTime,    Says::Cancelled,          Unknown,        ALL),
    (Unknown,      Cancel,  Late,      Says::Cancelled,          Unknown,        ALL),
    (Unknown,      Cancel,  Settled,   Says::Cancelled,          Unknown,        ALL),

    (Insufficient, Reserve, InTime,    Says::InsufficientStock,  Insufficient,   ALL),
    (Insufficient, Reserve, Late,      Says::InsufficientStock,  Insufficient,   ALL),
    (Insufficient, Reserve, Settled,   Says::InsufficientStock,  Insufficient,   ALL),
    (Insufficient, Confirm, InTime,    Says::Conflict,           Insufficient,   ALL),
    (Insufficient, Confirm, Late,      Says::Conflict,           Insufficient,   ALL),
    (Insufficient, Confirm, Settled,   Says::Conflict,           Insufficient,   ALL),
    (Insufficient, Cancel,  InTime,    Says::Cancelled,          Insufficient,   ALL),
    (Insufficient, Cancel,  Late,      Says::Cancelled,          Insufficient,   ALL),
    (Insufficient, Cancel,  Settled,   Says::Cancelled,          Insufficient,   ALL),

    (Newer,        Reserve, InTime,    Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Reserve, Late,      Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Reserve, Settled,   Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Reserve, Forgotten, Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Confirm, InTime,    Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Confirm, Late,      Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Confirm, Settled,   Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Confirm, Forgotten, Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Cancel,  InTime,    Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Cancel,  Late,      Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Cancel,  Settled,   Says::Newer,              Newer,          SOME_HELD),
    (Newer,        Cancel,  Forgotten, Says::Newer,              Newer,          SOME_HELD),
];

fn says(answer: &Answer) -> Option<Says> {
    Some(match answer {
        Answer::Held => Says::Held,
        Answer::Busy(Refusal::InsufficientStock(_)) => Says::Busy,
        Answer::Expired => Says::Expired,
        Answer::Refused(Refusal::UnknownItem(_)) => Says::UnknownItem,
        Answer::Refused(Refusal::InsufficientStock(_)) => Says::InsufficientStock,
        Answer::Cancelled => Says::Cancelled,
        Answer::Confirmed => Says::Confirmed,
        Answer::Gone => Says::Gone,
        Answer::Lost => Says::Lost,
        Answer::Conflict => Says::Conflict,
        Answer::Newer => Says::Newer,
        _ => return None,
    })
}

impl Record {
    /// Its text, and whether it is a tombstone.
    fn text(self, attempt: &Attempt, item_key: &str) -> Option<(String, bool)> {
        let (text, tombstone) = match self {
            Nothing => return None,
            Held => (format!("1 HELD {} {item_key} 3", attempt.order), false),
            Newer => ("2 HELD and more that this release cannot read".to_owned(), false),
            Confirmed => ("1 CONFIRMED".to_owned(), true),
            Cancelled => ("1 CANCELLED".to_owned(), true),
            Unknown => ("1 UNKNOWN 1".to_owned(), true),
            Insufficient => ("1 INSUFFICIENT 1".to_owned(), true),
        };
        Some((text, tombstone))
    }

    /// What is left of the item where this is on record.
    fn left(self) -> Left {
        match self {
            Held | Newer => SOME_HELD,
            Confirmed => SOME_SOLD,
            _ => ALL,
        }
    }
}

impl When {
    /// How far the deadline is ahead of the clock, in milliseconds. The margins are longer than a row takes.
    fn deadline_ms(self, now_ms: u64) -> u64 {
        match self {
            InTime => now_ms + 60_000,
            Late => now_ms - 10_000,
            Settled => now_ms - 60_001,
            Forgotten => now_ms - 70_001,
        }
    }
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let stock = TestStock::start().await;
    for row in TABLE {
        let (record, step, when, expected, then, left) = row;
        let item = stock.item_with(10).await;
        let (key, at) = (stock.key(&item), stock.partition(&item));
        let attempt = Attempt::new(at, when.deadline_ms(stock.raw.now_ms().await));
        let (name, held) = (attempt.record(), at.own_key("held"));
        let (deadline, end) = (attempt.deadline_ms.to_string(), attempt.deadline_ms + 70_000);
        let [units, units_held] = record.left().map(|units| units.to_string());
        stock.raw.tell(&["HSET", &key, "stock", &units, "held", &units_held]).await;
        match record.text(&attempt, &key) {
            Some((text, true)) => stock.raw.tell(&["SET", &name, &text, "PXAT", &end.to_string()]).await,
            Some((text, false)) => {
                stock.raw.tell(&["SET", &name, &text]).await;
                stock.raw.tell(&["ZADD", &held, &deadline, attempt.tx.as_str()]).await;
            }
            None => {}
        }

        let answer = match step {
            Reserve => stock.reserve(&attempt, &[(&item, 3)]).await,
            Confirm => stock.confirm(&attempt).await,
            Cancel => stock.cancel(&attempt).await,
        };

        assert_eq!(says(&answer), Some(expected), "{row:?}");
        assert_eq!(stock.stock_and_held(&item).await, left, "{row:?}");
        let found = stock.raw.text(&name).await;
        let wanted = then.text(&attempt, &key);
        assert_eq!(found, wanted.as_ref().map(|(text, _)| text.clone()), "{row:?}");
        let listed = stock.raw.moments(&held).await.contains_key(attempt.tx.as_str());
        assert_eq!(listed, matches!(then, Held | Newer), "{row:?}: is it listed as held?");
        if let Some((_, tombstone)) = wanted {
            let expires = stock.raw.expires_ms(&name).await;
            assert_eq!(expires, tombstone.then_some(end), "{row:?}");
        }
    }
}

/// What there is of an item of which 3 are wanted, nothing being on record: stock, held, and the answer.
#[rustfmt::skip]
const SUPPLY: [(u64, u64, Says); 10] = [
    // stock  held  answer
    (0,       0,    Says::InsufficientStock),
    (2,       0,    Says::InsufficientStock),
    (3,       0,    Says::Held),
    (4,       0,    Says::Held),
    (0,       2,    Says::InsufficientStock),
    (0,       3,    Says::Busy),
    (1,       1,    Says::InsufficientStock),
    (1,       2,    Says::Busy),
    (2,       9,    Says::Busy),
    (3,       9,    Says::Held),
];

#[actix_web::test]
async fn reserve_is_held_busy_or_insufficient_by_what_there_is() {
    let stock = TestStock::start().await;
    for row in SUPPLY {
        let (units, held, expected) = row;
        let item = stock.item_with(20).await;
        let (key, fields) = (stock.key(&item), [units.to_string(), held.to_string()]);
        stock.raw.tell(&["HSET", &key, "stock", &fields[0], "held", &fields[1]]).await;
        let attempt = stock.attempt(&item).await;

        let answer = stock.reserve(&attempt, &[(&item, 3)]).await;

        assert_eq!(says(&answer), Some(expected), "{row:?}");
        let (taken, record) = match expected {
            Says::Held => (3, Some(Held)),
            Says::Busy => (0, None),
            _ => (0, Some(Insufficient)),
        };
        assert_eq!(stock.stock_and_held(&item).await, [units - taken, held + taken], "{row:?}");
        let text = record.and_then(|record| record.text(&attempt, &key)).map(|(text, _)| text);
        assert_eq!(stock.raw.text(&attempt.record()).await, text, "{row:?}");
    }
}
