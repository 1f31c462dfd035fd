//! The protocol's table, as the model makes it: what is on record, what is asked and when, against the answer and what is
//! then on record.

use shardcart_model::participant::{Operation, Outcome, Record, Says, When};
use shardcart_model::table::{self, WANTED};
use shardcart_protocol::participant::{Answer, Refusal};
use shardcart_schema::reservation_record;

use crate::support::{Attempt, Lies, NEWER_HELD, NEWER_TOMBSTONES, TestStock};

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

/// What a record is: one of a later release may be either of both.
fn lies(record: Record, attempt: &Attempt, item_key: &str) -> Vec<Lies> {
    let tombstone = match record {
        Record::Nothing => return vec![Lies::Nothing],
        Record::Held => {
            let lines = [(item_key, WANTED.into())].into_iter();
            return vec![Lies::Held(reservation_record::units(attempt.deadline_ms, attempt.order.as_str(), lines))];
        }
        Record::Newer => {
            let held = NEWER_HELD.iter().map(|bytes| Lies::Held(bytes.to_vec()));
            return held.chain(NEWER_TOMBSTONES.map(|words| Lies::Tombstone(words.to_owned()))).collect();
        }
        Record::Confirmed => "CONFIRMED",
        Record::Cancelled => "CANCELLED",
        Record::Unknown => "UNKNOWN 1",
        Record::Insufficient => "INSUFFICIENT 1",
        Record::AlreadyPaid => panic!("stock knows nothing of payments"),
    };
    vec![Lies::Tombstone(tombstone.to_owned())]
}

/// How many things a record may be.
fn forms(record: Record) -> usize {
    if record == Record::Newer { NEWER_HELD.len() + NEWER_TOMBSTONES.len() } else { 1 }
}

/// The deadline, in milliseconds. The margins are longer than a row takes.
fn deadline_ms(when: When, now_ms: u64) -> u64 {
    match when {
        When::InTime => now_ms + 60_000,
        When::Late => now_ms - 10_000,
        When::Settled => now_ms - 60_001,
        // A second's tombstones go together.
        When::Forgotten => now_ms - 71_001,
    }
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let stock = TestStock::start().await;
    for (row, form) in table::stock().into_iter().flat_map(|row| (0..forms(row.record)).map(move |form| (row, form))) {
        let item = stock.item_with(10).await;
        let (key, at) = (stock.key(&item), stock.tag());
        let attempt = Attempt::new(at, deadline_ms(row.when, stock.raw.now_ms().await));
        let [units, units_held] = [row.holdings.free, row.holdings.held].map(|units| units.to_string());
        if row.holdings.exists {
            stock.raw.set(&key, &[("stock", &units), ("held", &units_held)]).await;
        } else {
            stock.raw.tell(&["DEL", &key]).await;
        }
        let lay = lies(row.record, &attempt, &key).swap_remove(form);
        match &lay {
            Lies::Nothing => {}
            Lies::Held(bytes) => stock.hold(&attempt, bytes).await,
            // None outlives its time.
            Lies::Tombstone(_) if row.when == When::Forgotten => continue,
            Lies::Tombstone(words) => stock.bury(&attempt, words).await,
        }

        let answer = match row.operation {
            Operation::Reserve => stock.reserve(&attempt, &[(&item, WANTED.into())]).await,
            Operation::Confirm => stock.confirm(&attempt).await,
            Operation::Cancel => stock.cancel(&attempt).await,
        };

        let told = format!("{row:?} with {lay:?}");
        let Outcome { says: expected, record, holdings } = row.outcome;
        assert_eq!(says(&answer), Some(expected), "{told}");
        if holdings.exists {
            let left = [holdings.free, holdings.held].map(u64::from);
            assert_eq!(stock.stock_and_held(&item).await, left, "{told}");
        } else {
            assert!(stock.raw.record(&key).await.is_empty(), "{told}");
        }
        // One of a later release is left as it is.
        let expected = if record == Record::Newer { lay } else { lies(record, &attempt, &key).swap_remove(0) };
        stock.assert_lies(&attempt, &expected, &told).await;
    }
}
