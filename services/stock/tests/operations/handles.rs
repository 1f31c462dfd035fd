//! Handles: one product each, whatever dies between claim, write and confirm.

use shardcart_stock::products::change::{self, Expect};
use shardcart_stock::products::content::Content;
use shardcart_stock::products::error::ProductError;
use shardcart_stock::products::handles::{self, Wish, Wished};
use shardcart_stock::products::lookup;
use shardcart_types::ids::{ItemId, now_ms};

use crate::products::{create, named, put, with_handle};
use crate::support::{TestStock, amount, item};

/// How long a claim lasts, and how long it is left alone after that.
const CLAIM_MS: u64 = 5_000;
const GRACE_MS: u64 = 10_000;

fn hint_key(stock: &TestStock, handle: &str) -> String {
    format!("{{{}}}:unique:handle:{handle}", stock.tag())
}

async fn hint(stock: &TestStock, handle: &str) -> Option<String> {
    stock.raw.text(&hint_key(stock, handle)).await
}

/// What the hint says: its state, and whose it is.
async fn says(stock: &TestStock, handle: &str) -> Option<(String, String)> {
    let hint = hint(stock, handle).await?;
    let words: Vec<&str> = hint.split(' ').collect();
    assert_eq!((words.len(), words[0]), (5, "1"), "{hint}");
    Some((words[1].to_owned(), words[4].to_owned()))
}

fn held(id: &str) -> Option<(String, String)> {
    Some(("held".to_owned(), id.to_owned()))
}

/// A claim after which its client died.
async fn claim(stock: &TestStock, id: &str, handle: &str) -> String {
    let wish = Wish { id: item(id), handle: handle.to_owned() };
    match handles::claim(&stock.shards, &[wish]).await.remove(0) {
        Ok(Wished::Mine { hint, .. }) => hint,
        other => panic!("{handle} is not claimed: {other:?}"),
    }
}

/// Puts the deadline of a claim so far into the past that it is over.
async fn let_run_out(stock: &TestStock, handle: &str) {
    let text = hint(stock, handle).await.expect("there is a claim");
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    words[3] = (stock.raw.now_ms().await - GRACE_MS - 1).to_string();
    stock.raw.tell(&["SET", &hint_key(stock, handle), &words.join(" ")]).await;
}

/// Writes a product with a handle as if its claim had not been confirmed: the client died before.
async fn write_unconfirmed(stock: &TestStock, id: &str, handle: &str) {
    put(stock, id, Expect::Any, &with_handle(id, handle)).await.expect("it is written");
    let confirmed = hint(stock, handle).await.expect("it was claimed");
    stock.raw.tell(&["SET", &hint_key(stock, handle), &confirmed.replace(" held ", " claimed ")]).await;
}

async fn refused(stock: &TestStock, id: &str, handle: &str) {
    let refused = put(stock, id, Expect::Any, &with_handle(id, handle)).await;
    assert!(matches!(&refused, Err(ProductError::HandleTaken(taken)) if taken == handle), "{refused:?}");
    assert!(matches!(lookup::by_id(&stock.shards, &item(id)).await, Err(ProductError::Unknown(_))));
}

async fn nobody_has(stock: &TestStock, handle: &str) {
    let found = lookup::by_handle(&stock.shards, handle).await;
    assert!(matches!(found, Err(ProductError::Unknown(_))), "{found:?}");
}

#[actix_web::test]
async fn a_handle_belongs_to_one_product() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &with_handle("A", "tux")).await.unwrap();
    assert_eq!(says(&stock, "tux").await, held("a"));
    refused(&stock, "b", "tux").await;
    assert_eq!(lookup::by_handle(&stock.shards, "tux").await.unwrap().id, item("a"));
}

#[actix_web::test]
async fn a_handle_that_is_not_given_is_made_of_the_name_and_made_another_where_it_is_taken() {
    let stock = TestStock::start().await;
    let [first, second] = [create(&stock, &named("Tux")).await.unwrap(), create(&stock, &named("Tux")).await.unwrap()];
    assert_eq!(first.content.handle.as_deref(), Some("tux"));
    let other = second.content.handle.unwrap();
    assert!(other.starts_with("tux-") && other.len() == "tux-".len() + 12, "{other}");
    assert_eq!(lookup::by_handle(&stock.shards, &other).await.unwrap().id, second.id);
    let strange = create(&stock, &named("企鹅")).await.unwrap();
    assert!(strange.content.handle.is_some());
}

