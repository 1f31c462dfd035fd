//! One attempt's messages in every order of arrival: it is decided once, and what is undecided is never lost from sight.

use shardcart_common::participant::Refusal;
use shardcart_order::attempt::{Attempt, Begun};

use crate::support::{TestOrders, expect_attempt, under};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Begin,
    BeginLater,
    Decide,
    Abort,
    Refuse,
    Finish,
}

use Message::{Abort, Begin, BeginLater, Decide, Finish, Refuse};

/// All orders of different messages.
fn orders_of(messages: &[Message]) -> Vec<Vec<Message>> {
    if messages.is_empty() {
        return vec![Vec::new()];
    }
    let firsts = messages.iter().flat_map(|first| {
        let rest: Vec<Message> = messages.iter().copied().filter(|message| message != first).collect();
        orders_of(&rest).into_iter().map(|rest| [&[*first], rest.as_slice()].concat())
    });
    firsts.collect()
}

async fn send(orders: &TestOrders, attempt: &Attempt, later: &Attempt, message: Message) {
    let refusal = Refusal::CheckoutAborted;
    match message {
        Begin => _ = orders.begin(&attempt.order, &attempt.tx).await.expect("the shard answers"),
        BeginLater => _ = orders.begin(&attempt.order, &later.tx).await.expect("the shard answers"),
        Decide => _ = orders.decide(attempt).await,
        Abort => _ = orders.abort(attempt, &refusal).await,
        Refuse => _ = orders.refuse(attempt, &refusal).await,
        Finish => _ = orders.finish(attempt).await,
    }
}

#[actix_web::test]
async fn messages_in_every_order_decide_an_attempt_once() {
    let orders = TestOrders::start().await;
    for messages in orders_of(&[Begin, BeginLater, Decide, Abort, Refuse, Finish]) {
        let order = orders.filled_order().await;
        // Only to have an attempt's form; it is over.
        let form = orders.begun(&order).await;
        orders.refuse(&form, &Refusal::UnknownUser).await;
        let attempt = under(&form, &orders.later_tx(&order).await);
        orders.set(&order, &[("tx", attempt.tx.as_str())]).await;
        let later = under(&form, &orders.later_tx(&order).await);
        orders.set(&order, &[("tx", form.tx.as_str())]).await;

        let (mut paid, mut given_up) = (false, false);
        for message in &messages {
            send(&orders, &attempt, &later, *message).await;

            let told = format!("{messages:?}: {message:?}");
            let record = orders.raw.record(&orders.key(&order)).await;
            let (status, tx) = (record["status"].as_str(), record["tx"].as_str());
            assert!(!paid || status == "paid" && tx == attempt.tx.as_str(), "{told}: no longer paid");
            paid |= status == "paid";
            given_up |= tx == attempt.tx.as_str() && record.get("refusal").is_some_and(|why| why == "checkout_aborted");
            assert!(!(paid && given_up), "{told}: decided twice");
            let in_flight = orders.due_ms(&order).await.is_some();
            match status {
                "open" => assert!(!in_flight, "{told}: open, and in flight"),
                "pending" | "aborting" => assert!(in_flight, "{told}: {status}, and lost from sight"),
                other => assert_eq!(other, "paid", "{told}"),
            }
        }
    }
}

#[actix_web::test]
async fn a_later_attempt_makes_every_message_of_an_earlier_one_a_no() {
    let orders = TestOrders::start().await;
    for messages in orders_of(&[Begin, Decide, Abort, Refuse, Finish]) {
        let order = orders.filled_order().await;
        let attempt = orders.begun(&order).await;
        orders.refuse(&attempt, &Refusal::UnknownUser).await;
        let later = orders.begun(&order).await;
        let before = orders.raw.everything().await;
        for message in &messages {
            send(&orders, &attempt, &later, *message).await;
            assert_eq!(orders.raw.everything().await, before, "{messages:?}: {message:?}");
        }
        // So that looking at everything stays cheap.
        orders.raw.tell(&["FLUSHDB"]).await;
    }
}

#[actix_web::test]
async fn an_attempt_that_begins_late_finds_what_its_own_messages_did_before() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let form = orders.begun(&order).await;
    orders.refuse(&form, &Refusal::UnknownUser).await;
    // Decide, abort, refuse and finish overtake the begin: they are for nobody, and leave nothing.
    let attempt = under(&form, &orders.later_tx(&order).await);
    let before = orders.raw.everything().await;
    for message in [Decide, Abort, Refuse, Finish] {
        send(&orders, &attempt, &attempt, message).await;
    }
    assert_eq!(orders.raw.everything().await, before);
    let begun = expect_attempt(orders.begin(&order, &attempt.tx).await.unwrap());
    assert_eq!(begun.tx, attempt.tx);
    let again = orders.begin(&order, &form.tx).await.unwrap();
    assert!(matches!(again, Begun::NotBegun(_)), "{again:?}");
}
