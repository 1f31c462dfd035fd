//! Imports: a result a row, and the same rows again find what is done.

use shardcart_stock::products::content::Invalid;
use shardcart_stock::products::error::ProductError;
use shardcart_stock::products::handles::{self, Wish};
use shardcart_stock::products::import::{Outcome, Row, batch};
use shardcart_stock::products::lookup;
use shardcart_types::ids::{ItemId, now_ms};

use crate::support::{TestStock, item};

fn rows(lines: &[&str]) -> Vec<Result<Row, Vec<Invalid>>> {
    lines.iter().map(|line| Row::of_json(line.as_bytes(), "EUR")).collect()
}

async fn import(stock: &TestStock, lines: &[&str]) -> Vec<String> {
    words(&batch(&stock.shards, &rows(lines), false).await)
}

fn words(outcomes: &[Outcome]) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Created(_) => "created".to_owned(),
        Outcome::Updated(_) => "updated".to_owned(),
        Outcome::Unchanged(_) => "unchanged".to_owned(),
        Outcome::Invalid(wrong) => format!("invalid {}", wrong[0].pointer),
        Outcome::Failed(ProductError::HandleTaken(handle)) => format!("{handle} is taken"),
        Outcome::Failed(ProductError::NoPrice(_)) => "no price".to_owned(),
        Outcome::Failed(error) => panic!("{error}"),
    };
    outcomes.iter().map(word).collect()
}

const LINES: [&str; 6] = [
    r#"{"id":"a","handle":"first","name":"A","price":{"amount":5,"currency":"EUR"}}"#,
    r#"{"handle":"second","name":"B","price":{"amount":6,"currency":"EUR"},"tags":["x"]}"#,
    r#"{"id":"c","handle":"first","name":"C","price":{"amount":7,"currency":"EUR"}}"#,
    r#"{"id":"d","name":"","price":{"amount":7,"currency":"EUR"}}"#,
    r#"{"id":"e","name":"E"}"#,
    r#"{"id":"f","colour":"red"}"#,
];

#[actix_web::test]
async fn each_row_has_a_result_and_the_same_rows_again_change_nothing() {
    let stock = TestStock::start().await;
    let refused = ["first is taken", "invalid /name", "no price", "invalid "];
    assert_eq!(import(&stock, &LINES).await, [&["created", "created"][..], &refused].concat());
    let before = stock.raw.everything().await;
    assert_eq!(import(&stock, &LINES).await, [&["unchanged", "unchanged"][..], &refused].concat());
    assert_eq!(stock.raw.everything().await, before);
    let changed = r#"{"handle":"second","price":{"amount":9,"currency":"EUR"}}"#;
    assert_eq!(import(&stock, &[changed]).await, ["updated"]);
    let product = lookup::by_handle(&stock.shards, "second").await.unwrap();
    assert_eq!((product.price, product.content.name.as_str(), product.content.tags.len()), (9, "B", 1));
}

#[actix_web::test]
async fn a_dry_run_tells_the_same_and_writes_nothing() {
    let stock = TestStock::start().await;
    import(&stock, &LINES[..1]).await;
    let before = stock.raw.everything().await;
    let outcomes = batch(&stock.shards, &rows(&LINES), true).await;
    let told = ["unchanged", "created", "first is taken", "invalid /name", "no price", "invalid "];
    assert_eq!(words(&outcomes), told);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn rows_of_one_product_are_done_in_the_order_of_their_lines() {
    let stock = TestStock::start().await;
    let lines: Vec<String> = (1..=5)
        .flat_map(|price| {
            let price = format!(r#""price":{{"amount":{price},"currency":"EUR"}}"#);
            [format!(r#"{{"id":"a","handle":"tux","name":"A",{price}}}"#), format!(r#"{{"handle":"tux",{price}}}"#)]
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let told = import(&stock, &lines).await;
    assert_eq!(told.iter().filter(|word| *word == "created").count(), 1, "{told:?}");
    assert_eq!(lookup::by_id(&stock.shards, &item("a")).await.unwrap().price, 5);
}

#[actix_web::test]
async fn an_import_goes_on_at_once_where_one_died_after_its_claims() {
    let stock = TestStock::start().await;
    let dead = ItemId::mint(0, now_ms());
    handles::claim(&stock.shards, &[Wish { id: dead.clone(), handle: "second".to_owned() }]).await.remove(0).unwrap();
    assert_eq!(import(&stock, &LINES[1..2]).await, ["created"]);
    assert_eq!(lookup::by_handle(&stock.shards, "second").await.unwrap().id, dead);
}

#[actix_web::test]
async fn a_product_whose_usual_handle_is_taken_gets_another() {
    let stock = TestStock::start().await;
    let price = r#""price":{"amount":1,"currency":"EUR"}"#;
    let lines = [format!(r#"{{"id":"A","name":"One",{price}}}"#), format!(r#"{{"id":"a","name":"Two",{price}}}"#)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(import(&stock, &lines).await, ["created", "created"]);
    assert_eq!(import(&stock, &lines).await, ["unchanged", "unchanged"]);
    let other = lookup::by_id(&stock.shards, &item("a")).await.unwrap().content.handle;
    assert!(other.as_deref().is_some_and(|handle| handle.starts_with("a-")), "{other:?}");
}

#[actix_web::test]
async fn a_batch_of_many_rows_is_imported() {
    let stock = TestStock::start().await;
    let lines: Vec<String> = (0..500)
        .map(|number| {
            format!(r#"{{"handle":"h{number}","name":"P {number}","price":{{"amount":1,"currency":"EUR"}}}}"#)
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(import(&stock, &lines).await.iter().all(|word| word == "created"));
    assert!(import(&stock, &lines).await.iter().all(|word| word == "unchanged"));
}
