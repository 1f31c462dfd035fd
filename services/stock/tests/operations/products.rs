//! Products: created, written whole, changed, archived; beside items whose records and scripts know nothing of them.

use serde_json::Map;
use shardcart_schema::product::Status;
use shardcart_stock::items;
use shardcart_stock::products::change::{self, Changed, Expect, Keyed};
use shardcart_stock::products::content::Content;
use shardcart_stock::products::error::{ProductError, Result};
use shardcart_stock::products::{Product, lookup, quotes};
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::ItemId;

use crate::support::{TestStock, amount, item};

/// A product that is described by its name alone.
pub fn named(name: &str) -> Content {
    Content {
        status: Status::Active,
        name: name.to_owned(),
        handle: None,
        description: None,
        tags: Vec::new(),
        attributes: Map::new(),
    }
}

pub fn tagged(name: &str, tags: &[&str]) -> Content {
    Content { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..named(name) }
}

pub fn with_handle(name: &str, handle: &str) -> Content {
    Content { handle: Some(handle.to_owned()), ..named(name) }
}

pub async fn put(stock: &TestStock, id: &str, expect: Expect, content: &Content) -> Result<Changed> {
    let written = change::replace(&stock.shards, &item(id), &expect, None, content, amount(5)).await;
    written.map(|done| done.value)
}

pub async fn create(stock: &TestStock, content: &Content) -> Result<Product> {
    change::create(&stock.shards, content, amount(5), None).await.map(|done| done.value)
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text.as_bytes()).expect("a well-formed key")
}

async fn create_once(
    stock: &TestStock,
    content: &Content,
    key: &IdempotencyKey,
    request: &str,
) -> Result<Done<Product>> {
    change::create(&stock.shards, content, amount(5), Some(Keyed { key, request })).await
}

/// Gives a product another name.
async fn rename(
    stock: &TestStock,
    id: &ItemId,
    expect: Expect,
    keyed: Option<Keyed<'_>>,
    name: &str,
) -> Result<Done<Changed>> {
    change::change(&stock.shards, id, &expect, keyed, |before| {
        let before = before.ok_or_else(|| ProductError::Unknown(id.to_string()))?;
        Ok::<_, ProductError>((Content { name: name.to_owned(), ..before.content.clone() }, None))
    })
    .await
}

#[actix_web::test]
async fn a_product_that_is_created_is_an_item_of_the_legacy_api() {
    let stock = TestStock::start().await;
    let product = create(&stock, &tagged("Tux the Penguin", &["toy"])).await.unwrap();

    assert_eq!((product.revision, product.price, product.available), (1, 5, 0));
    assert_eq!(product.content.handle.as_deref(), Some("tux-the-penguin"));
    assert_eq!(product.created_ms, shardcart_types::ids::minted_ms(product.id.as_str()));
    items::add(&stock.shards, &product.id, amount(7), None).await.unwrap();
    assert_eq!(items::find(&stock.shards, &product.id).await.unwrap(), items::Item { stock: 7, price: 5 });
    let attempt = stock.attempt(&product.id).await;
    stock.reserve(&attempt, &[(&product.id, 3)]).await;
    stock.confirm(&attempt).await;
    assert_eq!(lookup::by_id(&stock.shards, &product.id).await.unwrap().available, 4);
    let found = lookup::by_handle(&stock.shards, "tux-the-penguin").await.unwrap();
    assert_eq!((found.id, found.content), (product.id, product.content));
}

#[actix_web::test]
async fn a_product_is_written_under_its_clients_own_id_whole() {
    let stock = TestStock::start().await;
    let first = put(&stock, "SKU-1", Expect::Absent, &tagged("One", &["a", "b"])).await.unwrap();
    assert!(first.is_new);
    assert_eq!(first.product.content.handle.as_deref(), Some("sku-1"));
    let again = put(&stock, "SKU-1", Expect::Any, &named("One")).await.unwrap();
    assert!(!again.is_new);
    assert_eq!((again.product.revision, again.product.content.tags.len()), (2, 0));
    assert_eq!(again.product.content.handle.as_deref(), Some("sku-1"), "a handle that is not given stays");
    assert_eq!(again.product.created_ms, first.product.created_ms);
    let before = stock.raw.everything().await;
    let same = put(&stock, "SKU-1", Expect::Any, &named("One")).await.unwrap();
    assert_eq!(same.product.revision, 2);
    assert_eq!(stock.raw.everything().await, before, "what is the same is not written");
}

#[actix_web::test]
async fn what_was_expected_otherwise_changes_nothing() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &named("One")).await.unwrap();
    let before = stock.raw.everything().await;
    let exists = put(&stock, "a", Expect::Absent, &named("Two")).await;
    assert!(matches!(exists, Err(ProductError::Exists(_))), "{exists:?}");
    for (id, expect) in [("a", Expect::Revisions(vec![2])), ("b", Expect::Revisions(vec![1])), ("b", Expect::Present)] {
        let changed = put(&stock, id, expect, &named("Two")).await;
        assert!(matches!(changed, Err(ProductError::Changed(_))), "{changed:?}");
    }
    assert_eq!(stock.raw.everything().await, before);
    assert_eq!(put(&stock, "a", Expect::Revisions(vec![1]), &named("Two")).await.unwrap().product.revision, 2);
}

