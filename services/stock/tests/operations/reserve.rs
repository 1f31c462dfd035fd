//! Reserve: all lines that an attempt wants of a shard, or none.

use shardcart_protocol::participant::{Answer, Refusal};
use shardcart_schema::reservation_record;
use shardcart_stock::items;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::ItemId;

use crate::support::{NEWER_HELD, NEWER_TOMBSTONES, TestStock, Units, amount, item, loads};

fn insufficient(item: &ItemId) -> Answer {
    Answer::Refused(Refusal::InsufficientStock(item.clone()))
}

fn unknown(item: &ItemId) -> Answer {
    Answer::Refused(Refusal::UnknownItem(item.clone()))
}

fn busy(item: &ItemId) -> Answer {
    Answer::Busy(Refusal::InsufficientStock(item.clone()))
}

#[actix_web::test]
async fn reserve_holds_every_line() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 2]).await;
    let attempt = stock.attempt(&a).await;

    assert_eq!(stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await, Answer::Held);

    assert_eq!(stock.stock_and_held(&a).await, [2, 3]);
    assert_eq!(stock.stock_and_held(&b).await, [0, 2]);
    stock.assert_held(&attempt).await;
}

#[actix_web::test]
async fn reserve_writes_a_record_that_other_releases_can_read() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 2]).await;
    let attempt = stock.attempt(&a).await;
    stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await;

    // As common/src/held.rs tells it, written down by hand: what lies in Redis outlives a release.
    let line = |item: &ItemId, units: f64| {
        let key = stock.key(item);
        [&[key.len() as u8], key.as_bytes(), &units.to_le_bytes()].concat()
    };
    let deadline = (attempt.deadline_ms as f64).to_le_bytes();
    let order = attempt.order.as_str().as_bytes();
    let expected = [b"\x01u", &deadline[..], &[2, 0], &line(&a, 3.0), &line(&b, 2.0), order].concat();
    assert_eq!(stock.held_for(&attempt).await, Some(expected));
}

#[actix_web::test]
async fn reserve_replayed_answers_held_and_takes_nothing_more() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 2]).await;
    let attempt = stock.attempt(&a).await;
    stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await;
    let before = stock.raw.everything().await;

    for _ in 0..3 {
        assert_eq!(stock.reserve(&attempt, &[(&a, 3), (&b, 2)]).await, Answer::Held);
    }

    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn reserve_replayed_after_the_deadline_still_answers_held() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    // The reserve must come before the deadline, however slow the machine.
    let attempt = loop {
        let attempt = stock.attempt_for(&item, 500).await;
        match stock.reserve(&attempt, &[(&item, 2)]).await {
            Answer::Held => break attempt,
            other => assert_eq!(other, Answer::Expired),
        }
    };
    stock.raw.wait_until_after(attempt.deadline_ms).await;

    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Held);
    assert_eq!(stock.stock_and_held(&item).await, [3, 2]);
    stock.assert_held(&attempt).await;
}

#[actix_web::test]
async fn reserve_replayed_answers_held_when_the_last_units_are_gone_since() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    items::subtract(&stock.shards, &item, amount(3), None).await.unwrap();

    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Held);
    assert_eq!(stock.stock_and_held(&item).await, [0, 2]);
}

#[actix_web::test]
async fn reserve_after_its_deadline_is_expired_and_leaves_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.late_attempt(&item, 1000).await;
    let before = stock.raw.everything().await;

    for _ in 0..2 {
        assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Expired);
    }
    // Time is looked at before what there is.
    assert_eq!(stock.reserve(&attempt, &[(&item, 9)]).await, Answer::Expired);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn reserve_after_its_cancel_is_cancelled() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.cancel(&attempt).await;

    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Cancelled);

    assert_eq!(stock.stock_and_held(&item).await, [5, 0]);
    stock.assert_tombstone(&attempt, "CANCELLED").await;
}

