//! Operations with an idempotency key: done once, however often they are asked for.

use futures_util::future::join_all;
use shardcart_order::error::{OrderError, Result};
use shardcart_order::orders;
use shardcart_schema::limit::IDEMPOTENCY_COUNTED_MS;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{OrderId, minted_shard};

use crate::support::{TestOrders, item, loads, order, quantity, user};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text.as_bytes()).expect("a well-formed key")
}

async fn create(orders: &TestOrders, name: &str, whose: &str) -> Result<Done<OrderId>> {
    orders::create(&orders.shards, &user(whose), Some(&key(name))).await
}

async fn add(orders: &TestOrders, order: &OrderId, units: u64, price: u64, name: &str) -> Result<Done> {
    orders::add_item(&orders.shards, order, &item("a"), quantity(units), price, Some(&key(name))).await
}

async fn remove_item(orders: &TestOrders, order: &OrderId, line: &str, name: &str) -> Result<Done> {
    orders::remove_item(&orders.shards, order, &item(line), Some(&key(name))).await
}

async fn remove(orders: &TestOrders, order: &OrderId, name: &str) -> Result<Done> {
    orders::remove(&orders.shards, order, Some(&key(name))).await
}

async fn was_added(orders: &TestOrders, order: &OrderId, units: u64, name: &str) -> Result<bool> {
    orders::was_added(&orders.shards, order, &item("a"), quantity(units), &key(name)).await
}

/// Where what was done to an order for a key is kept.
fn record(orders: &TestOrders, order: &OrderId, name: &str) -> String {
    key(name).change(orders.first(), order.as_str(), "").record().to_owned()
}

/// What is kept of a request that was done, with its answer.
fn kept(orders: &TestOrders, request: &str, answer: &str) -> Option<String> {
    Some(format!("2 / {} {answer}", key("any").change(orders.first(), "", request).request()))
}

fn is_reused<T: std::fmt::Debug>(done: &Result<T>) -> bool {
    matches!(done, Err(OrderError::KeyReused(_)))
}

#[actix_web::test]
async fn every_operation_with_a_key_is_done_once() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    for (is_replay, price) in [(false, 5), (true, 6), (true, 7)] {
        assert_eq!(
            add(&orders, &order, 3, price, "a").await.unwrap().is_replay,
            is_replay,
            "whatever the price is now"
        );
    }
    for is_replay in [false, true, true] {
        assert_eq!(remove_item(&orders, &order, "a", "r").await.unwrap().is_replay, is_replay);
    }
    assert_eq!(orders.raw.hash(&orders.cart_key(&order)).await["a"], "2 10");
    assert_eq!(orders.field(&order, "total").await, "10");
    assert_eq!(orders.raw.text(&record(&orders, &order, "a")).await, kept(&orders, "addItem a 3", "-"));
    assert_eq!(orders.raw.text(&record(&orders, &order, "r")).await, kept(&orders, "removeItem a", "-"));

    for is_replay in [false, true, true] {
        assert_eq!(remove(&orders, &order, "x").await.unwrap().is_replay, is_replay);
    }
    let other = remove(&orders, &order, "y").await;
    assert!(matches!(other, Err(OrderError::UnknownOrder(_))), "{other:?}");
    assert!(add(&orders, &order, 3, 5, "a").await.unwrap().is_replay, "it was done, to an order that is gone since");
}

#[actix_web::test]
async fn a_key_is_kept_for_a_day() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let before = orders.raw.now_ms().await;
    add(&orders, &order, 3, 5, "a").await.unwrap();
    let after = orders.raw.now_ms().await;
    let end = orders.raw.expires_ms(&record(&orders, &order, "a")).await.expect("a record goes by itself");
    assert!((before + DAY_MS..=after + DAY_MS).contains(&end), "{before} {end} {after}");
}

#[actix_web::test]
async fn a_key_is_refused_for_another_request_of_the_same_order() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    add(&orders, &order, 3, 5, "k").await.unwrap();
    let before = orders.raw.everything().await;

    assert!(is_reused(&add(&orders, &order, 2, 5, "k").await));
    assert!(is_reused(&remove_item(&orders, &order, "a", "k").await));
    assert!(is_reused(&remove(&orders, &order, "k").await));
    assert!(is_reused(&was_added(&orders, &order, 2, "k").await));

    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn a_refusal_is_not_kept() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    let before = orders.raw.everything().await;
    let refused = remove_item(&orders, &order, "a", "r").await;
    assert!(matches!(refused, Err(OrderError::UnknownItem(_))), "{refused:?}");
    assert_eq!(orders.raw.everything().await, before);

    orders.add(&order, "a", 1, 5).await;
    assert!(!remove_item(&orders, &order, "a", "r").await.unwrap().is_replay);
    assert!(remove_item(&orders, &order, "a", "r").await.unwrap().is_replay);
}

#[actix_web::test]
async fn a_replay_is_answered_while_the_order_is_being_paid_and_after() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    add(&orders, &order, 3, 5, "a").await.unwrap();
    let attempt = orders.begun(&order).await;
    assert!(add(&orders, &order, 3, 5, "a").await.unwrap().is_replay);
    orders.decide(&attempt).await;
    assert!(add(&orders, &order, 3, 5, "a").await.unwrap().is_replay);
    let other = add(&orders, &order, 3, 5, "b").await;
    assert!(matches!(other, Err(OrderError::Paid(_))), "{other:?}");
}

