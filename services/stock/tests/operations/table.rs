//! The protocol's table, as the model makes it: what is on record, what is asked and when, against the answer and what is
//! then on record.

use shardcart_common::participant::{Answer, Refusal};
use shardcart_model::participant::{Operation, Outcome, Record, Says, When};
use shardcart_model::table::{self, WANTED};

use crate::support::{Attempt, TOMBSTONE_MS, TestStock};

fn says(answer: &Answer) -> Option<Says> {
    Some(match answer {
        Answer::Held => Says::Held,
        Answer::Busy(Refusal::InsufficientStock(_)) => Says::Busy,
        Answer::Expired => Says::Expired,
        Answer::Refused(Refusal::UnknownItem(_)) => Says::Unknown,
        Answer::Refused(Refusal::InsufficientStock(_)) => Says::Insufficient,
        Answer::Cancelled => Says::Cancelled,
        Answer::Confirmed => Says::Confirmed,
        Answer::Gone => Says::Gone,
        Answer::Lost => Says::Lost,
        Answer::Conflict => Says::Conflict,
        Answer::Newer => Says::Newer,
        _ => return None,
    })
}

/// The text of a record.
fn text(record: Record, attempt: &Attempt, item_key: &str) -> Option<String> {
    Some(match record {
        Record::Nothing => return None,
        Record::Held => format!("1 HELD {} {item_key} {WANTED}", attempt.order),
        Record::Newer => "2 HELD and more that this release cannot read".to_owned(),
        Record::Confirmed => "1 CONFIRMED".to_owned(),
        Record::Cancelled => "1 CANCELLED".to_owned(),
        Record::Unknown => "1 UNKNOWN 1".to_owned(),
        Record::Insufficient => "1 INSUFFICIENT 1".to_owned(),
        Record::AlreadyPaid => panic!("stock knows nothing of payments"),
    })
}

/// The deadline, in milliseconds. The margins are longer than a row takes.
fn deadline_ms(when: When, now_ms: u64) -> u64 {
    match when {
        When::InTime => now_ms + 60_000,
        When::Late => now_ms - 10_000,
        When::Settled => now_ms - 60_001,
        When::Forgotten => now_ms - 70_001,
    }
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let stock = TestStock::start().await;
    for row in table::stock() {
        let item = stock.item_with(10).await;
        let (key, at) = (stock.key(&item), stock.partition(&item));
        let attempt = Attempt::new(at, deadline_ms(row.when, stock.raw.now_ms().await));
        let (name, held) = (attempt.record(), at.own_key("held"));
        let (deadline, end) = (attempt.deadline_ms.to_string(), attempt.deadline_ms + TOMBSTONE_MS);
        let [units, units_held] = [row.holdings.free, row.holdings.held].map(|units| units.to_string());
        if row.holdings.exists {
            stock.raw.tell(&["HSET", &key, "stock", &units, "held", &units_held]).await;
        } else {
            stock.raw.tell(&["DEL", &key]).await;
        }
        match text(row.record, &attempt, &key) {
            Some(text) if row.record.is_tombstone() => {
                stock.raw.tell(&["SET", &name, &text, "PXAT", &end.to_string()]).await;
            }
            Some(text) => {
                stock.raw.tell(&["SET", &name, &text]).await;
                stock.raw.tell(&["ZADD", &held, &deadline, attempt.tx.as_str()]).await;
            }
            None => {}
        }

        let answer = match row.operation {
            Operation::Reserve => stock.reserve(&attempt, &[(&item, WANTED.into())]).await,
            Operation::Confirm => stock.confirm(&attempt).await,
            Operation::Cancel => stock.cancel(&attempt).await,
        };

        let Outcome { says: expected, record, holdings } = row.outcome;
        assert_eq!(says(&answer), Some(expected), "{row:?}");
        if holdings.exists {
            let left = [holdings.free, holdings.held].map(u64::from);
            assert_eq!(stock.stock_and_held(&item).await, left, "{row:?}");
        } else {
            assert!(stock.raw.hash(&key).await.is_empty(), "{row:?}");
        }
        let wanted = text(record, &attempt, &key);
        assert_eq!(stock.raw.text(&name).await, wanted, "{row:?}");
        let listed = stock.raw.moments(&held).await.contains_key(attempt.tx.as_str());
        assert_eq!(listed, matches!(record, Record::Held | Record::Newer), "{row:?}: is it listed as held?");
        if wanted.is_some() {
            let expires = stock.raw.expires_ms(&name).await;
            assert_eq!(expires, record.is_tombstone().then_some(end), "{row:?}");
        }
    }
}
