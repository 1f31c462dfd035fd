//! Review: what is still held long after its deadline is cancelled when no order knows it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use shardcart_harness::eventually;
use shardcart_protocol::orders::{Orders, StatusAnswer};
use shardcart_protocol::review;
use shardcart_stock::reservation::LocalStock;
use shardcart_types::ids::ItemId;

use crate::support::{Attempt, KnownOrders, PATIENCE, TestStock};

/// Reviews what is held beyond its deadline, ten times a second until the test ends.
fn start_review(stock: &TestStock, orders: &Rc<KnownOrders>) {
    let participant = Rc::new(LocalStock::new(Arc::clone(&stock.shards)));
    let orders: Rc<dyn Orders> = Rc::<KnownOrders>::clone(orders);
    rt::spawn(review::run(Arc::clone(&stock.shards), participant, orders, Duration::from_millis(200)));
}

/// Holds units for an attempt, and then has its deadline lie so far in the past.
async fn held_since(stock: &TestStock, item: &ItemId, ago_ms: u64) -> Attempt {
    let mut attempt = stock.attempt(item).await;
    stock.reserve(&attempt, &[(item, 2)]).await;
    let deadline_ms = stock.raw.now_ms().await - ago_ms;
    stock.move_deadline(&mut attempt, deadline_ms).await;
    attempt
}

#[actix_web::test]
async fn review_cancels_what_no_order_knows_and_leaves_what_a_live_attempt_holds() {
    let stock = TestStock::start().await;
    let items = stock.items_with([5; 7]).await;
    let [missing, open, other, pending, aborting, paid, silent] = {
        let held = items.iter().map(|item| held_since(&stock, item, 20_000));
        futures_util::future::join_all(held).await.try_into().expect("seven attempts")
    };
    let orders = Rc::new(KnownOrders::default());
    orders.know(&open.order, "open", &open.tx);
    orders.know(&other.order, "pending", &missing.tx);
    orders.know(&pending.order, "pending", &pending.tx);
    orders.know(&aborting.order, "aborting", &aborting.tx);
    orders.know(&paid.order, "paid", &paid.tx);
    orders.say(&silent.order, StatusAnswer::Unanswered);

    start_review(&stock, &orders);

    let live = [&pending, &aborting, &paid, &silent];
    let orphans = [&missing, &open, &other];
    eventually("live attempts are asked about again", PATIENCE, async || {
        live.iter().all(|attempt| orders.times_asked_about(&attempt.order, &attempt.tx) >= 3).then_some(())
    })
    .await;
    for attempt in orphans {
        stock.assert_tombstone(attempt, "CANCELLED").await;
        assert_eq!(orders.times_asked_about(&attempt.order, &attempt.tx), 1, "settled in the first review");
    }
    for attempt in live {
        stock.assert_held(attempt).await;
    }
    for (item, held) in items.iter().zip([0, 0, 0, 2, 2, 2, 2]) {
        assert_eq!(stock.stock_and_held(item).await, [5 - held, held]);
    }
}
