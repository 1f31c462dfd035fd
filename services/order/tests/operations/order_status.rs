//! StatusAnswer: how an order stands, for those who still hold something for it.

use std::sync::Arc;

use shardcart_order::attempt::Status;
use shardcart_order::order_status::LocalOrders;
use shardcart_order::orders;
use shardcart_protocol::orders::{Orders, StatusAnswer, StatusQuery};
use shardcart_protocol::participant::Refusal;
use shardcart_types::ids::{OrderId, TxId, now_ms};

use crate::support::{TestOrders, loads, order};

#[actix_web::test]
async fn order_status_tells_status_tx_refusal_and_incarnation() {
    let orders = TestOrders::start().await;
    orders::load(&orders.shards, &loads(), 1, 4, 3, 7).await.unwrap();
    let zero = order("0");
    let attempt = orders.begun(&zero).await;
    for (refusal, status) in [(None, Status::Pending), (Some(Refusal::UnknownUser), Status::Aborting)] {
        if let Some(refusal) = &refusal {
            orders.abort(&attempt, refusal).await;
        }
        let (truth, incarnation) = orders.order_status(&zero, None).await;
        assert_eq!((truth.status, truth.tx.as_str()), (status, attempt.tx.as_str()));
        assert_eq!(truth.refusal, refusal.map_or(String::new(), |refusal| refusal.to_record()));
        assert_eq!(incarnation, attempt.incarnation);
    }
}

#[actix_web::test]
async fn order_status_of_what_is_still_held_makes_recovery_look_at_it() {
    let orders = TestOrders::start().await;
    for settle in ["nothing", "decide", "abort"] {
        let order = orders.filled_order().await;
        let attempt = orders.begun(&order).await;
        match settle {
            "decide" => _ = orders.decide(&attempt).await,
            "abort" => _ = orders.abort(&attempt, &Refusal::UnknownUser).await,
            _ => {}
        }
        orders.set_due(&order, None).await;

        orders.order_status(&order, Some(&attempt.tx)).await;

        assert_eq!(orders.due_ms(&order).await, Some(0), "{settle}: due at once");
    }
}

#[actix_web::test]
async fn order_status_leaves_the_due_time_of_what_is_in_flight() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    let before = orders.raw.everything().await;
    orders.order_status(&order, Some(&attempt.tx)).await;
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn order_status_makes_nobody_look_at_what_is_not_the_orders_attempt() {
    let orders = TestOrders::start().await;
    let [open, pending, never] =
        [orders.filled_order().await, orders.filled_order().await, orders.filled_order().await];
    let ended = orders.begun(&open).await;
    orders.refuse(&ended, &Refusal::UnknownUser).await;
    let old = orders.begun(&pending).await;
    orders.refuse(&old, &Refusal::UnknownUser).await;
    let current = orders.begun(&pending).await;
    orders.set_due(&pending, None).await;
    let missing = order("17");
    let stranger = TxId::mint(0, now_ms());
    let before = orders.raw.everything().await;

    for (order, held) in [
        (&open, Some(&ended.tx)),
        (&pending, Some(&old.tx)),
        (&pending, None),
        (&never, Some(&stranger)),
        (&never, None),
        (&missing, Some(&stranger)),
        (&missing, None),
    ] {
        orders.order_status(order, held).await;
        assert_eq!(orders.raw.everything().await, before, "{order} {held:?}");
    }
    orders.order_status(&pending, Some(&current.tx)).await;
    assert_ne!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn order_status_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let attempt = orders.begun(&order).await;
    orders.set_due(&order, None).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    assert_eq!(orders.order_status(&order, Some(&attempt.tx)).await.0.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn order_statuses_answer_every_question_in_its_place() {
    let orders = TestOrders::start().await;
    let mut filled = Vec::new();
    for _ in 0..5 {
        filled.push(orders.filled_order().await);
    }
    let [open, pending, aborting, paid, newer] = &filled[..] else {
        panic!("five orders");
    };
    let attempts = [orders.begun(pending).await, orders.begun(aborting).await, orders.begun(paid).await];
    orders.abort(&attempts[1], &Refusal::CheckoutAborted).await;
    orders.decide(&attempts[2]).await;
    orders.make_newer(newer).await;
    let far = OrderId::mint(1, now_ms());
    let asked = |order: &OrderId| StatusQuery { order: order.clone(), tx: None };

    let statuses = LocalOrders::new(Arc::clone(&orders.shards))
        .order_statuses(vec![
            asked(open),
            asked(&order("17")),
            asked(pending),
            asked(newer),
            asked(aborting),
            asked(&far),
            asked(paid),
        ])
        .await
        .unwrap();

    let known = |status: &str, tx: &str| StatusAnswer::Known {
        status: status.to_owned(),
        tx: tx.to_owned(),
        incarnation: String::new(),
    };
    assert_eq!(
        statuses,
        [
            known("open", open.as_str()),
            StatusAnswer::Unknown,
            known("pending", attempts[0].tx.as_str()),
            StatusAnswer::Unanswered,
            known("aborting", attempts[1].tx.as_str()),
            StatusAnswer::Unanswered,
            known("paid", attempts[2].tx.as_str()),
        ]
    );
}

#[actix_web::test]
async fn order_statuses_say_who_may_hold_something_still() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let local = LocalOrders::new(Arc::clone(&orders.shards));
    let may_hold = async |tx: &TxId| {
        let asked = StatusQuery { order: order.clone(), tx: Some(tx.clone()) };
        let statuses = local.order_statuses(vec![asked]).await.unwrap();
        statuses[0].may_hold(tx)
    };

    let first = orders.begun(&order).await;
    assert!(may_hold(&first.tx).await, "pending");
    orders.refuse(&first, &Refusal::UnknownUser).await;
    assert!(!may_hold(&first.tx).await, "open");
    let second = orders.begun(&order).await;
    assert!(!may_hold(&first.tx).await, "another's");
    orders.abort(&second, &Refusal::UnknownUser).await;
    assert!(may_hold(&second.tx).await, "aborting: recovery cancels it");
    orders.finish(&second).await;
    let third = orders.begun(&order).await;
    orders.decide(&third).await;
    orders.finish(&third).await;
    assert!(may_hold(&third.tx).await, "paid: never to be cancelled");
    assert!(!may_hold(&second.tx).await);
}
