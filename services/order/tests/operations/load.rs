//! Load: orders `0..n` overwritten, while nothing is in flight.

use std::collections::BTreeSet;

use shardcart_order::attempt::{Begun, Status};
use shardcart_order::orders;
use shardcart_protocol::participant::Refusal;
use shardcart_store::bulk::{LOAD_MAX, LoadError};
use shardcart_store::settings::BatchInitSettings;
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::{OrderId, TxId, minted_ms, minted_shard, now_ms};

use crate::support::{PATIENCE, TestOrders, expect_attempt, loads, order};

async fn load(orders: &TestOrders, count: u64, items: u64, users: u64, price: u64) -> Result<(), LoadError> {
    orders::load(&orders.shards, &loads(), count, items, users, price).await
}

#[actix_web::test]
async fn load_writes_every_order_with_two_units_of_known_items_and_a_known_user() {
    let orders = TestOrders::start().await;

    // More than one call's worth.
    load(&orders, 1203, 4, 3, 7).await.unwrap();

    assert_eq!(orders.raw.everything().await.len(), 2 * 1203);
    let (mut users, mut items) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..1203 {
        let found = orders::find(&orders.shards, &order(&number.to_string())).await.unwrap();
        assert_eq!((found.paid, found.total), (false, 14));
        assert_eq!(found.items.iter().map(|(_, units)| units).sum::<u64>(), 2, "order {number}");
        users.insert(found.user.to_string());
        items.extend(found.items.into_iter().map(|(item, _)| item.to_string()));
    }
    assert_eq!(Vec::from_iter(users), ["0", "1", "2"]);
    assert_eq!(Vec::from_iter(items), ["0", "1", "2", "3"]);
}

#[actix_web::test]
async fn load_of_one_item_makes_one_line_of_two_units() {
    let orders = TestOrders::start().await;
    load(&orders, 1, 1, 1, AMOUNT_MAX / 2).await.unwrap();
    let zero = order("0");
    let total = AMOUNT_MAX - 1;
    assert_eq!(orders.raw.hash(&orders.cart_key(&zero)).await["0"], format!("2 {total}"));
    assert_eq!(orders.field(&zero, "total").await, total.to_string());
}

#[actix_web::test]
async fn load_makes_a_new_incarnation_of_each_order_each_time() {
    let orders = TestOrders::start().await;
    let zero = order("0");
    let mut incarnations = BTreeSet::new();
    for _ in 0..5 {
        load(&orders, 1, 4, 3, 7).await.unwrap();
        let incarnation = orders.field(&zero, "incarnation").await;
        assert_eq!(orders.field(&zero, "tx").await, incarnation, "its moment is the first last tx");
        assert_eq!(orders.order_status(&zero, None).await.1, incarnation);
        incarnations.insert(incarnation);
    }
    assert_eq!(incarnations.len(), 5);
}

#[actix_web::test]
async fn load_forgets_that_an_order_was_paid_and_its_old_attempts_cannot_touch_it() {
    let orders = TestOrders::start().await;
    load(&orders, 1, 4, 3, 7).await.unwrap();
    let zero = order("0");
    // Minted by a coordinator whose clock is an hour ahead of those that load.
    let ahead = TxId::mint(orders.shard_of(&zero), now_ms() + 3_600_000);
    let old = expect_attempt(orders.begin(&zero, &ahead).await.unwrap());
    orders.decide(&old).await;
    orders.finish(&old).await;
    load(&orders, 1, 4, 3, 7).await.unwrap();
    let incarnation = orders.field(&zero, "incarnation").await;
    assert_eq!(minted_ms(&incarnation), ahead.minted_ms() + 1, "later than every attempt before: {incarnation}");
    assert_eq!(minted_shard(&incarnation), Some(orders.shard_of(&zero)), "an id like others: {incarnation}");
    assert_eq!(orders.field(&zero, "tx").await, incarnation);
    let before = orders.raw.everything().await;

    let begun = orders.begin(&zero, &old.tx).await.unwrap();
    assert!(matches!(begun, Begun::Moved { .. }), "{begun:?}");
    for told in [
        orders.decide(&old).await,
        orders.abort(&old, &Refusal::CheckoutAborted).await,
        orders.refuse(&old, &Refusal::CheckoutAborted).await,
        orders.order_status(&zero, Some(&old.tx)).await.0,
    ] {
        assert_eq!(told.status, Status::Open);
        assert_ne!(told.tx, old.tx.as_str());
    }
    orders.finish(&old).await;
    assert_eq!(orders.raw.everything().await, before);

    let new = orders.begun(&zero).await;
    assert_ne!(new.incarnation, old.incarnation);
}