#[actix_web::test]
async fn dead_after_the_claim_the_handle_is_free_again_when_the_claim_is_over() {
    let stock = TestStock::start().await;
    claim(&stock, "dead", "tux").await;
    refused(&stock, "b", "tux").await;
    nobody_has(&stock, "tux").await;
    assert!(hint(&stock, "tux").await.is_some(), "the write may yet come");

    let_run_out(&stock, "tux").await;
    put(&stock, "b", Expect::Any, &with_handle("B", "tux")).await.unwrap();
    assert_eq!(says(&stock, "tux").await, held("b"));
}

#[actix_web::test]
async fn dead_after_the_claim_a_reader_deletes_the_hint_when_the_claim_is_over() {
    let stock = TestStock::start().await;
    claim(&stock, "dead", "tux").await;
    let_run_out(&stock, "tux").await;
    nobody_has(&stock, "tux").await;
    assert_eq!(hint(&stock, "tux").await, None);
}

#[actix_web::test]
async fn dead_after_the_claim_the_same_product_and_the_same_creation_go_on_at_once() {
    let stock = TestStock::start().await;
    claim(&stock, "a", "tux").await;
    put(&stock, "a", Expect::Any, &with_handle("A", "tux")).await.unwrap();
    assert_eq!(says(&stock, "tux").await, held("a"));

    let dead = ItemId::mint(0, now_ms());
    claim(&stock, dead.as_str(), "pen").await;
    let made = create(&stock, &with_handle("Pen", "pen")).await.unwrap();
    assert_eq!(made.id, dead, "the id of the creation that died is used");
    assert_eq!(says(&stock, "pen").await, held(dead.as_str()));
}

#[actix_web::test]
async fn dead_after_the_write_a_reader_confirms() {
    let stock = TestStock::start().await;
    write_unconfirmed(&stock, "a", "tux").await;
    assert_eq!(lookup::by_handle(&stock.shards, "tux").await.unwrap().id, item("a"));
    assert_eq!(says(&stock, "tux").await, held("a"));
}

#[actix_web::test]
async fn dead_after_the_write_the_next_claimer_confirms_even_when_the_claim_is_over() {
    let stock = TestStock::start().await;
    write_unconfirmed(&stock, "a", "tux").await;
    let_run_out(&stock, "tux").await;
    refused(&stock, "b", "tux").await;
    assert_eq!(says(&stock, "tux").await, held("a"));
}

#[actix_web::test]
async fn a_write_after_the_deadline_of_its_claim_is_refused() {
    let stock = TestStock::start().await;
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/scripts/product_put.lua")).unwrap();
    let parts = ["product_entries", "product_body"].map(|name| {
        let path = format!("{}/src/scripts/{name}.lua", env!("CARGO_MANIFEST_DIR"));
        (name, std::fs::read_to_string(path).unwrap())
    });
    let parts = parts.each_ref().map(|(name, text)| (*name, text.as_str()));
    let script = shardcart_schema::lua::expand(&script, &parts).unwrap();
    // Doubles, with a deadline in the past; the body does not matter any more.
    let late = "local d = struct.pack('<dddd', 0, 1, 5, 0) ARGV[1] = d ";
    let (flags, code) = script.split_once('\n').unwrap();
    let keys = [stock.key_of("item", "a"), stock.key_of("product", "a"), "{s0ei}:products".to_owned()];
    let keys = [&keys[0], &keys[1], &keys[2], "{s0ei}:products:new", "{s0ei}:words", "{s0ei}:tag"];
    let answer = stock.raw.eval(&format!("{flags}\n{late}\n{code}"), &keys, &["", "a"]).await;
    assert_eq!(answer, "EXPIRED");
    assert!(stock.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn a_rename_frees_the_old_handle() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &with_handle("A", "old")).await.unwrap();
    put(&stock, "a", Expect::Any, &with_handle("A", "new")).await.unwrap();
    assert_eq!((says(&stock, "new").await, hint(&stock, "old").await), (held("a"), None));
    put(&stock, "b", Expect::Any, &with_handle("B", "old")).await.unwrap();
    assert_eq!(says(&stock, "old").await, held("b"));
}

