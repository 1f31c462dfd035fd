//! Load: items `0..n` overwritten, while nothing is held.

use shardcart_protocol::participant::Answer;
use shardcart_stock::items::{self, Item};
use shardcart_store::bulk::{LOAD_MAX, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_types::amount::AMOUNT_MAX;

use crate::support::{Attempt, PATIENCE, TestStock, Units, amount, item, loads};

async fn load(stock: &TestStock, count: u64, units: u64, price: u64) -> Result<(), LoadError> {
    items::load(&stock.shards, &loads(), count, amount(units), amount(price)).await
}

#[actix_web::test]
async fn load_writes_every_item_once() {
    let stock = TestStock::start().await;

    // More than one call's worth.
    load(&stock, 1203, 5, 7).await.unwrap();

    let everything = stock.raw.everything().await;
    assert_eq!(everything.len(), 1203);
    for number in 0..1203 {
        let key = stock.key(&item(&number.to_string()));
        let loaded = everything.get(&key).map(String::as_str).unwrap_or_default();
        let incarnation =
            loaded.strip_prefix("held=0 incarnation=").and_then(|rest| rest.strip_suffix(" net=5 price=7 stock=5"));
        // Microseconds: 16 digits, until the year 2286.
        assert!(
            incarnation.is_some_and(|incarnation| incarnation.len() == 16 && incarnation.parse::<u64>().is_ok()),
            "item {number}: {loaded:?}"
        );
    }
}

#[actix_web::test]
async fn load_of_nothing_writes_nothing() {
    let stock = TestStock::start().await;
    load(&stock, 0, 5, 7).await.unwrap();
    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn load_repeated_overwrites_and_leaves_other_items_alone() {
    let stock = TestStock::start().await;
    load(&stock, 3, 5, 7).await.unwrap();
    let (other, sold) = (stock.item_with(4).await, item("1"));
    let attempt = stock.attempt(&sold).await;
    stock.reserve(&attempt, &[(&sold, 2)]).await;
    stock.confirm(&attempt).await;

    load(&stock, 3, 9, 8).await.unwrap();

    for number in ["0", "1", "2"] {
        let found = items::find(&stock.shards, &item(number)).await.unwrap();
        assert_eq!(found, Item { stock: 9, price: 8 });
        assert_eq!(stock.units(&item(number)).await.sold(), 0, "what was sold in an earlier incarnation is forgotten");
    }
    assert_eq!(stock.units(&other).await.stock, 4);
}

#[actix_web::test]
async fn load_keeps_what_earlier_lives_have_sold() {
    let stock = TestStock::start().await;
    let (zero, before) = (item("0"), async || stock.raw.record(&stock.key(&item("0"))).await.get("before").cloned());
    load(&stock, 1, 5, 7).await.unwrap();
    load(&stock, 1, 5, 7).await.unwrap();
    assert_eq!(before().await, None, "nothing was sold");
    for (sold, in_all) in [(2, "2"), (3, "5"), (0, "5")] {
        stock.add(&zero, 10).await;
        items::subtract(&stock.shards, &zero, amount(1), None).await.unwrap();
        if sold > 0 {
            let attempt = stock.attempt(&zero).await;
            stock.reserve(&attempt, &[(&zero, sold)]).await;
            stock.confirm(&attempt).await;
        }
        load(&stock, 1, 5, 7).await.unwrap();
        assert_eq!(before().await.as_deref(), Some(in_all));
        assert_eq!(stock.units(&zero).await, Units { stock: 5, held: 0, net: 5 });
    }
}

#[actix_web::test]
async fn load_removes_what_a_larger_one_wrote_beyond_it_and_keeps_what_was_sold() {
    let stock = TestStock::start().await;
    load(&stock, 2603, 5, 7).await.unwrap();
    let (other, sold) = (stock.item_with(4).await, item("2000"));
    let attempt = stock.attempt(&sold).await;
    stock.reserve(&attempt, &[(&sold, 2)]).await;
    stock.confirm(&attempt).await;
    let sold_as_product = item("1000");
    stock.raw.tell(&["SET", &stock.key(&sold_as_product).replace(":item:", ":product:"), "a document"]).await;
    let held = stock.attempt(&other).await;
    stock.reserve(&held, &[(&other, 1)]).await;
    let before = stock.raw.everything().await;
    assert!(matches!(load(&stock, 1, 5, 7).await, Err(LoadError::InUse)));
    assert_eq!(stock.raw.everything().await, before);
    stock.cancel(&held).await;
    stock.raw.fill().await;
    let loaded = load(&stock, 1, 5, 7).await;
    assert!(matches!(loaded, Err(LoadError::Shard(_))), "nothing has room for the load itself: {loaded:?}");
    stock.raw.make_room().await;

    for _ in 0..2 {
        load(&stock, 1, 9, 8).await.unwrap();
        let items = stock.raw.everything().await.into_keys().filter(|key| key.contains(":item:"));
        assert_eq!(
            items.collect::<std::collections::BTreeSet<_>>(),
            [item("0"), sold.clone(), other.clone(), sold_as_product.clone()].map(|item| stock.key(&item)).into()
        );
        for stays in [&sold, &sold_as_product] {
            assert_eq!(stock.units(stays).await, Units { stock: 0, held: 0, net: 0 });
        }
        assert_eq!(stock.raw.record(&stock.key(&sold_as_product)).await.get("before"), None);
        assert_eq!(stock.raw.number(&stock.key(&sold), "before").await, 2);
        assert_eq!((stock.units(&item("0")).await.stock, stock.units(&other).await.stock), (9, 4));
    }
}

#[actix_web::test]
async fn load_keeps_what_was_sold_as_exactly_as_a_double_counts() {
    let stock = TestStock::start().await;
    let zero = item("0");
    // All of the largest amount twice; a third time, three times that lies between two doubles, which are 4 apart there.
    for (units, in_all, off) in [
        (AMOUNT_MAX - 1, AMOUNT_MAX - 1, 0),
        (1, AMOUNT_MAX, 0),
        (AMOUNT_MAX, 2 * AMOUNT_MAX, 0),
        (AMOUNT_MAX, 3 * AMOUNT_MAX, 1),
    ] {
        load(&stock, 1, units, 7).await.unwrap();
        let attempt = stock.attempt(&zero).await;
        stock.reserve(&attempt, &[(&zero, units)]).await;
        stock.confirm(&attempt).await;
        load(&stock, 1, 1, 7).await.unwrap();
        assert_eq!(stock.raw.number(&stock.key(&zero), "before").await, in_all - off);
    }
}

#[actix_web::test]
async fn load_keeps_the_largest_amounts_exactly() {
    let stock = TestStock::start().await;
    load(&stock, 2, AMOUNT_MAX, AMOUNT_MAX).await.unwrap();
    let units = Units { stock: AMOUNT_MAX, held: 0, net: AMOUNT_MAX };
    assert_eq!(stock.units(&item("1")).await, units);
    assert_eq!(items::find(&stock.shards, &item("1")).await.unwrap().price, AMOUNT_MAX);
}

#[actix_web::test]
async fn load_is_refused_while_anything_is_held_on_the_shard() {
    let stock = TestStock::start().await;
    let attempt = Attempt::new(stock.tag(), stock.raw.now_ms().await + 60_000);
    stock.hold(&attempt, b"whatever it is").await;
    let before = stock.raw.everything().await;

    let loaded = load(&stock, 3, 5, 7).await;

    assert!(matches!(loaded, Err(LoadError::InUse)), "{loaded:?}");
    assert_eq!(stock.raw.everything().await, before);
    stock.forget(&attempt).await;
    load(&stock, 3, 5, 7).await.unwrap();
}

#[actix_web::test]
async fn load_waits_until_what_is_held_is_settled() {
    let stock = TestStock::start().await;
    let other = stock.item_with(4).await;
    let attempt = stock.attempt(&other).await;
    stock.reserve(&attempt, &[(&other, 1)]).await;
    let patient = BatchInitSettings { batch_init_wait_ms: PATIENCE, ..loads() };

    let loaded = items::load(&stock.shards, &patient, 3, amount(5), amount(7));
    let settled = async {
        assert_eq!(stock.raw.everything().await.len(), 2, "item and held: no load yet");
        stock.confirm(&attempt).await
    };
    let (settled, loaded) = futures_util::future::join(settled, loaded).await;

    assert_eq!(settled, Answer::Confirmed);
    loaded.unwrap();
    assert_eq!(stock.units(&other).await.sold(), 1);
    assert_eq!(stock.units(&item("2")).await.stock, 5);
}

#[actix_web::test]
async fn load_leaves_tombstones_and_they_answer_as_before() {
    let stock = TestStock::start().await;
    load(&stock, 1, 5, 7).await.unwrap();
    let zero = item("0");
    let attempts = [stock.attempt(&zero).await, stock.attempt(&zero).await];
    stock.reserve(&attempts[0], &[(&zero, 1)]).await;
    stock.confirm(&attempts[0]).await;
    stock.cancel(&attempts[1]).await;

    load(&stock, 1, 5, 7).await.unwrap();

    assert_eq!(stock.reserve(&attempts[0], &[(&zero, 1)]).await, Answer::Confirmed);
    assert_eq!(stock.reserve(&attempts[1], &[(&zero, 1)]).await, Answer::Cancelled);
    assert_eq!(stock.units(&zero).await, Units { stock: 5, held: 0, net: 5 });
}

#[actix_web::test]
async fn load_is_refused_where_it_is_not_allowed_and_beyond_its_limit() {
    let stock = TestStock::start().await;
    let forbidden = BatchInitSettings { allow_batch_init: false, ..loads() };

    let loaded = items::load(&stock.shards, &forbidden, 1, amount(5), amount(7)).await;
    assert!(matches!(loaded, Err(LoadError::Forbidden)), "{loaded:?}");
    let loaded = load(&stock, LOAD_MAX + 1, 5, 7).await;
    assert!(matches!(loaded, Err(LoadError::TooMany)), "{loaded:?}");

    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn load_on_a_full_shard_is_refused_and_leaves_nothing() {
    let stock = TestStock::start().await;
    stock.raw.fill().await;
    let loaded = load(&stock, 3, 5, 7).await;
    assert!(matches!(loaded, Err(LoadError::Shard(_))), "{loaded:?}");
    assert!(stock.raw.everything().await.is_empty());
}
