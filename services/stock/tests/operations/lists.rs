//! Lists: in pages, over all shards, by name, newest, tag and words.

use std::collections::BTreeMap;

use shardcart_harness_shards::TestShards;
use shardcart_harness_shards::shards::{join, server, settings};
use shardcart_stock::products::change::{self, Expect};
use shardcart_stock::products::error::ProductError;
use shardcart_stock::products::export::{self, Progress};
use shardcart_stock::products::list::{Order, Page, Position, Query, page};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

use crate::products::tagged;
use crate::support::{amount, item};

async fn put(shards: &Shards, id: &str, name: &str, tags: &[&str]) {
    change::replace(shards, &item(id), &Expect::Any, None, &tagged(name, tags), amount(5))
        .await
        .expect("it is written");
}

async fn create(shards: &Shards, name: &str) -> ItemId {
    change::create(shards, &tagged(name, &["all"]), amount(5), None).await.expect("it is created").value.id
}

fn search(text: &str) -> Query {
    Query { words: Query::words_of(text), ..Query::default() }
}

fn tag(name: &str) -> Query {
    Query { tag: Some(name.to_owned()), ..Query::default() }
}

/// Walks a whole list in pages of so many; gives the names in their order.
async fn names(shards: &Shards, query: &Query, limit: usize) -> Vec<String> {
    walk(shards, query, limit, async |_| {}).await.into_iter().map(|(_, name)| name).collect()
}

async fn walk(shards: &Shards, query: &Query, limit: usize, between: impl AsyncFn(usize)) -> Vec<(ItemId, String)> {
    let (mut found, mut position) = (Vec::new(), None::<Position>);
    for round in 0.. {
        let Page { products, next, missing } =
            page(shards, query, position.as_ref(), limit, false).await.expect("all shards answer");
        assert!(products.len() <= limit && missing.is_empty());
        found.extend(products.into_iter().map(|product| (product.id, product.content.name)));
        position = next;
        if position.is_none() {
            break;
        }
        between(round).await;
    }
    found
}

#[actix_web::test]
async fn products_of_all_shards_are_listed_by_name_in_pages_of_any_size() {
    let on = TestShards::start_many("stock", 3).await;
    let mut expected = Vec::new();
    for number in 0..23 {
        let name = format!("Product {:02}", (number * 7) % 23);
        put(&on.shards, &format!("p{number}"), &name, &[]).await;
        expected.push(name);
    }
    expected.sort();
    for limit in [1, 4, 23, 100] {
        assert_eq!(names(&on.shards, &Query::default(), limit).await, expected, "in pages of {limit}");
    }
}

#[actix_web::test]
async fn the_newest_products_are_listed_first() {
    let on = TestShards::start_many("stock", 2).await;
    let mut ids = Vec::new();
    for number in 0..9 {
        ids.push(create(&on.shards, &format!("P {number}")).await);
    }
    ids.sort_by(|one, other| other.cmp(one));
    for (limit, tag) in [(1, None), (4, Some("all")), (9, None)] {
        let query = Query { order: Order::New, tag: tag.map(str::to_owned), ..Query::default() };
        let found = walk(&on.shards, &query, limit, async |_| {}).await;
        assert_eq!(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ids, "in pages of {limit}");
    }
}

#[actix_web::test]
async fn products_are_listed_by_tag_and_searched_by_the_beginnings_of_words() {
    let on = TestShards::start_many("stock", 2).await;
    for (id, name, tags) in [
        ("1", "Red Shirt", &["cotton"][..]),
        ("2", "Réd shirts, shirt", &["wool"]),
        ("3", "Blue Shirt", &["cotton", "red-sale"]),
        ("4", "Red Hat", &["wool"]),
    ] {
        put(&on.shards, id, name, tags).await;
    }
    for limit in [1, 2, 10] {
        assert_eq!(names(&on.shards, &tag("cotton"), limit).await, ["Blue Shirt", "Red Shirt"]);
        let mut found = names(&on.shards, &search("SHIR"), limit).await;
        found.sort();
        assert_eq!(found, ["Blue Shirt", "Red Shirt", "Réd shirts, shirt"], "each once, in pages of {limit}");
        let mut found = names(&on.shards, &search("red shir"), limit).await;
        found.sort();
        assert_eq!(found, ["Blue Shirt", "Red Shirt", "Réd shirts, shirt"], "a tag counts as well");
        let both = Query { tag: Some("cotton".to_owned()), ..search("re sh") };
        let mut found = names(&on.shards, &both, limit).await;
        found.sort();
        assert_eq!(found, ["Blue Shirt", "Red Shirt"]);
    }
    assert!(names(&on.shards, &search("green"), 5).await.is_empty());
    assert!(names(&on.shards, &tag("none"), 5).await.is_empty());
}