#[actix_web::test]
async fn dead_in_the_middle_of_a_rename_the_stale_hint_goes_when_it_is_read_or_wanted() {
    let stock = TestStock::start().await;
    for (id, handle) in [("a", "one"), ("b", "two")] {
        put(&stock, id, Expect::Any, &with_handle(id, handle)).await.unwrap();
        let old = hint(&stock, handle).await.unwrap();
        put(&stock, id, Expect::Any, &with_handle(id, &format!("{handle}-new"))).await.unwrap();
        stock.raw.tell(&["SET", &hint_key(&stock, handle), &old]).await;
    }
    nobody_has(&stock, "one").await;
    assert_eq!(hint(&stock, "one").await, None);
    put(&stock, "c", Expect::Any, &with_handle("C", "two")).await.unwrap();
    assert_eq!(says(&stock, "two").await, held("c"));
}

#[actix_web::test]
async fn a_reader_that_paused_while_a_handle_was_given_up_and_taken_back_deletes_nothing() {
    let stock = TestStock::start().await;
    put(&stock, "a", Expect::Any, &with_handle("A", "tux")).await.unwrap();
    let seen = hint(&stock, "tux").await.unwrap();
    put(&stock, "a", Expect::Any, &with_handle("A", "other")).await.unwrap();
    put(&stock, "a", Expect::Any, &with_handle("A", "tux")).await.unwrap();

    let released = shardcart_store::unique::Names("handle").release(&stock.shards, &[("tux", &seen)]).await;

    assert_eq!(released[0].as_ref().unwrap(), &shardcart_store::unique::Settled::Changed);
    assert_eq!(lookup::by_handle(&stock.shards, "tux").await.unwrap().id, item("a"));
}

#[actix_web::test]
async fn a_claim_that_was_lost_takes_the_handle_from_the_product_again() {
    let stock = TestStock::start().await;
    let claimed = claim(&stock, "a", "tux").await;
    put(&stock, "b", Expect::Any, &with_handle("B", "b")).await.unwrap();
    // As if all clocks were wrong: another has the handle although this claim is not over.
    stock.raw.tell(&["SET", &hint_key(&stock, "tux"), "1 held n 1 b"]).await;
    let wish = Wish { id: item("a"), handle: "tux".to_owned() };
    let old = hint(&stock, "tux").await.unwrap();
    stock.raw.tell(&["DEL", &hint_key(&stock, "tux")]).await;
    put(&stock, "a", Expect::Any, &with_handle("A", "tux")).await.unwrap();
    stock.raw.tell(&["SET", &hint_key(&stock, "tux"), &old]).await;

    assert!(!handles::confirm(&stock.shards, &wish, &claimed).await.unwrap());

    let product = lookup::by_id(&stock.shards, &item("a")).await.unwrap();
    assert_eq!((product.content.handle, product.revision), (None, 2));
}

#[actix_web::test]
async fn two_requests_for_one_product_both_find_their_handle_confirmed() {
    let stock = TestStock::start().await;
    let first = claim(&stock, "a", "tux").await;
    let second = claim(&stock, "a", "tux").await;
    assert_ne!(first, second, "each claim has a nonce of its own");
    write_unconfirmed(&stock, "a", "tux").await;
    stock.raw.tell(&["SET", &hint_key(&stock, "tux"), &second]).await;
    let wish = Wish { id: item("a"), handle: "tux".to_owned() };
    assert!(handles::confirm(&stock.shards, &wish, &first).await.unwrap());
    assert_eq!(says(&stock, "tux").await, held("a"));
}

#[actix_web::test]
async fn of_many_that_want_a_handle_at_once_one_gets_it() {
    let stock = TestStock::start().await;
    let ids: Vec<String> = (0..24).map(|id| format!("p{id}")).collect();
    let contents: Vec<Content> = ids.iter().map(|id| with_handle(id, "tux")).collect();
    let all = ids.iter().zip(&contents).map(|(id, content)| put(&stock, id, Expect::Any, content));
    let won = futures_util::future::join_all(all).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    let owner = lookup::by_handle(&stock.shards, "tux").await.unwrap().id;
    assert_eq!(says(&stock, "tux").await, held(owner.as_str()));
}

#[actix_web::test]
async fn a_claim_lasts_as_long_as_it_says() {
    let stock = TestStock::start().await;
    let before = stock.raw.now_ms().await;
    let claimed = claim(&stock, "a", "tux").await;
    let deadline: u64 = claimed.split(' ').nth(3).unwrap().parse().unwrap();
    assert!((before + CLAIM_MS..=stock.raw.now_ms().await + CLAIM_MS).contains(&deadline));
    let keyed = change::replace(&stock.shards, &item("b"), &Expect::Any, None, &with_handle("B", "x"), amount(1)).await;
    assert!(keyed.is_ok());
}
