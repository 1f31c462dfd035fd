//! Confirm: what an attempt holds is sold.

use shardcart_protocol::participant::Answer;
use shardcart_stock::items;
use shardcart_types::ids::ItemId;

use crate::support::{Attempt, NEWER_HELD, NEWER_TOMBSTONES, TestStock, Units, amount, item, loads};

#[actix_web::test]
async fn confirm_sells_every_line() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 2]).await;
    let attempt = stock.attempt(&a).await;
    stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await;

    assert_eq!(stock.confirm(&attempt).await, Answer::Confirmed);

    let [left_a, left_b] = [stock.units(&a).await, stock.units(&b).await];
    assert_eq!(left_a, Units { stock: 2, held: 0, net: 5 });
    assert_eq!(left_b, Units { stock: 0, held: 0, net: 2 });
    stock.assert_tombstone(&attempt, "CONFIRMED").await;
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn confirm_replayed_answers_confirmed_and_sells_nothing_more() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.confirm(&attempt).await;
    let before = stock.raw.everything().await;

    for _ in 0..3 {
        assert_eq!(stock.confirm(&attempt).await, Answer::Confirmed);
    }

    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_before_reserve_is_lost_and_leaves_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.confirm(&attempt).await, Answer::Lost);
    assert_eq!(stock.raw.everything().await, before);

    assert_eq!(
        stock.reserve(&attempt, &[(&item, 2)]).await,
        Answer::Held,
        "the reserve that comes late is not stopped"
    );
    assert_eq!(stock.confirm(&attempt).await, Answer::Confirmed);
}

#[actix_web::test]
async fn confirm_of_an_unknown_reservation_is_gone_a_minute_after_the_deadline() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let before = stock.raw.everything().await;
    for (ago_ms, expected) in [(1_000, Answer::Lost), (50_000, Answer::Lost), (60_000, Answer::Gone)] {
        let attempt = stock.late_attempt(&item, ago_ms).await;
        assert_eq!(stock.confirm(&attempt).await, expected, "{ago_ms} ms after the deadline");
    }
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_of_a_cancelled_reservation_is_a_conflict_and_writes_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.cancel(&attempt).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.confirm(&attempt).await, Answer::Conflict);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_of_a_refused_reservation_is_a_conflict_and_writes_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 6)]).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.confirm(&attempt).await, Answer::Conflict);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_works_however_late_it_comes() {
    let stock = TestStock::start().await;
    for ago_ms in [1_000, 61_000, 80_000, 86_400_000] {
        let item = stock.item_with(5).await;
        let mut attempt = stock.attempt(&item).await;
        stock.reserve(&attempt, &[(&item, 2)]).await;
        attempt.deadline_ms = stock.raw.now_ms().await - ago_ms;

        assert_eq!(stock.confirm(&attempt).await, Answer::Confirmed, "{ago_ms} ms after the deadline");
        let sold = Units { stock: 3, held: 0, net: 5 };
        assert_eq!(stock.units(&item).await, sold, "{ago_ms} ms after the deadline");

        // Replayed, it finds its tombstone, or that it was settled long ago.
        let again = stock.confirm(&attempt).await;
        assert!(matches!(again, Answer::Confirmed | Answer::Gone), "{again:?}");
        assert_eq!(stock.units(&item).await, sold);
    }
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn confirm_touches_only_its_own_attempt() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 2)]).await;
    stock.reserve(&second, &[(&item, 1)]).await;

    stock.confirm(&first).await;

    assert_eq!(stock.stock_and_held(&item).await, [2, 1]);
    stock.assert_held(&second).await;
    assert_eq!(stock.held().await, [(second.tx.to_string(), second.deadline_ms)]);
}

#[actix_web::test]
async fn confirm_keeps_what_was_added_and_taken_out_meanwhile() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.add(&item, 10).await;
    items::subtract(&stock.shards, &item, amount(4), None).await.unwrap();

    stock.confirm(&attempt).await;

    let left = stock.units(&item).await;
    assert_eq!(left, Units { stock: 9, held: 0, net: 11 });
    assert_eq!(left.sold(), 2);
}

#[actix_web::test]
async fn confirm_leaves_what_a_later_release_holds_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for held in NEWER_HELD {
        stock.hold(&attempt, held).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.confirm(&attempt).await, Answer::Newer, "{held:?}");
        assert_eq!(stock.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn confirm_leaves_a_tombstone_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for tombstone in NEWER_TOMBSTONES {
        stock.bury(&attempt, tombstone).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.confirm(&attempt).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(stock.raw.everything().await, before, "{tombstone:?}");
    }
}

#[actix_web::test]
async fn confirm_leaves_an_item_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let [old, new] = stock.items_with([5, 5]).await;
    let attempt = stock.attempt(&old).await;
    stock.reserve(&attempt, &[(&old, 1), (&new, 1)]).await;
    stock.make_newer(&new).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.confirm(&attempt).await, Answer::Newer);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn confirm_and_cancel_of_many_large_carts_in_one_call_settle_every_line() {
    const CARTS: usize = 12;
    const LINES: usize = 1000;
    let stock = TestStock::start().await;
    items::load(&stock.shards, &loads(), (CARTS * LINES) as u64, amount(5), amount(1)).await.unwrap();
    let items: Vec<ItemId> = (0..CARTS * LINES).map(|number| item(&number.to_string())).collect();
    let deadline_ms = stock.raw.now_ms().await + 60_000;
    for is_sold in [true, false] {
        let mut operations = Vec::new();
        for cart in items.chunks(LINES) {
            let attempt = Attempt::new(stock.tag(), deadline_ms);
            let lines: Vec<(&ItemId, u64)> = cart.iter().map(|item| (item, 2)).collect();
            assert_eq!(stock.reserve(&attempt, &lines).await, Answer::Held);
            operations.push(if is_sold { attempt.confirm() } else { attempt.cancel() });
        }

        let answers = stock.run_all(operations).await.unwrap();

        let expected = if is_sold { Answer::Confirmed } else { Answer::Cancelled };
        assert_eq!(answers, vec![expected; CARTS]);
        assert!(stock.held().await.is_empty());
        for item in items.iter().step_by(97) {
            assert_eq!(stock.units(item).await, Units { stock: 3, held: 0, net: 5 });
        }
    }
}