#[actix_web::test]
async fn an_item_of_the_legacy_api_is_no_product_until_it_is_described() {
    let stock = TestStock::start().await;
    let legacy = stock.item_with(3).await;
    let unknown = lookup::by_id(&stock.shards, &legacy).await;
    assert!(matches!(unknown, Err(ProductError::Unknown(_))), "{unknown:?}");
    let made = put(&stock, legacy.as_str(), Expect::Absent, &named("Old")).await.unwrap();
    assert!(made.is_new);
    assert_eq!((made.product.available, made.product.price), (3, 5));
    assert_eq!(stock.units(&legacy).await.net, 3);
}

#[actix_web::test]
async fn a_product_is_not_listed_any_more_when_it_is_archived_and_keeps_its_handle() {
    let stock = TestStock::start().await;
    put(&stock, "tux", Expect::Any, &tagged("Tux", &["toy"])).await.unwrap();
    let archive = async || change::archive(&stock.shards, &item("tux"), &Expect::Any, None).await.unwrap().value;
    assert_eq!((archive().await.product.content.status, archive().await.product.revision), (Status::Archived, 2));
    for index in ["products", "words", "products:new", "tag:toy"] {
        let count: u64 = stock.raw.ask(&["ZCARD", &format!("{{{}}}:{index}", stock.tag())]).await;
        assert_eq!(count, 0, "{index}");
    }
    assert_eq!(lookup::by_handle(&stock.shards, "tux").await.unwrap().id, item("tux"));
    let other = create(&stock, &with_handle("Other", "tux")).await;
    assert!(matches!(other, Err(ProductError::HandleTaken(_))), "{other:?}");
    let back = put(&stock, "tux", Expect::Any, &tagged("Tux", &["toy"])).await.unwrap();
    assert_eq!((back.product.content.status, back.product.revision), (Status::Active, 3));
}

#[actix_web::test]
async fn with_a_key_a_product_is_created_and_changed_once() {
    let stock = TestStock::start().await;
    let (made, change) = (key("made"), key("changed"));
    let content = with_handle("Tux", "tux");
    let first = create_once(&stock, &content, &made, "r").await.unwrap();
    let again = create_once(&stock, &content, &made, "r").await.unwrap();
    assert_eq!((first.is_replay, again.is_replay), (false, true));
    assert_eq!(first.value, again.value);
    let reused = create_once(&stock, &content, &made, "other").await;
    assert!(matches!(reused, Err(ProductError::KeyReused(_))), "{reused:?}");

    let id = &first.value.id;
    for is_replay in [false, true] {
        let keyed = Some(Keyed { key: &change, request: "to A" });
        assert_eq!(rename(&stock, id, Expect::Revisions(vec![1]), keyed, "A").await.unwrap().is_replay, is_replay);
        assert_eq!(lookup::by_id(&stock.shards, id).await.unwrap().revision, 2);
    }
}

#[actix_web::test]
async fn many_that_change_a_product_at_once_all_get_their_turn_or_are_told() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &named("0")).await.unwrap();
    let id = item("a");
    let names: Vec<String> = (1..=6).map(|name| name.to_string()).collect();
    let changes = names.iter().map(|name| rename(&stock, &id, Expect::Any, None, name));
    let done = futures_util::future::join_all(changes).await;
    let ok = done.iter().filter(|done| done.is_ok()).count();
    assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(ProductError::Contended(_)))), "{done:?}");
    assert_eq!(lookup::by_id(&stock.shards, &id).await.unwrap().revision, 1 + ok as u64);
    let entries: u64 = stock.raw.ask(&["ZCARD", &format!("{{{}}}:products", stock.tag())]).await;
    assert_eq!(entries, 1, "the entries of old names are gone");
}

#[actix_web::test]
async fn a_product_of_a_later_release_is_left_alone() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &named("One")).await.unwrap();
    stock.raw.tell(&["SETRANGE", &stock.key_of("product", "a"), "0", "\u{2}"]).await;
    let before = stock.raw.everything().await;
    for result in [
        lookup::by_id(&stock.shards, &item("a")).await,
        put(&stock, "a", Expect::Any, &named("Two")).await.map(|changed| changed.product),
        lookup::by_handle(&stock.shards, "a").await,
    ] {
        assert!(matches!(result, Err(ProductError::NotUnderstood(_))), "{result:?}");
    }
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn a_full_shard_refuses_a_product_and_leaves_nothing_of_it() {
    let stock = TestStock::start().await;
    stock.raw.fill().await;
    let refused = put(&stock, "a", Expect::Any, &named("One")).await;
    assert!(matches!(refused, Err(ProductError::Shard(ShardError::Refused { .. }))), "{refused:?}");
    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn a_cart_reads_all_its_products_at_once() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &named("One")).await.unwrap();
    stock.add(&item("a"), 4).await;
    let legacy = stock.item_with(2).await;
    let ids = [item("a"), legacy, item("none")];
    let quotes = quotes::quotes(&stock.shards, &ids).await;
    let found: Vec<_> = quotes.into_iter().map(|quote| quote.unwrap()).collect();
    let told = found.iter().map(|quote| quote.as_ref().map(|quote| (quote.price, quote.available)));
    assert_eq!(told.collect::<Vec<_>>(), [Some((5, 4)), Some((1, 2)), None]);
    let of_product = found[0].as_ref().unwrap().product.clone();
    assert_eq!(of_product, Some(("One".to_owned(), Status::Active)));
    assert_eq!(found[1].as_ref().unwrap().product, None);

    let many: Vec<ItemId> = (0..1_000).map(|id| item(&format!("n{id}"))).collect();
    assert!(quotes::quotes(&stock.shards, &many).await.into_iter().all(|quote| quote.unwrap().is_none()));
}
