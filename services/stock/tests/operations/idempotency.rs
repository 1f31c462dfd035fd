//! Operations with an idempotency key: done once, however often they are asked for.

use futures_util::future::join_all;
use shardcart_schema::key::keyed;
use shardcart_schema::limit::IDEMPOTENCY_COUNTED_MS;
use shardcart_stock::error::{Result, StockError};
use shardcart_stock::items;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{ItemId, minted_shard};

use crate::support::{TestStock, Units, amount, item, loads, settings};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text.as_bytes()).expect("a well-formed key")
}

async fn add(stock: &TestStock, item: &ItemId, units: u64, key: &IdempotencyKey) -> Result<Done> {
    items::add(&stock.shards, item, amount(units), Some(key)).await
}

async fn subtract(stock: &TestStock, item: &ItemId, units: u64, key: &IdempotencyKey) -> Result<Done> {
    items::subtract(&stock.shards, item, amount(units), Some(key)).await
}

async fn create(stock: &TestStock, price: u64, key: &IdempotencyKey) -> Result<Done<ItemId>> {
    items::create(&stock.shards, amount(price), Some(key)).await
}

/// Where what was done to an item for a key is kept.
fn record(stock: &TestStock, item: &ItemId, name: &str) -> String {
    key(name).change(stock.first(), item.as_str(), "").record().to_owned()
}

/// Where what was created for a key is kept.
fn creation_record(stock: &TestStock, name: &str) -> String {
    key(name).creation(stock.first(), "", "").record().to_owned()
}

/// What is kept of a request that was done, with its answer.
fn kept(stock: &TestStock, request: &str, answer: &str) -> Option<String> {
    Some(format!("2 / {} {answer}", key("any").change(stock.first(), "", request).request()))
}

fn is_reused<T: std::fmt::Debug>(done: &Result<T>) -> bool {
    matches!(done, Err(StockError::KeyReused(_)))
}

#[actix_web::test]
async fn add_and_subtract_with_a_key_are_done_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    for is_replay in [false, true, true] {
        assert_eq!(add(&stock, &item, 4, &key("a")).await.unwrap(), Done { value: (), is_replay });
        assert_eq!(subtract(&stock, &item, 1, &key("s")).await.unwrap(), Done { value: (), is_replay });
    }
    assert_eq!(stock.units(&item).await, Units { stock: 13, held: 0, net: 13 });
    assert_eq!(stock.raw.text(&record(&stock, &item, "a")).await, kept(&stock, "add 4", "-"));
    assert_eq!(stock.raw.text(&record(&stock, &item, "s")).await, kept(&stock, "subtract 1", "-"));
}

#[actix_web::test]
async fn a_key_is_kept_for_a_day_from_its_first_use() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let before = stock.raw.now_ms().await;
    add(&stock, &item, 4, &key("a")).await.unwrap();
    let after = stock.raw.now_ms().await;

    let record = record(&stock, &item, "a");
    let end = stock.raw.expires_ms(&record).await.expect("a record goes by itself");
    assert!((before + DAY_MS..=after + DAY_MS).contains(&end), "{before} {end} {after}");

    stock.raw.wait_until_after(after).await;
    add(&stock, &item, 4, &key("a")).await.unwrap();
    assert_eq!(stock.raw.expires_ms(&record).await, Some(end), "a replay does not prolong it");

    stock.raw.tell(&["DEL", &record]).await;
    assert!(!add(&stock, &item, 4, &key("a")).await.unwrap().is_replay);
    assert_eq!(stock.units(&item).await.stock, 18);
}

#[actix_web::test]
async fn a_key_is_refused_for_another_request_of_the_same_item() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    add(&stock, &item, 4, &key("a")).await.unwrap();
    let before = stock.raw.everything().await;

    assert!(is_reused(&add(&stock, &item, 5, &key("a")).await));
    assert!(is_reused(&subtract(&stock, &item, 4, &key("a")).await));

    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn a_key_of_another_item_is_another_key() {
    let stock = TestStock::start().await;
    let [one, two] = stock.items_with([10, 10]).await;
    assert!(!add(&stock, &one, 4, &key("a")).await.unwrap().is_replay);
    assert!(!add(&stock, &two, 5, &key("a")).await.unwrap().is_replay);
    assert!(!add(&stock, &two, 5, &key("b")).await.unwrap().is_replay);
    assert_eq!([stock.units(&one).await.stock, stock.units(&two).await.stock], [14, 20]);
}

