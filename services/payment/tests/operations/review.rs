//! Review: what is still held long after its deadline is cancelled when no order knows it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use shardcart_harness::eventually;
use shardcart_payment::reservation::LocalPayment;
use shardcart_protocol::orders::{Orders, StatusAnswer};
use shardcart_protocol::review;
use shardcart_types::ids::UserId;

use crate::support::{Attempt, PATIENCE, TestPayment};

/// Holds credit for an attempt, and then has its deadline lie in the past.
async fn held_long_ago(payment: &TestPayment, user: &UserId) -> Attempt {
    let mut attempt = payment.attempt(user).await;
    payment.reserve(&attempt, 2).await;
    let deadline_ms = payment.raw.now_ms().await - 20_000;
    payment.move_deadline(&mut attempt, deadline_ms).await;
    attempt
}

#[actix_web::test]
async fn review_cancels_what_no_order_knows_and_leaves_what_a_live_attempt_holds() {
    let payment = TestPayment::start().await;
    let mut attempts = Vec::new();
    for _ in 0..7 {
        let user = payment.user_with(10).await;
        attempts.push(held_long_ago(&payment, &user).await);
    }
    let [missing, open, other, pending, aborting, paid, silent] = &attempts[..] else {
        panic!("seven attempts");
    };
    let orders = &payment.orders;
    orders.know(&open.order, "open", &open.tx);
    orders.know(&other.order, "pending", &missing.tx);
    orders.know(&pending.order, "pending", &pending.tx);
    orders.know(&aborting.order, "aborting", &aborting.tx);
    orders.know(&paid.order, "paid", &paid.tx);
    orders.say(&silent.order, StatusAnswer::Unanswered);

    rt::spawn(review::run(
        Arc::clone(&payment.shards),
        Rc::new(LocalPayment::new(Arc::clone(&payment.shards))),
        Rc::clone(&payment.orders) as Rc<dyn Orders>,
        Duration::from_millis(200),
    ));

    let live = [pending, aborting, paid, silent];
    eventually("live attempts are asked about again", PATIENCE, async || {
        live.iter().all(|attempt| orders.times_asked_about(&attempt.order, &attempt.tx) >= 3).then_some(())
    })
    .await;
    for attempt in [missing, open, other] {
        payment.assert_tombstone(attempt, "CANCELLED").await;
        assert_eq!(payment.credit_and_held(&attempt.user).await, [10, 0]);
        assert_eq!(payment.payment(&attempt.user, &attempt.order).await, "");
    }
    for attempt in live {
        payment.assert_held(attempt).await;
        assert_eq!(payment.credit_and_held(&attempt.user).await, [8, 2]);
    }
}