#[actix_web::test]
async fn reserve_after_its_confirm_is_confirmed() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;
    stock.confirm(&attempt).await;

    assert_eq!(stock.reserve(&attempt, &[(&item, 2)]).await, Answer::Confirmed);

    assert_eq!(stock.stock_and_held(&item).await, [3, 0]);
    stock.assert_tombstone(&attempt, "CONFIRMED").await;
}

#[actix_web::test]
async fn reserve_after_confirm_or_cancel_keeps_their_answer_when_the_deadline_has_passed() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [confirmed, cancelled] = [stock.late_attempt(&item, 5_000).await, stock.late_attempt(&item, 5_000).await];
    let lines = [(stock.key(&item), 2)];
    let held = reservation_record::units(confirmed.deadline_ms, confirmed.order.as_str(), lines.into_iter());
    stock.hold(&confirmed, &held).await;
    assert_eq!(stock.confirm(&confirmed).await, Answer::Confirmed);
    assert_eq!(stock.cancel(&cancelled).await, Answer::Cancelled);

    assert_eq!(stock.reserve(&confirmed, &[(&item, 2)]).await, Answer::Confirmed);
    assert_eq!(stock.reserve(&cancelled, &[(&item, 2)]).await, Answer::Cancelled);
}

#[actix_web::test]
async fn reserve_of_an_unknown_item_is_refused_for_good() {
    let stock = TestStock::start().await;
    let missing = item("17");
    let attempt = stock.attempt(&missing).await;

    assert_eq!(stock.reserve(&attempt, &[(&missing, 1)]).await, unknown(&missing));
    stock.assert_tombstone(&attempt, "UNKNOWN 1").await;
    assert_eq!(stock.raw.everything().await.len(), 1, "nothing but the tombstone: no item is made");

    items::load(&stock.shards, &loads(), 18, amount(5), amount(1)).await.unwrap();
    assert_eq!(stock.reserve(&attempt, &[(&missing, 1)]).await, unknown(&missing), "a repeat gets the first answer");
    assert_eq!(stock.stock_and_held(&missing).await, [5, 0]);
}

#[actix_web::test]
async fn reserve_of_too_much_is_refused_for_good() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;

    assert_eq!(stock.reserve(&attempt, &[(&item, 6)]).await, insufficient(&item));
    stock.assert_tombstone(&attempt, "INSUFFICIENT 1").await;

    stock.add(&item, 10).await;
    assert_eq!(stock.reserve(&attempt, &[(&item, 6)]).await, insufficient(&item), "a repeat gets the first answer");
    assert_eq!(stock.stock_and_held(&item).await, [15, 0]);
}

#[actix_web::test]
async fn reserve_is_busy_while_only_others_holds_stand_in_its_way() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 3)]).await;
    let before = stock.raw.everything().await;

    assert_eq!(stock.reserve(&second, &[(&item, 3)]).await, busy(&item));
    assert_eq!(stock.raw.everything().await, before, "busy is not final and leaves nothing");

    stock.cancel(&first).await;
    assert_eq!(stock.reserve(&second, &[(&item, 3)]).await, Answer::Held);
}

#[actix_web::test]
async fn reserve_that_was_busy_is_refused_when_the_others_are_confirmed() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 3)]).await;
    assert_eq!(stock.reserve(&second, &[(&item, 3)]).await, busy(&item));

    stock.confirm(&first).await;

    assert_eq!(stock.reserve(&second, &[(&item, 3)]).await, insufficient(&item));
    stock.assert_tombstone(&second, "INSUFFICIENT 1").await;
}

#[actix_web::test]
async fn reserve_of_more_than_was_ever_there_is_refused_though_others_hold_some() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];
    stock.reserve(&first, &[(&item, 3)]).await;

    assert_eq!(stock.reserve(&second, &[(&item, 6)]).await, insufficient(&item));
    assert_eq!(stock.stock_and_held(&item).await, [2, 3]);
}

