//! The protocol's tables, as the model makes them: what is on record, what is asked and when, against the answer and what
//! is then on record.

use shardcart_model::participant::{Direct, DirectSays, Operation, Outcome, Paid, Record, Says, When};
use shardcart_model::table::{self, PAID_DIRECTLY, WANTED};
use shardcart_payment::error::PaymentError;
use shardcart_protocol::participant::{Answer, Refusal};
use shardcart_schema::reservation_record;

use crate::support::{Attempt, Lies, NEWER_HELD, NEWER_TOMBSTONES, TestPayment};

fn says(answer: &Answer) -> Option<Says> {
    Some(match answer {
        Answer::Held => Says::Held,
        Answer::Busy(Refusal::InsufficientCredit) => Says::Busy,
        Answer::Busy(Refusal::CheckoutAborted) => Says::OrderHeld,
        Answer::Expired => Says::Expired,
        Answer::Refused(Refusal::UnknownUser) => Says::Unknown,
        Answer::Refused(Refusal::InsufficientCredit) => Says::Insufficient,
        Answer::Refused(Refusal::AlreadyPaid) => Says::AlreadyPaid,
        Answer::Cancelled => Says::Cancelled,
        Answer::Confirmed => Says::Confirmed,
        Answer::Gone => Says::Gone,
        Answer::Lost => Says::Lost,
        Answer::Conflict => Says::Conflict,
        Answer::Newer => Says::Newer,
        _ => return None,
    })
}

/// What a record is: one of a later release may be either of both. User and order were minted here.
fn lies(record: Record, attempt: &Attempt, [user, payment]: [&str; 2]) -> Vec<Lies> {
    let tombstone = match record {
        Record::Nothing => return vec![Lies::Nothing],
        Record::Held => {
            let mut held =
                reservation_record::credit(attempt.deadline_ms, attempt.order.as_str(), user, payment, WANTED.into());
            held.push(b'/');
            return vec![Lies::Held(held)];
        }
        Record::Newer => {
            let held = NEWER_HELD.iter().map(|bytes| Lies::Held(bytes.to_vec()));
            return held.chain(NEWER_TOMBSTONES.map(|words| Lies::Tombstone(words.to_owned()))).collect();
        }
        Record::Confirmed => "CONFIRMED",
        Record::Cancelled => "CANCELLED",
        Record::Unknown => "UNKNOWN",
        Record::Insufficient => "INSUFFICIENT",
        Record::AlreadyPaid => "ALREADY_PAID",
    };
    vec![Lies::Tombstone(tombstone.to_owned())]
}

/// How many things a record may be.
fn forms(record: Record) -> usize {
    if record == Record::Newer { NEWER_HELD.len() + NEWER_TOMBSTONES.len() } else { 1 }
}

/// The fields of a payment's record; the incarnation is that of a user and an order minted here. `amount`: what a checkout wants.
fn fields(paid: Paid, amount: u8) -> Option<String> {
    let direct = PAID_DIRECTLY;
    let (state, by, charged, refunded, was) = match paid {
        Paid::Unpaid => return None,
        Paid::Reserved => ("reserved", "checkout", amount, 0, None),
        Paid::ReservedAgain => ("reserved", "checkout", amount, 0, Some(direct)),
        Paid::Charged => ("charged", "checkout", amount, 0, None),
        Paid::ChargedAgain => ("charged", "checkout", amount, 0, Some(direct)),
        Paid::Direct => ("charged", "pay", direct, 0, None),
        Paid::GivenBack => ("cancelled", "pay", direct, direct, None),
    };
    let was = was.map_or(String::new(), |was| format!(" was={was}"));
    Some(format!("by={by} charged={charged} incarnation=/ refunded={refunded} state={state}{was}"))
}