#[actix_web::test]
async fn what_was_added_can_be_told_without_a_price() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    assert!(!was_added(&orders, &order, 3, "a").await.unwrap());
    assert_eq!(orders.raw.everything().await.len(), 1, "nothing is kept of a question");
    add(&orders, &order, 3, 5, "a").await.unwrap();
    assert!(was_added(&orders, &order, 3, "a").await.unwrap());
    assert!(!was_added(&orders, &order, 3, "b").await.unwrap());

    orders.raw.tell(&["SET", &record(&orders, &order, "a"), "3"]).await;
    let newer = was_added(&orders, &order, 3, "a").await;
    assert!(matches!(newer, Err(OrderError::Newer(_))), "{newer:?}");
}

#[actix_web::test]
async fn create_with_a_key_gives_one_order_of_one_user() {
    let orders = TestOrders::start().await;
    let created = join_all((0..20).map(|_| create(&orders, "k", "u"))).await;
    let created: Vec<Done<OrderId>> = created.into_iter().map(|created| created.expect("it is created")).collect();
    assert_eq!(created.iter().filter(|created| !created.is_replay).count(), 1);
    assert!(created.iter().all(|one| one.value == created[0].value), "{created:?}");
    assert!(is_reused(&create(&orders, "k", "v").await));

    let order = &created[0].value;
    assert_eq!(minted_shard(order.as_str()), Some(0));
    let record = key("k").creation(orders.first(), "", "").record().to_owned();
    assert_eq!(orders.raw.text(&record).await, kept(&orders, "create u", order.as_str()));
    assert_eq!(orders.raw.everything().await.len(), 3, "an order, a record and the count");
}

#[actix_web::test]
async fn a_load_begins_a_new_incarnation() {
    let orders = TestOrders::start().await;
    let (loaded, other) = (order("1"), orders.order().await);
    let load = async || orders::load(&orders.shards, &loads(), 3, 4, 3, 7).await.expect("nothing is in flight");
    load().await;
    for order in [&loaded, &other] {
        add(&orders, order, 3, 5, "k").await.unwrap();
    }
    assert!(add(&orders, &loaded, 3, 5, "k").await.unwrap().is_replay);

    load().await;

    assert!(add(&orders, &other, 3, 5, "k").await.unwrap().is_replay);
    assert!(!was_added(&orders, &loaded, 3, "k").await.unwrap(), "for this order the key is new");
    assert!(!add(&orders, &loaded, 2, 5, "k").await.unwrap().is_replay);
    assert!(add(&orders, &loaded, 2, 5, "k").await.unwrap().is_replay);
    assert_eq!(orders.field(&loaded, "total").await, "24");
}

#[actix_web::test]
async fn what_was_done_to_an_order_that_is_gone_is_still_a_replay() {
    let orders = TestOrders::start().await;
    orders::load(&orders.shards, &loads(), 3, 4, 3, 7).await.expect("nothing is in flight");
    let loaded = order("1");
    add(&orders, &loaded, 3, 5, "a").await.unwrap();
    remove(&orders, &loaded, "x").await.unwrap();
    let before = orders.raw.everything().await;

    assert!(add(&orders, &loaded, 3, 5, "a").await.unwrap().is_replay);
    assert!(remove(&orders, &loaded, "x").await.unwrap().is_replay);

    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn a_record_of_a_later_release_is_left_alone() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.raw.tell(&["SET", &record(&orders, &order, "k"), "3 whatever"]).await;
    let before = orders.raw.everything().await;
    for done in [
        add(&orders, &order, 3, 5, "k").await,
        remove_item(&orders, &order, "a", "k").await,
        remove(&orders, &order, "k").await,
    ] {
        assert!(matches!(done, Err(OrderError::Newer(_))), "{done:?}");
    }
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn a_full_shard_keeps_no_new_record_whatever_the_call_frees() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let before = orders.raw.everything().await;
    orders.raw.fill().await;

    for done in [
        add(&orders, &order, 3, 5, "a").await,
        remove_item(&orders, &order, "a", "r").await,
        remove(&orders, &order, "x").await,
    ] {
        assert!(matches!(done, Err(OrderError::Shard(ShardError::Refused { .. }))), "{done:?}");
    }
    let created = create(&orders, "c", "u").await;
    assert!(matches!(created, Err(OrderError::Shard(ShardError::Refused { .. }))), "{created:?}");
    assert_eq!(orders.raw.everything().await, before);

    orders::remove_item(&orders.shards, &order, &item("a"), None).await.expect("without a key nothing grows");
    orders::remove(&orders.shards, &order, None).await.expect("without a key nothing grows");
}

#[actix_web::test]
async fn beyond_the_bound_nothing_is_added_and_what_was_added_is_told() {
    let orders = TestOrders::start().await;
    let order = orders.order().await;
    add(&orders, &order, 3, 5, "a").await.unwrap();
    let counts = shardcart_schema::key::keyed(orders.tag()).to_string();
    let hour = orders.raw.now_ms().await / IDEMPOTENCY_COUNTED_MS;
    let most = orders.first().idempotency_records_max().to_string();
    for hour in [hour, hour + 1] {
        orders.raw.tell(&["HSET", &counts, &hour.to_string(), &most, "earlier", "0"]).await;
    }
    let before = orders.raw.everything().await;

    let is_refused = |done: &OrderError| matches!(done, OrderError::TooManyKeys(_));
    assert!(is_refused(&add(&orders, &order, 3, 5, "b").await.unwrap_err()));
    assert!(is_refused(&remove_item(&orders, &order, "a", "r").await.unwrap_err()));
    assert!(is_refused(&remove(&orders, &order, "x").await.unwrap_err()));
    assert!(is_refused(&create(&orders, "c", "u").await.unwrap_err()));
    assert!(add(&orders, &order, 3, 5, "a").await.unwrap().is_replay);
    assert!(was_added(&orders, &order, 3, "a").await.unwrap());
    assert!(!was_added(&orders, &order, 3, "b").await.unwrap());
    assert_eq!(orders.raw.everything().await, before);
}