#[actix_web::test]
async fn reserve_reports_unknown_before_insufficient_before_busy_in_any_order_of_lines() {
    let stock = TestStock::start().await;
    let [enough, short, held] = stock.items_with([9, 1, 3]).await;
    let missing = item("nowhere");
    let other = stock.attempt(&held).await;
    stock.reserve(&other, &[(&held, 3)]).await;
    let items = [&enough, &short, &held, &missing];
    let before = stock.raw.everything().await;

    // Every choice of lines, in every order.
    for lines in orders_of(&items) {
        let attempt = stock.attempt(&enough).await;
        let wanted: Vec<(&ItemId, u64)> = lines.iter().map(|item| (*item, 2)).collect();
        let has = |item: &ItemId| lines.contains(&item);
        let expected = match () {
            () if has(&missing) => unknown(&missing),
            () if has(&short) => insufficient(&short),
            () if has(&held) => busy(&held),
            () => Answer::Held,
        };

        assert_eq!(stock.reserve(&attempt, &wanted).await, expected, "{wanted:?}");
        assert_eq!(stock.reserve(&attempt, &wanted).await, expected, "{wanted:?}, replayed");
        if expected == Answer::Held {
            stock.cancel(&attempt).await;
        }
        stock.forget(&attempt).await;
        assert_eq!(stock.raw.everything().await, before, "{wanted:?}: all or nothing, and given back");
    }
}

/// All non-empty choices of things, in all orders.
fn orders_of<'a>(things: &[&'a ItemId]) -> Vec<Vec<&'a ItemId>> {
    let mut all: Vec<Vec<&ItemId>> = vec![Vec::new()];
    let mut place = 0;
    while place < all.len() {
        let longer: Vec<Vec<&ItemId>> = things
            .iter()
            .filter(|thing| !all[place].contains(thing))
            .map(|thing| [all[place].as_slice(), &[*thing]].concat())
            .collect();
        all.extend(longer);
        place += 1;
    }
    all.remove(0);
    all
}

#[actix_web::test]
async fn reserve_names_the_first_short_item() {
    let stock = TestStock::start().await;
    let [enough, a, b] = stock.items_with([9, 1, 1]).await;
    for (lines, named) in [([(&enough, 2), (&a, 2), (&b, 2)], &a), ([(&b, 2), (&enough, 2), (&a, 2)], &b)] {
        let attempt = stock.attempt(&enough).await;
        assert_eq!(stock.reserve(&attempt, &lines).await, insufficient(named));
    }
}

#[actix_web::test]
async fn reserve_of_a_large_cart_takes_all_of_it_or_nothing() {
    let stock = TestStock::start().await;
    items::load(&stock.shards, &loads(), 1000, amount(1), amount(1)).await.unwrap();
    let items: Vec<ItemId> = (0..1000).map(|number| item(&number.to_string())).collect();
    let lines: Vec<(&ItemId, u64)> = items.iter().map(|item| (item, 1)).collect();
    let [first, second, third] =
        [stock.attempt(&items[0]).await, stock.attempt(&items[0]).await, stock.attempt(&items[0]).await];

    assert_eq!(stock.reserve(&first, &lines).await, Answer::Held);
    assert_eq!(stock.reserve(&second, &lines).await, busy(&items[0]));
    assert_eq!(stock.cancel(&first).await, Answer::Cancelled);

    items::subtract(&stock.shards, &items[999], amount(1), None).await.unwrap();
    let before = stock.raw.everything().await;
    assert_eq!(stock.reserve(&third, &lines).await, insufficient(&items[999]));
    stock.assert_tombstone(&third, "INSUFFICIENT 1000").await;
    assert_eq!(stock.reserve(&third, &lines).await, insufficient(&items[999]), "the line is read from the tombstone");
    stock.forget(&third).await;
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn reserve_leaves_an_item_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let [old, new] = stock.items_with([5, 5]).await;
    stock.make_newer(&new).await;
    let before = stock.raw.everything().await;
    for lines in [vec![(&new, 1)], vec![(&old, 1), (&new, 1)], vec![(&new, 1), (&old, 1)]] {
        let attempt = stock.attempt(&old).await;
        assert_eq!(stock.reserve(&attempt, &lines).await, Answer::Newer, "{lines:?}");
        assert_eq!(stock.raw.everything().await, before, "{lines:?}");
    }
}