#[actix_web::test]
async fn load_keeps_what_overwritten_paid_orders_had_bought_and_of_others_nothing() {
    let orders = TestOrders::start().await;
    let overwritten = async || {
        let mut units = std::collections::BTreeMap::new();
        for (key, lines) in orders.raw.everything().await.into_iter().filter(|(key, _)| key.ends_with(":overwritten")) {
            assert_eq!(key, "{o0ahjy}:overwritten");
            for line in lines.split(' ') {
                let (item, sold) = line.split_once('=').unwrap();
                *units.entry(item.to_owned()).or_insert(0) += sold.parse::<u64>().unwrap();
            }
        }
        units
    };
    let mut bought = std::collections::BTreeMap::new();
    for _ in 0..2 {
        load(&orders, 20, 4, 3, 7).await.unwrap();
        for number in 0..10 {
            let paid = order(&number.to_string());
            orders.add(&paid, "1", 5, 7).await;
            for (item, units) in orders::find(&orders.shards, &paid).await.unwrap().items {
                *bought.entry(item.to_string()).or_insert(0) += units;
            }
            let attempt = orders.begun(&paid).await;
            orders.decide(&attempt).await;
            orders.finish(&attempt).await;
        }
    }

    load(&orders, 20, 4, 3, 7).await.unwrap();
    assert_eq!(overwritten().await, bought);
    load(&orders, 20, 4, 3, 7).await.unwrap();
    assert_eq!(overwritten().await, bought, "each once");
}

#[actix_web::test]
async fn load_removes_what_a_larger_one_wrote_beyond_it_and_keeps_what_paid_orders_had_bought() {
    let orders = TestOrders::start().await;
    load(&orders, 2603, 1, 3, 7).await.unwrap();
    let (other, paid, ahead) = (orders.filled_order().await, order("2000"), order("1000"));
    let attempt = orders.begun(&paid).await;
    orders.decide(&attempt).await;
    orders.finish(&attempt).await;
    // Of a coordinator whose clock is an hour ahead: its order stays.
    let tx = TxId::mint(orders.shard_of(&ahead), now_ms() + 3_600_000);
    let attempt = expect_attempt(orders.begin(&ahead, &tx).await.unwrap());
    orders.decide(&attempt).await;
    orders.finish(&attempt).await;

    for _ in 0..2 {
        load(&orders, 1, 1, 3, 7).await.unwrap();
        let left = orders.raw.everything().await;
        assert_eq!(left["{o0ahjy}:overwritten"], "0=2");
        // Two keys each, of the order that was loaded, the minted one, and the one that stays.
        assert_eq!(left.len(), 1 + 2 * 3, "{left:?}");
        assert_eq!((orders.status(&other).await, orders.status(&ahead).await), ("open".to_owned(), "paid".to_owned()));
    }
}

#[actix_web::test]
async fn load_is_refused_while_anything_is_in_flight_on_the_shard() {
    let orders = TestOrders::start().await;
    let other = OrderId::mint(0, now_ms());
    orders.set_due(&other, Some(1)).await;
    let before = orders.raw.everything().await;

    let loaded = load(&orders, 3, 4, 3, 7).await;

    assert!(matches!(loaded, Err(LoadError::InUse)), "{loaded:?}");
    assert_eq!(orders.raw.everything().await, before);
    orders.set_due(&other, None).await;
    load(&orders, 3, 4, 3, 7).await.unwrap();
}

#[actix_web::test]
async fn load_waits_until_what_is_in_flight_is_settled() {
    let orders = TestOrders::start().await;
    let other = orders.filled_order().await;
    let attempt = orders.begun(&other).await;
    let patient = BatchInitSettings { batch_init_wait_ms: PATIENCE, ..loads() };

    let loaded = orders::load(&orders.shards, &patient, 3, 4, 3, 7);
    let settled = async {
        orders.decide(&attempt).await;
        assert_eq!(orders.raw.everything().await.len(), 3, "order, cart, in flight: no load yet");
        orders.finish(&attempt).await
    };
    let (settled, loaded) = futures_util::future::join(settled, loaded).await;

    assert_eq!(settled.status, Status::Paid);
    loaded.unwrap();
    assert_eq!(orders.status(&other).await, "paid");
    assert_eq!(orders.status(&order("2")).await, "open");
}

#[actix_web::test]
async fn load_is_refused_where_it_is_not_allowed_and_beyond_its_limit() {
    let orders = TestOrders::start().await;
    let forbidden = BatchInitSettings { allow_batch_init: false, ..loads() };
    let loaded = orders::load(&orders.shards, &forbidden, 1, 4, 3, 7).await;
    assert!(matches!(loaded, Err(LoadError::Forbidden)), "{loaded:?}");
    let loaded = load(&orders, LOAD_MAX + 1, 4, 3, 7).await;
    assert!(matches!(loaded, Err(LoadError::TooMany)), "{loaded:?}");
    assert!(orders.raw.everything().await.is_empty());
}
