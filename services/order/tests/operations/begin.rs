//! Begin: an attempt to pay an open order.

use futures_util::future::join_all;
use shardcart_order::attempt::{Begun, Status};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::{TxId, now_ms};

use crate::support::{DEADLINE, LEASE, TestOrders, expect_attempt, expect_standing, item, loads, order, user};

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("a short time")
}

#[actix_web::test]
async fn begin_freezes_the_order_and_hands_out_what_is_to_be_paid() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let tx = orders.later_tx(&order).await;
    let before_ms = orders.raw.now_ms().await;

    let mut attempt = expect_attempt(orders.begin(&order, &tx).await.unwrap());

    let after_ms = orders.raw.now_ms().await;
    attempt.lines.sort();
    assert_eq!(attempt.order, order);
    assert_eq!(attempt.tx, tx);
    assert_eq!(attempt.user, user("u"));
    assert_eq!(attempt.total, 17);
    assert_eq!(attempt.incarnation, "");
    assert_eq!(attempt.lines, [(item("a"), 2), (item("b"), 1)]);
    let begun_ms = attempt.deadline_ms - millis(DEADLINE);
    assert!(
        (before_ms..=after_ms).contains(&begun_ms),
        "the deadline counts from the shard's clock: {before_ms} <= {begun_ms} <= {after_ms}"
    );
    let lease = begun_ms + millis(LEASE);
    assert_eq!(
        orders.raw.everything().await[&orders.key(&order)],
        format!("deadline={} lease={lease} status=pending total=17 tx={tx} user=u", attempt.deadline_ms)
    );
    assert_eq!(orders.due_ms(&order).await, Some(lease), "recovery looks at it when the lease is over");
}

#[actix_web::test]
async fn begin_repeated_for_one_tx_begins_once() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let first = orders.begun(&order).await;
    let before = orders.raw.everything().await;
    for _ in 0..3 {
        let again = expect_attempt(orders.begin(&order, &first.tx).await.unwrap());
        assert_eq!(again.deadline_ms, first.deadline_ms);
        assert_eq!(again.total, 17);
        assert_eq!(again.lines.len(), 2);
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn begin_of_a_pending_order_tells_whose_attempt_it_is() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let first = orders.begun(&order).await;
    let before = orders.raw.everything().await;
    for tx in [orders.later_tx(&order).await, TxId::mint(first.shard, 1)] {
        let truth = expect_standing(orders.begin(&order, &tx).await.unwrap());
        assert_eq!((truth.status, truth.tx.as_str()), (Status::Pending, first.tx.as_str()));
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn begin_of_a_tx_that_has_ended_tells_how_and_never_begins_it_again() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let refusal = Refusal::InsufficientStock(item("a"));
    let attempt = orders.begun(&order).await;
    orders.refuse(&attempt, &refusal).await;
    let before = orders.raw.everything().await;

    for _ in 0..2 {
        let truth = expect_standing(orders.begin(&order, &attempt.tx).await.unwrap());
        assert_eq!((truth.status, truth.refusal()), (Status::Open, refusal.clone()));
    }

    assert_eq!(orders.raw.everything().await, before);
    let next = orders.begun(&order).await;
    assert_eq!(orders.field(&order, "tx").await, next.tx.as_str());
    assert_eq!(orders.field(&order, "refusal").await, "", "a new attempt has no refusal yet");
}

#[actix_web::test]
async fn begin_of_an_aborting_or_paid_order_is_not_begun_by_anyone() {
    let orders = TestOrders::start().await;
    let [aborting, paid] = [orders.filled_order().await, orders.filled_order().await];
    let attempts = [orders.begun(&aborting).await, orders.begun(&paid).await];
    orders.abort(&attempts[0], &Refusal::UnknownUser).await;
    orders.decide(&attempts[1]).await;
    let before = orders.raw.everything().await;
    for (attempt, status) in attempts.iter().zip([Status::Aborting, Status::Paid]) {
        for tx in [attempt.tx.clone(), orders.later_tx(&attempt.order).await] {
            let truth = expect_standing(orders.begin(&attempt.order, &tx).await.unwrap());
            assert_eq!((truth.status, truth.tx.as_str()), (status, attempt.tx.as_str()));
        }
    }
    let truth = expect_standing(orders.begin(&aborting, &attempts[0].tx).await.unwrap());
    assert_eq!(truth.refusal(), Refusal::UnknownUser);
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn begin_of_a_tx_that_is_not_later_than_the_last_is_moved() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let last = orders.begun(&order).await;
    orders.refuse(&last, &Refusal::CheckoutAborted).await;
    let before = orders.raw.everything().await;
    let last_ms = last.tx.minted_ms();

    for ms in [0, 1, last_ms - 1, last_ms] {
        // In the same millisecond the random bits may be larger or smaller: neither is later.
        for _ in 0..8 {
            let tx = TxId::mint(last.shard, ms);
            match orders.begin(&order, &tx).await.unwrap() {
                Begun::Moved { last_ms: told } => assert_eq!(told, last_ms),
                other => panic!("{ms} after {last_ms}: {other:?}"),
            }
        }
    }
    assert_eq!(orders.raw.everything().await, before);

    let next = TxId::mint(last.shard, last_ms + 1);
    expect_attempt(orders.begin(&order, &next).await.unwrap());
}

#[actix_web::test]
async fn begin_with_a_tx_minted_before_the_order_was_created_is_moved() {
    let orders = TestOrders::start().await;
    let early = now_ms() - 1;
    let order = orders.filled_order().await;
    let begun = orders.begin(&order, &TxId::mint(orders.shard_of(&order), early)).await;
    assert!(matches!(begun, Ok(Begun::Moved { .. })), "{begun:?}");
    assert_eq!(orders.status(&order).await, "open");
}

#[actix_web::test]
async fn begin_orders_txs_by_their_moment_over_every_digit() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let shard = orders.shard_of(&order);
    // A carry into each hexadecimal digit of the moment, the one before the hyphen included.
    for digit in 0..12 {
        let carry = 1_u64 << (4 * digit);
        let base = 0x0fff_ffff_ffff_u64 & !(0xf * carry);
        for (lower, higher) in [(9, 10), (0, 1), (7, 8), (14, 15)] {
            let [last, next] = [lower, higher].map(|value| TxId::mint(shard, base + value * carry));
            orders.set(&order, &[("tx", next.as_str())]).await;
            let begun = orders.begin(&order, &last).await;
            assert!(matches!(begun, Ok(Begun::Moved { .. })), "{last} after {next}: {begun:?}");
            orders.set(&order, &[("tx", last.as_str())]).await;
            let attempt = expect_attempt(orders.begin(&order, &next).await.unwrap());
            orders.refuse(&attempt, &Refusal::CheckoutAborted).await;
        }
    }
}