#[actix_web::test]
async fn a_refusal_is_not_kept() {
    let stock = TestStock::start().await;
    let item = stock.item_with(1).await;
    let before = stock.raw.everything().await;
    let refused = subtract(&stock, &item, 2, &key("s")).await;
    assert!(matches!(refused, Err(StockError::InsufficientStock(_))), "{refused:?}");
    assert_eq!(stock.raw.everything().await, before);

    stock.add(&item, 1).await;
    assert!(!subtract(&stock, &item, 2, &key("s")).await.unwrap().is_replay);
    assert!(subtract(&stock, &item, 2, &key("s")).await.unwrap().is_replay, "although nothing is left");
    assert_eq!(stock.units(&item).await.stock, 0);
}

#[actix_web::test]
async fn without_a_key_nothing_is_kept() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    items::subtract(&stock.shards, &item, amount(1), None).await.unwrap();
    assert_eq!(stock.raw.everything().await.len(), 1, "the item alone");
}

#[actix_web::test]
async fn create_with_a_key_gives_one_item_on_the_shard_of_its_record() {
    let stock = TestStock::start().await;
    let first = create(&stock, 7, &key("c")).await.unwrap();
    assert!(!first.is_replay);
    for _ in 0..2 {
        assert_eq!(create(&stock, 7, &key("c")).await.unwrap(), Done::before(first.value.clone()));
    }
    assert!(is_reused(&create(&stock, 8, &key("c")).await));

    assert_eq!(minted_shard(first.value.as_str()), Some(0));
    let found = stock.raw.text(&creation_record(&stock, "c")).await;
    assert_eq!(found, kept(&stock, "create 7", first.value.as_str()));
    assert_eq!(stock.raw.everything().await.len(), 3, "an item, a record and the count");
}

#[actix_web::test]
async fn keys_for_creations_and_for_items_do_not_meet() {
    let stock = TestStock::start().await;
    // An item whose id looks like a key, and a key that looks like the name of a record of that item.
    items::load(&stock.shards, &loads(), 1, amount(5), amount(7)).await.unwrap();
    add(&stock, &item("0"), 1, &key("a")).await.unwrap();
    assert!(!create(&stock, 7, &key("0:a")).await.unwrap().is_replay);
    assert!(!create(&stock, 7, &key("a")).await.unwrap().is_replay);
    assert!(!create(&stock, 7, &key("0")).await.unwrap().is_replay);
    assert!(add(&stock, &item("0"), 1, &key("a")).await.unwrap().is_replay);
}

#[actix_web::test]
async fn repeats_at_once_are_done_once() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let (a, c) = (key("a"), key("c"));

    let added = join_all((0..20).map(|_| add(&stock, &item, 4, &a))).await;
    let created = join_all((0..20).map(|_| create(&stock, 7, &c))).await;

    assert_eq!(added.iter().flatten().filter(|added| !added.is_replay).count(), 1, "{added:?}");
    assert_eq!(added.iter().flatten().count(), 20, "{added:?}");
    assert_eq!(stock.units(&item).await.stock, 14);
    let created: Vec<Done<ItemId>> = created.into_iter().map(|created| created.expect("it is created")).collect();
    assert_eq!(created.iter().filter(|created| !created.is_replay).count(), 1);
    assert!(created.iter().all(|one| one.value == created[0].value), "{created:?}");
}

#[actix_web::test]
async fn a_record_of_a_later_release_is_left_alone() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    let created = create(&stock, 7, &key("c")).await.unwrap().value;
    assert_eq!(minted_shard(created.as_str()), Some(0));
    for newer in ["3", "3 / - and more", "20 / - -", "1 / - add 4"] {
        stock.raw.tell(&["SET", &record(&stock, &item, "a"), newer]).await;
        stock.raw.tell(&["SET", &creation_record(&stock, "c"), newer]).await;
        let before = stock.raw.everything().await;

        let added = add(&stock, &item, 4, &key("a")).await;
        assert!(matches!(added, Err(StockError::Newer(_))), "{added:?}");
        let again = create(&stock, 7, &key("c")).await;
        assert!(matches!(again, Err(StockError::Shard(_))), "{again:?}");

        assert_eq!(stock.raw.everything().await, before);
    }
}