async fn write(payment: &TestPayment, key: &str, paid: Paid) {
    let Some(fields) = fields(paid, WANTED) else { return };
    let fields: Vec<_> = fields.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    payment.raw.set(key, &fields).await;
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
    let payment = TestPayment::start().await;
    let rows = table::payment().into_iter().flat_map(|row| (0..forms(row.record)).map(move |form| (row, form)));
    for (row, form) in rows {
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        attempt.deadline_ms = deadline_ms(row.when, payment.raw.now_ms().await);
        let keys = [payment.key(&user), payment.payment_key(&user, &attempt.order)];
        let keys = [keys[0].as_str(), keys[1].as_str()];
        let [credit, credit_held] = [row.holdings.free, row.holdings.held].map(|credit| credit.to_string());
        if row.holdings.exists {
            payment.raw.set(keys[0], &[("credit", &credit), ("held", &credit_held)]).await;
        } else {
            payment.raw.tell(&["DEL", keys[0]]).await;
        }
        write(&payment, keys[1], row.holdings.paid).await;
        let lay = lies(row.record, &attempt, keys).swap_remove(form);
        match &lay {
            Lies::Nothing => {}
            Lies::Held(bytes) => payment.hold(&attempt, bytes).await,
            // None outlives its time.
            Lies::Tombstone(_) if row.when == When::Forgotten => continue,
            Lies::Tombstone(words) => payment.bury(&attempt, words).await,
        }

        let answer = match row.operation {
            Operation::Reserve => payment.reserve(&attempt, WANTED.into()).await,
            Operation::Confirm => payment.confirm(&attempt).await,
            Operation::Cancel => payment.cancel(&attempt).await,
        };

        let told = format!("{row:?} with {lay:?}");
        let Outcome { says: expected, record, holdings } = row.outcome;
        assert_eq!(says(&answer), Some(expected), "{told}");
        if holdings.exists {
            let left = [holdings.free, holdings.held].map(u64::from);
            assert_eq!(payment.credit_and_held(&user).await, left, "{told}");
        } else {
            assert!(payment.raw.record(keys[0]).await.is_empty(), "{told}");
        }
        let paid = payment.raw.everything().await.get(keys[1]).cloned();
        assert_eq!(paid, fields(holdings.paid, WANTED), "{told}");
        // One of a later release is left as it is.
        let expected = if record == Record::Newer { lay } else { lies(record, &attempt, keys).swap_remove(0) };
        payment.assert_lies(&attempt, &expected, &told).await;
        payment.raw.tell(&["DEL", keys[0], keys[1]]).await;
        payment.forget(&attempt).await;
    }
}

fn said(result: &Result<(), PaymentError>) -> DirectSays {
    match result {
        Ok(()) => DirectSays::Done,
        Err(PaymentError::UnknownPayment(_)) => DirectSays::UnknownPayment,
        Err(PaymentError::Orders(_)) => DirectSays::AskOrder,
        Err(PaymentError::AlreadyPaid(_)) => DirectSays::AlreadyPaid,
        Err(PaymentError::OrderPaid(_)) => DirectSays::PaidByCheckout,
        Err(PaymentError::InsufficientCredit(_)) => DirectSays::Insufficient,
        Err(other) => panic!("{other}"),
    }
}

#[actix_web::test]
async fn every_row_of_the_table_of_direct_payments_holds() {
    let payment = TestPayment::start().await;
    // Nobody knows the orders, so asking about one fails: that tells where it is asked.
    payment.orders.fall_silent();
    for row in table::direct() {
        let user = payment.user_with(row.holdings.free.into()).await;
        let order = payment.attempt(&user).await.order.clone();
        let key = payment.payment_key(&user, &order);
        write(&payment, &key, row.holdings.paid).await;

        let says = match row.direct {
            Direct::Pay => said(&payment.pay(&user, &order, PAID_DIRECTLY.into()).await),
            Direct::PayOther => said(&payment.pay(&user, &order, u64::from(PAID_DIRECTLY) - 1).await),
            Direct::Cancel => said(&payment.cancel_payment(&user, &order).await),
            Direct::Status => match payment.has_paid(&user, &order).await {
                Ok(true) => DirectSays::IsPaid,
                Ok(false) => DirectSays::IsNotPaid,
                Err(PaymentError::Orders(_)) => DirectSays::AskOrder,
                Err(other) => panic!("{row:?}: {other}"),
            },
        };

        assert_eq!(says, row.says, "{row:?}");
        assert_eq!(payment.raw.everything().await.get(&key).cloned(), fields(row.then.paid, WANTED), "{row:?}");
        assert_eq!(payment.purse(&user).await.credit, u64::from(row.then.free), "{row:?}");
        payment.raw.tell(&["DEL", &payment.key(&user), &key]).await;
    }
}
