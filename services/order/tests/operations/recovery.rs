//! Recovery: settles what a coordinator left behind, and leaves alone what one still drives.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use shardcart_common::ids::OrderId;
use shardcart_common::participant::{Answer, Refusal};
use shardcart_harness::eventually;
use shardcart_order::attempt::Status;
use shardcart_order::settling::recovery;

use crate::support::{PATIENCE, Scripted, TestOrders, willing};

/// Leaves of a record what comes before its texts, and a byte of them.
const CUT_OFF: &str = "return redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, 27))";

/// Recovers with these participants until the test ends.
fn start_recovery(orders: &TestOrders, stock: &Rc<Scripted>, payment: &Rc<Scripted>) {
    let settling = orders.settling(stock, payment);
    rt::spawn(recovery::run(settling, Duration::from_millis(20)));
}

async fn settled(orders: &TestOrders, order: &OrderId) {
    eventually(format!("{order} is settled"), PATIENCE, async || orders.due_ms(order).await.is_none().then_some(()))
        .await;
}

#[actix_web::test]
async fn recovery_gives_up_an_attempt_whose_lease_is_over_and_leaves_others_alone() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let live = orders.begun(&orders.filled_order().await).await;
    let late = orders.begun_late(&orders.filled_order().await).await;
    let before = orders.bytes(&live.order).await;

    start_recovery(&orders, &stock, &payment);
    settled(&orders, &late.order).await;

    for participant in [&stock, &payment] {
        assert_eq!(participant.asked_for(&late.tx), ["cancel"]);
        assert!(participant.asked_for(&live.tx).is_empty());
    }
    let truth = orders.decide(&late).await;
    assert_eq!(
        (truth.status, truth.refusal()),
        (Status::Open, Refusal::CheckoutAborted),
        "its coordinator learns the truth"
    );
    assert_eq!(orders.bytes(&live.order).await, before);
}

#[actix_web::test]
async fn recovery_confirms_what_was_decided_and_keeps_the_refusal_of_what_was_given_up() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let paid = orders.begun(&orders.filled_order().await).await;
    orders.decide(&paid).await;
    let aborting = orders.begun(&orders.filled_order().await).await;
    orders.abort(&aborting, &Refusal::InsufficientCredit).await;
    for attempt in [&paid, &aborting] {
        orders.set_due(&attempt.order, Some(0)).await;
    }

    start_recovery(&orders, &stock, &payment);
    settled(&orders, &paid.order).await;
    settled(&orders, &aborting.order).await;

    for participant in [&stock, &payment] {
        assert_eq!(participant.asked_for(&paid.tx), ["confirm"]);
        assert_eq!(participant.asked_for(&aborting.tx), ["cancel"]);
    }
    assert_eq!(orders.status(&paid.order).await, "paid");
    assert_eq!(orders.field(&aborting.order, "refusal").await, "insufficient_credit");
    assert_eq!(orders.status(&aborting.order).await, "open");
}

#[actix_web::test]
async fn recovery_goes_on_until_every_participant_has_acknowledged() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::new(|_| Answer::Unanswered));
    let late = orders.begun_late(&orders.filled_order().await).await;

    start_recovery(&orders, &stock, &payment);
    eventually("payment was asked", PATIENCE, async || (!payment.asked_for(&late.tx).is_empty()).then_some(())).await;
    assert_eq!(orders.status(&late.order).await, "aborting");
    assert!(orders.due_ms(&late.order).await.is_some());

    payment.answer(willing);
    // Its claim holds others off for a while: not in a test.
    orders.set_due(&late.order, Some(0)).await;
    settled(&orders, &late.order).await;
    assert_eq!(orders.status(&late.order).await, "open");
}

#[actix_web::test]
async fn recovery_by_several_machines_settles_everything() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let mut attempts = Vec::new();
    for number in 0..30 {
        let order = orders.filled_order().await;
        if number % 2 == 0 {
            attempts.push(orders.begun_late(&order).await);
        } else {
            let attempt = orders.begun(&order).await;
            orders.decide(&attempt).await;
            orders.set_due(&order, Some(0)).await;
            attempts.push(attempt);
        }
    }
    for _ in 0..3 {
        start_recovery(&orders, &stock, &payment);
    }
    for (number, attempt) in attempts.iter().enumerate() {
        settled(&orders, &attempt.order).await;
        let (status, step) = if number % 2 == 0 { ("open", "cancel") } else { ("paid", "confirm") };
        assert_eq!(orders.status(&attempt.order).await, status);
        for participant in [&stock, &payment] {
            let asked = participant.asked_for(&attempt.tx);
            assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == step), "{asked:?}");
        }
    }
}

#[actix_web::test]
async fn recovery_drops_what_no_order_stands_for_and_leaves_a_later_releases_orders() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let (missing, open, newer) =
        (OrderId::parse("17").unwrap(), orders.filled_order().await, orders.filled_order().await);
    orders.begun_late(&newer).await;
    orders.make_newer(&newer).await;
    let before = orders.bytes(&newer).await;
    for order in [&missing, &open, &newer] {
        orders.set_due(order, Some(0)).await;
    }

    start_recovery(&orders, &stock, &payment);
    settled(&orders, &missing).await;
    settled(&orders, &open).await;

    assert!(stock.asked().is_empty() && payment.asked().is_empty());
    assert_eq!(orders.bytes(&newer).await, before);
    assert!(orders.due_ms(&newer).await.is_some());
}

#[actix_web::test]
async fn recovery_of_an_order_that_cannot_be_read_holds_up_no_other() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let [garbled, whole] =
        [orders.begun_late(&orders.filled_order().await).await, orders.begun_late(&orders.filled_order().await).await];
    orders.raw.tell(&["HSET", &orders.cart_key(&garbled.order), "a", "no line"]).await;
    let wrong_kind = orders.begun_late(&orders.filled_order().await).await;
    let cart = orders.cart_key(&wrong_kind.order);
    orders.raw.tell(&["DEL", &cart]).await;
    orders.raw.tell(&["SET", &cart, "no cart"]).await;
    let cut_off = orders.begun_late(&orders.filled_order().await).await;
    let key = orders.key(&cut_off.order);
    let start: String = orders.raw.ask(&["EVAL", CUT_OFF, "1", &key]).await;
    assert_eq!(start, "OK");

    start_recovery(&orders, &stock, &payment);
    settled(&orders, &whole.order).await;

    assert_eq!(orders.status(&whole.order).await, "open");
    for unread in [&garbled, &wrong_kind, &cut_off] {
        assert!(orders.due_ms(&unread.order).await.is_some(), "it stays in flight");
        assert!(stock.asked_for(&unread.tx).is_empty());
    }
}