#[actix_web::test]
async fn an_item_of_a_later_release_is_left_alone_and_replays_are_answered() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    add(&stock, &item, 4, &key("a")).await.unwrap();
    stock.make_newer(&item).await;
    let before = stock.raw.everything().await;
    assert!(add(&stock, &item, 4, &key("a")).await.unwrap().is_replay);
    let added = add(&stock, &item, 4, &key("b")).await;
    assert!(matches!(added, Err(StockError::Newer(_))), "{added:?}");
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn a_full_shard_keeps_no_new_record_whatever_the_call_frees() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    add(&stock, &item, 4, &key("old")).await.unwrap();
    let before = stock.raw.everything().await;
    stock.raw.fill().await;

    for name in ["new", "old"] {
        let added = add(&stock, &item, 4, &key(name)).await;
        assert!(matches!(added, Err(StockError::Shard(ShardError::Refused { .. }))), "{name}: {added:?}");
        let taken = subtract(&stock, &item, 1, &key(name)).await;
        assert!(matches!(taken, Err(StockError::Shard(ShardError::Refused { .. }))), "{name}: {taken:?}");
    }
    let created = create(&stock, 7, &key("c")).await;
    assert!(matches!(created, Err(StockError::Shard(ShardError::Refused { .. }))), "{created:?}");
    assert_eq!(stock.raw.everything().await, before);

    items::subtract(&stock.shards, &item, amount(1), None).await.expect("without a key nothing grows");
    stock.raw.make_room().await;
    assert!(add(&stock, &item, 4, &key("old")).await.unwrap().is_replay);
    assert!(!subtract(&stock, &item, 1, &key("new")).await.unwrap().is_replay, "a refusal is not kept");
    assert_eq!(stock.units(&item).await.stock, 12);
}

#[actix_web::test]
async fn a_load_begins_a_new_incarnation_and_leaves_other_items_alone() {
    let stock = TestStock::start().await;
    let (loaded, other) = (item("1"), stock.item_with(10).await);
    let load = async || items::load(&stock.shards, &loads(), 3, amount(5), amount(7)).await.expect("nothing is held");
    load().await;
    for item in [&loaded, &other] {
        add(&stock, item, 4, &key("a")).await.unwrap();
    }
    assert!(add(&stock, &loaded, 4, &key("a")).await.unwrap().is_replay);

    load().await;

    assert!(add(&stock, &other, 4, &key("a")).await.unwrap().is_replay);
    assert_eq!(stock.units(&loaded).await.stock, 5);
    assert!(!add(&stock, &loaded, 1, &key("a")).await.unwrap().is_replay, "for this item the key is new");
    assert!(add(&stock, &loaded, 1, &key("a")).await.unwrap().is_replay);
    assert_eq!(stock.units(&loaded).await.stock, 6);
}

#[actix_web::test]
async fn a_replay_does_not_need_scripts_that_are_still_there() {
    let stock = TestStock::start().await;
    let item = stock.item_with(10).await;
    for is_replay in [false, true] {
        stock.raw.forget_scripts().await;
        assert_eq!(add(&stock, &item, 4, &key("a")).await.unwrap().is_replay, is_replay);
    }
    assert_eq!(stock.units(&item).await.stock, 14);
}