#[actix_web::test]
async fn reserve_leaves_what_a_later_release_holds_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for held in NEWER_HELD {
        stock.hold(&attempt, held).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.reserve(&attempt, &[(&item, 1)]).await, Answer::Newer, "{held:?}");
        assert_eq!(stock.raw.everything().await, before, "{held:?}");
    }
}

#[actix_web::test]
async fn reserve_leaves_a_tombstone_of_a_later_release_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    for tombstone in NEWER_TOMBSTONES {
        stock.bury(&attempt, tombstone).await;
        let before = stock.raw.everything().await;
        assert_eq!(stock.reserve(&attempt, &[(&item, 1)]).await, Answer::Newer, "{tombstone:?}");
        assert_eq!(stock.raw.everything().await, before, "{tombstone:?}");
    }
}

#[actix_web::test]
async fn reserve_of_the_largest_amount_is_exact_and_keeps_whole_numbers() {
    let stock = TestStock::start().await;
    // 10^15 and 10^16 are where a careless number turns into `1e+15`.
    for units in [1_000_000_000_000_000, AMOUNT_MAX - 1, AMOUNT_MAX] {
        let item = stock.item_with(units).await;
        let [first, second] = [stock.attempt(&item).await, stock.attempt(&item).await];

        assert_eq!(stock.reserve(&first, &[(&item, units)]).await, Answer::Held);
        assert_eq!(stock.stock_and_held(&item).await, [0, units]);
        assert_eq!(stock.cancel(&first).await, Answer::Cancelled);
        assert_eq!(stock.stock_and_held(&item).await, [units, 0]);

        assert_eq!(stock.reserve(&second, &[(&item, units - 1)]).await, Answer::Held);
        assert_eq!(stock.stock_and_held(&item).await, [1, units - 1]);
        assert_eq!(stock.confirm(&second).await, Answer::Confirmed);
        assert_eq!(stock.units(&item).await, Units { stock: 1, held: 0, net: units });
    }
}

#[actix_web::test]
async fn reserve_one_above_the_largest_stock_is_refused_exactly() {
    let stock = TestStock::start().await;
    let item = stock.item_with(AMOUNT_MAX - 1).await;
    let attempt = stock.attempt(&item).await;
    assert_eq!(stock.reserve(&attempt, &[(&item, AMOUNT_MAX)]).await, insufficient(&item));
}

#[actix_web::test]
async fn reserve_lists_exactly_what_is_held() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let mut attempts = Vec::new();
    for number in 0..16 {
        attempts.push(stock.attempt_for(&item, 60_000 + number).await);
    }
    // Five each are held, confirmed and cancelled; one is refused.
    for (number, attempt) in attempts.iter().enumerate() {
        let units = if number == 15 { 99 } else { 1 };
        stock.reserve(attempt, &[(&item, units)]).await;
        match number % 3 {
            1 => _ = stock.confirm(attempt).await,
            2 => _ = stock.cancel(attempt).await,
            _ => {}
        }
    }

    let mut expected: Vec<(String, u64)> =
        [0, 3, 6, 9, 12].map(|number: usize| (attempts[number].tx.to_string(), attempts[number].deadline_ms)).to_vec();
    expected.sort();
    assert_eq!(stock.held().await, expected);
    assert_eq!(stock.stock_and_held(&item).await, [0, 5]);
}
