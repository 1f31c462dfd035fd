//! The protocol's tables, as the model makes them: what is on record, what is asked and when, against the answer and what
//! is then on record.

use shardcart_common::participant::{Answer, Refusal};
use shardcart_model::participant::{Direct, DirectSays, Operation, Outcome, Paid, Record, Says, When};
use shardcart_model::table::{self, PAID_DIRECTLY, WANTED};
use shardcart_payment::error::PaymentError;

use crate::support::{Attempt, TOMBSTONE_MS, TestPayment};

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

/// The text of a record; user and order were minted here.
fn text(record: Record, attempt: &Attempt, [user, payment]: [&str; 2]) -> Option<String> {
    Some(match record {
        Record::Nothing => return None,
        Record::Held => format!("1 HELD {} {user} {payment} {WANTED} /", attempt.order),
        Record::Newer => "2 HELD and more that this release cannot read".to_owned(),
        Record::Confirmed => "1 CONFIRMED".to_owned(),
        Record::Cancelled => "1 CANCELLED".to_owned(),
        Record::Unknown => "1 UNKNOWN".to_owned(),
        Record::Insufficient => "1 INSUFFICIENT".to_owned(),
        Record::AlreadyPaid => "1 ALREADY_PAID".to_owned(),
    })
}

/// The fields of a payment's record; the life is that of a user and an order minted here. `amount`: what a checkout wants.
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
    Some(format!("by={by} charged={charged} life=/ refunded={refunded} state={state}{was}"))
}

async fn write(payment: &TestPayment, key: &str, paid: Paid) {
    let fields = fields(paid, WANTED).unwrap_or_default();
    for (field, value) in fields.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        payment.raw.tell(&["HSET", key, field, value]).await;
    }
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
    let payment = TestPayment::start().await;
    for row in table::payment() {
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        attempt.deadline_ms = deadline_ms(row.when, payment.raw.now_ms().await);
        let keys = [payment.key(&user), payment.payment_key(&user, &attempt.order)];
        let keys = [keys[0].as_str(), keys[1].as_str()];
        let (name, held) = (attempt.record(), attempt.at.own_key("held"));
        let (deadline, end) = (attempt.deadline_ms.to_string(), attempt.deadline_ms + TOMBSTONE_MS);
        let [credit, credit_held] = [row.holdings.free, row.holdings.held].map(|credit| credit.to_string());
        if row.holdings.exists {
            payment.raw.tell(&["HSET", keys[0], "credit", &credit, "held", &credit_held]).await;
        } else {
            payment.raw.tell(&["DEL", keys[0]]).await;
        }
        write(&payment, keys[1], row.holdings.paid).await;
        match text(row.record, &attempt, keys) {
            Some(text) if row.record.is_tombstone() => {
                payment.raw.tell(&["SET", &name, &text, "PXAT", &end.to_string()]).await;
            }
            Some(text) => {
                payment.raw.tell(&["SET", &name, &text]).await;
                payment.raw.tell(&["ZADD", &held, &deadline, attempt.tx.as_str()]).await;
            }
            None => {}
        }

        let answer = match row.operation {
            Operation::Reserve => payment.reserve(&attempt, WANTED.into()).await,
            Operation::Confirm => payment.confirm(&attempt).await,
            Operation::Cancel => payment.cancel(&attempt).await,
        };

        let Outcome { says: expected, record, holdings } = row.outcome;
        assert_eq!(says(&answer), Some(expected), "{row:?}");
        if holdings.exists {
            let left = [holdings.free, holdings.held].map(u64::from);
            assert_eq!(payment.credit_and_held(&user).await, left, "{row:?}");
        } else {
            assert!(payment.raw.hash(keys[0]).await.is_empty(), "{row:?}");
        }
        let paid = payment.raw.everything().await.get(keys[1]).cloned();
        assert_eq!(paid, fields(holdings.paid, WANTED), "{row:?}");
        let wanted = text(record, &attempt, keys);
        assert_eq!(payment.raw.text(&name).await, wanted, "{row:?}");
        let listed = payment.raw.moments(&held).await.contains_key(attempt.tx.as_str());
        assert_eq!(listed, matches!(record, Record::Held | Record::Newer), "{row:?}: is it listed as held?");
        if wanted.is_some() {
            let expires = payment.raw.expires_ms(&name).await;
            assert_eq!(expires, record.is_tombstone().then_some(end), "{row:?}");
        }
        payment.raw.tell(&["DEL", keys[0], keys[1], &name, &held]).await;
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
        let order = payment.attempt(&user).await.order;
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