#[actix_web::test]
async fn a_key_may_hold_anything_printable() {
    let stock = TestStock::start().await;
    let item = stock.item_with(0).await;
    let odd = [r#"" ""#, r#""\"\\""#, r#""}:item:*""#, "%20", "a", "A", r#""1 / - add 4""#];
    for text in odd {
        assert!(!add(&stock, &item, 1, &key(text)).await.unwrap().is_replay, "{text}");
        assert!(add(&stock, &item, 1, &key(text)).await.unwrap().is_replay, "{text}");
    }
    let longest = "~".repeat(255);
    assert!(!add(&stock, &item, 1, &key(&longest)).await.unwrap().is_replay);
    assert_eq!(stock.units(&item).await.stock, odd.len() as u64 + 1);
}

/// Stock with room for so many records of keys.
async fn with_room(records: u64) -> TestStock {
    let settings = RedisSettings { idempotency_records_max: records, ..settings() };
    TestStock::start_with(&settings).await
}

fn is_too_many<T: std::fmt::Debug>(done: &Result<T>) -> bool {
    matches!(done, Err(StockError::TooManyKeys(_)))
}

/// The hour of the shard's clock.
async fn hour(stock: &TestStock) -> u64 {
    stock.raw.now_ms().await / IDEMPOTENCY_COUNTED_MS
}

#[actix_web::test]
async fn a_shard_keeps_as_many_records_as_it_may_and_no_more() {
    let stock = with_room(3).await;
    let item = stock.item_with(10).await;
    add(&stock, &item, 1, &key("a")).await.unwrap();
    subtract(&stock, &item, 1, &key("b")).await.unwrap();
    let created = create(&stock, 7, &key("c")).await.unwrap().value;
    let before = stock.raw.everything().await;

    assert!(is_too_many(&add(&stock, &item, 1, &key("d")).await));
    assert!(is_too_many(&subtract(&stock, &item, 1, &key("d")).await));
    assert!(is_too_many(&create(&stock, 7, &key("d")).await));
    assert!(is_reused(&add(&stock, &item, 2, &key("a")).await));
    assert!(add(&stock, &item, 1, &key("a")).await.unwrap().is_replay);
    assert_eq!(create(&stock, 7, &key("c")).await.unwrap(), Done::before(created));
    assert_eq!(stock.raw.everything().await, before);

    items::add(&stock.shards, &item, amount(1), None).await.expect("without a key nothing is kept");
}

#[actix_web::test]
async fn records_count_until_all_of_their_hour_have_gone() {
    let stock = with_room(10).await;
    let item = stock.item_with(10).await;
    let counts = keyed(stock.tag()).to_string();
    let begun = hour(&stock).await;
    // 24 hours ago some may still be there; of the hour before none is.
    let (last, gone) = ((begun - 24).to_string(), (begun - 25).to_string());
    let ahead = (begun + 7).to_string();
    for (made, is_full) in [("8", true), ("7", false)] {
        stock.raw.tell(&["DEL", &counts]).await;
        stock.raw.tell(&["HSET", &counts, &gone, "1000", &last, made, &ahead, "2", "earlier", "999"]).await;
        assert_eq!(is_too_many(&add(&stock, &item, 1, &key("a")).await), is_full);
    }
    if hour(&stock).await == begun {
        let found = stock.raw.hash(&counts).await;
        let now = begun.to_string();
        let expected = [(now.as_str(), "1"), (&last, "7"), (&ahead, "2"), ("earlier", "9")];
        assert_eq!(found, expected.map(|(field, count)| (field.to_owned(), count.to_owned())).into());
        let end = (begun + 1) * IDEMPOTENCY_COUNTED_MS + DAY_MS;
        assert_eq!(stock.raw.expires_ms(&counts).await, Some(end), "with the last of the records that it counts");
        assert!(is_too_many(&add(&stock, &item, 1, &key("b")).await), "the sum of earlier hours is kept");
    }
}

/// Measures: `cargo test --workspace --test operations memory_of_a_hundred_thousand_keys -- --ignored --nocapture`.
#[actix_web::test]
#[ignore = "a measurement"]
async fn memory_of_a_hundred_thousand_keys() {
    const KEYS: usize = 100_000;
    for (what, wide) in [("of 36 characters", 36), ("of 255 characters, each escaped", 255)] {
        let stock = TestStock::start().await;
        let item = stock.item_with(0).await;
        let before = stock.used_memory().await;
        for first in (0..KEYS).step_by(1_000) {
            let done = join_all((first..first + 1_000).map(async |number| {
                let key = key(&format!("{number:~>wide$}"));
                subtract(&stock, &item, 0, &key).await.expect("nothing is taken")
            }));
            assert!(done.await.iter().all(|done| !done.is_replay));
        }
        let bytes = stock.used_memory().await - before;
        println!("{KEYS} keys {what}: {bytes} bytes, {} each", bytes / KEYS as u64);
    }
}