#[actix_web::test]
async fn a_filter_that_few_pass_gives_short_pages_and_loses_none() {
    let on = TestShards::start_many("stock", 2).await;
    for number in 0..60 {
        let is_rare = number % 20 == 0;
        put(&on.shards, &format!("p{number}"), &format!("Common {number:02}"), if is_rare { &["rare"] } else { &[] })
            .await;
    }
    let query = Query { tag: Some("rare".to_owned()), ..search("common") };
    for limit in [1, 2, 5] {
        assert_eq!(names(&on.shards, &query, limit).await.len(), 3, "in pages of {limit}");
    }
}

#[actix_web::test]
async fn a_walk_sees_each_product_once_while_others_come_and_a_shard_is_added() {
    let mut on = TestShards::start_many("stock", 2).await;
    let mut there = BTreeMap::new();
    for number in 0..40 {
        let id = create(&on.shards, &format!("Old {:02}", (number * 3) % 40)).await;
        there.insert(id, 0);
    }
    on.servers.push(server().await);
    let membership = join("stock", &on.servers, &settings()).await.expect("the data set grows");
    let grown = Shards::new(&membership).expect("the settings are fine");
    let (mut position, mut round) = (None, 0);
    loop {
        // The first page is asked for at a machine that does not know the new shard.
        let shards = if round == 0 { &*on.shards } else { &grown };
        let found = page(shards, &Query::default(), position.as_ref(), 6, false).await.unwrap();
        for product in found.products {
            there.entry(product.id).and_modify(|seen| *seen += 1);
        }
        for name in ["Aa", "Old 20 b", "Zz"] {
            create(&grown, &format!("{name} {round}")).await;
        }
        position = found.next;
        round += 1;
        if position.is_none() || round > 200 {
            break;
        }
    }
    assert!(there.values().all(|seen| *seen == 1), "{there:?}");
    let on_new: u64 = {
        let raw = shardcart_harness_shards::Raw::of(&on.servers[2]).await;
        let tag = grown.shard(2).unwrap().tag();
        raw.ask(&["ZCARD", &format!("{{{tag}}}:products")]).await
    };
    assert!(on_new > 0, "the new shard has products");
}

#[actix_web::test]
async fn a_shard_that_is_silent_fails_a_page_or_is_told_to_be_missing() {
    let mut patient = settings();
    patient.redis_timeout_ms = std::time::Duration::from_millis(500);
    patient.redis_connect_timeout_ms = patient.redis_timeout_ms;
    let mut on = TestShards::on("stock", vec![server().await, server().await], &patient).await;
    for number in 0..10 {
        put(&on.shards, &format!("p{number}"), &format!("P {number}"), &[]).await;
    }
    on.servers[1].kill9();
    let failed = page(&on.shards, &Query::default(), None, 20, false).await;
    assert!(
        matches!(
            failed,
            Err(ProductError::Shard(
                ShardError::Unreachable { shard: 1, .. } | ShardError::Unanswered { shard: 1, .. }
            ))
        ),
        "{failed:?}"
    );
    let part = page(&on.shards, &Query::default(), None, 20, true).await.unwrap();
    assert_eq!(part.missing, [1]);
    assert!((1..10).contains(&part.products.len()), "{}", part.products.len());
}

#[actix_web::test]
async fn an_export_gives_all_products_archived_ones_too() {
    let on = TestShards::start_many("stock", 2).await;
    for number in 0..30 {
        put(&on.shards, &format!("p{number}"), &format!("P {number}"), &[]).await;
    }
    change::archive(&on.shards, &item("p3"), &Expect::Any, None).await.unwrap();
    let (mut found, mut progress) = (BTreeMap::new(), Some(Progress::default()));
    while let Some(from) = progress {
        let (products, next) = export::step(&on.shards, &from).await.unwrap();
        found.extend(products.into_iter().map(|product| (product.id, product.content.name)));
        progress = next;
    }
    assert_eq!(found.len(), 30);
}
