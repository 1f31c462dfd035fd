//! Cancel: what an attempt holds is given back, and nothing will be held for it later.

use shardcart_protocol::participant::{Answer, Refusal};

use crate::support::{NEWER_HELD, NEWER_TOMBSTONES, TestStock, Units};

#[actix_web::test]
async fn cancel_gives_every_line_back() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 2]).await;
    let attempt = stock.attempt(&a).await;
    stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);

    let [left_a, left_b] = [stock.units(&a).await, stock.units(&b).await];
    assert_eq!(left_a, Units { stock: 5, held: 0, net: 5 });
    assert_eq!(left_b, Units { stock: 2, held: 0, net: 2 });
    stock.assert_tombstone(&attempt, "CANCELLED").await;
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn cancel_replayed_answers_cancelled_and_gives_nothing_more() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.cancel(&attempt).await;
    let before = stock.raw.everything().await;

    for _ in 0..3 {
        assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);
    }

    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_before_reserve_leaves_a_tombstone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);

    stock.assert_tombstone(&attempt, "CANCELLED").await;
    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Cancelled);
    assert_eq!(stock.stock_and_held(&item).await, [5, 0]);
}

#[actix_web::test]
async fn cancel_between_deadline_and_a_late_reserve_leaves_a_tombstone_too() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.late_attempt(&item, 1_000).await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);

    stock.assert_tombstone(&attempt, "CANCELLED").await;
}

#[actix_web::test]
async fn cancel_keeps_the_tombstone_of_a_refusal() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 6)]).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);

    assert_eq!(stock.raw.everything().await, before);
    assert_eq!(stock.reserve(&attempt, &[(&item, 6)]).await, Answer::Refused(Refusal::InsufficientStock(item)));
}

#[actix_web::test]
async fn cancel_of_a_busy_reserve_stops_its_copies() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 3)]).await;
    stock.reserve(&second, &[(&item, 3)]).await;

    assert_eq!(stock.cancel(&second).await, Answer::Cancelled);
    stock.cancel(&first).await;

    assert_eq!(stock.reserve(&second, &[(&item, 3)]).await, Answer::Cancelled);
    assert_eq!(stock.stock_and_held(&item).await, [5, 0]);
}

#[actix_web::test]
async fn cancel_of_a_confirmed_reservation_is_a_conflict_and_writes_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.confirm(&attempt).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Conflict);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_works_however_late_it_comes() {
    let stock = TestStock::start().await;
    for ago_ms in [1_000, 61_000, 80_000, 86_400_000] {
        let item = stock.item_with(5).await;
        let mut attempt = stock.attempt(&item).await;
        stock.reserve(&attempt, &[(&item, 2)]).await;
        attempt.deadline_ms = stock.raw.now_ms().await - ago_ms;

        for _ in 0..2 {
            assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled, "{ago_ms} ms after the deadline");
            assert_eq!(stock.stock_and_held(&item).await, [5, 0], "{ago_ms} ms after the deadline");
        }
        let late = stock.reserve(&attempt, &[(&item, 2)]).await;
        assert!(matches!(late, Answer::Cancelled | Answer::Expired), "{late:?}");
    }
    assert!(stock.held().await.is_empty());
}

#[actix_web::test]
async fn cancel_long_after_the_deadline_leaves_no_tombstone_for_ever() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.late_attempt(&item, 71_000).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Cancelled);

    stock.assert_unknown(&attempt).await;
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn cancel_touches_only_its_own_attempt() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 2)]).await;
    stock.reserve(&second, &[(&item, 1)]).await;

    stock.cancel(&first).await;

    assert_eq!(stock.stock_and_held(&item).await, [4, 1]);
    stock.assert_held(&second).await;
    assert_eq!(stock.held().await, [(second.tx.to_string(), second.deadline_ms)]);
}

#[actix_web::test]
async fn cancel_of_an_attempt_that_reserved_on_one_of_two_shards_stops_it_on_the_other() {
    let (here, there) = (TestStock::start().await, TestStock::start().await);
    let (a, b) = (here.item_with(5).await, there.item_with(5).await);
    let attempt = here.attempt(&a).await;
    let part = attempt.clone();
    here.reserve(&attempt, &[(&a, 2)]).await;

    assert_eq!(here.cancel(&attempt).await, Answer::Cancelled);
    assert_eq!(there.cancel(&part).await, Answer::Cancelled);

    assert_eq!(there.reserve(&part, &[(&b, 2)]).await, Answer::Cancelled);
    assert_eq!(here.stock_and_held(&a).await, [5, 0]);
    assert_eq!(there.stock_and_held(&b).await, [5, 0]);
}

#[actix_web::test]
async fn cancel_leaves_what_a_later_release_holds_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for held in NEWER_HELD {
        stock.hold(&attempt, held).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.cancel(&attempt).await, Answer::Newer, "{held:?}");
        assert_eq!(stock.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn cancel_leaves_a_tombstone_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for tombstone in NEWER_TOMBSTONES {
        stock.bury(&attempt, tombstone).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.cancel(&attempt).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(stock.raw.everything().await, before, "{tombstone:?}");
    }
}

#[actix_web::test]
async fn cancel_leaves_an_item_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let [old, new] = stock.items_with([5, 5]).await;
    let attempt = stock.attempt(&old).await;
    stock.reserve(&attempt, &[(&old, 1), (&new, 1)]).await;
    stock.make_newer(&new).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.cancel(&attempt).await, Answer::Newer);
    assert_eq!(stock.raw.everything().await, before);
}