#[actix_web::test]
async fn begin_of_an_unknown_order_leaves_nothing() {
    let orders = TestOrders::start().await;
    let order = order("17");
    let tx = TxId::mint(orders.shard_of(&order), now_ms());
    let truth = expect_standing(orders.begin(&order, &tx).await.unwrap());
    assert_eq!(truth.status, Status::Unknown);
    assert!(orders.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn begin_leaves_an_order_of_a_later_release_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let tx = orders.later_tx(&order).await;
    orders.make_newer(&order).await;
    let before = orders.raw.everything().await;
    let truth = expect_standing(orders.begin(&order, &tx).await.unwrap());
    assert_eq!(truth.status, Status::Newer);
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn begin_of_an_empty_cart_has_no_lines() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let attempt = orders.begun(&order).await;
    assert_eq!((attempt.total, attempt.lines.len()), (0, 0));
}

#[actix_web::test]
async fn begin_of_a_large_cart_hands_out_every_line() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let cart = orders.cart_key(&order);
    let lines: Vec<String> = (0..1000).flat_map(|line| [format!("item_{line}"), "2 6".to_owned()]).collect();
    let fields: Vec<&str> = lines.iter().map(String::as_str).collect();
    orders.raw.tell(&[&["HSET", &cart], fields.as_slice()].concat()).await;
    let attempt = orders.begun(&order).await;
    assert_eq!(attempt.lines.len(), 1000);
    assert!(attempt.lines.iter().all(|(_, units)| *units == 2));
}

#[actix_web::test]
async fn begin_hands_out_the_largest_amounts_exactly() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    orders.add(&order, "a", AMOUNT_MAX, 1).await;
    let attempt = orders.begun(&order).await;
    assert_eq!(attempt.total, AMOUNT_MAX);
    assert_eq!(attempt.lines, [(item("a"), AMOUNT_MAX)]);
}

#[actix_web::test]
async fn begin_tells_the_incarnation_of_a_foreign_order() {
    let orders = TestOrders::start().await;
    orders::load(&orders.shards, &loads(), 1, 4, 3, 7).await.unwrap();
    let zero = order("0");
    let attempt = orders.begun(&zero).await;
    assert_eq!(attempt.incarnation, orders.field(&zero, "incarnation").await);
    assert!(!attempt.incarnation.is_empty());
}

#[actix_web::test]
async fn begin_by_many_at_once_begins_one() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let mut txs = Vec::new();
    for _ in 0..30 {
        txs.push(orders.later_tx(&order).await);
    }
    let begun = join_all(txs.iter().map(|tx| orders.begin(&order, tx))).await;

    let current = orders.field(&order, "tx").await;
    let mut attempts = 0;
    for begun in begun {
        match begun.unwrap() {
            Begun::Attempt(attempt) => {
                assert_eq!(attempt.tx.as_str(), current);
                attempts += 1;
            }
            Begun::NotBegun(truth) => {
                assert_eq!((truth.status, truth.tx), (Status::Pending, current.clone()));
            }
            Begun::Moved { .. } => panic!("all are later than the order"),
        }
    }
    assert_eq!(attempts, 1);
}
