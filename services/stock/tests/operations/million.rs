//! A million products: what they take, how fast they come, how long a page takes. It prints figures and asserts none.

use std::time::{Duration, Instant};

use shardcart_harness_shards::{Raw, TestShards};
use shardcart_stock::products::import::{BATCH, Outcome, Row, batch};
use shardcart_stock::products::list::{Order, Query, page};
use shardcart_stock::products::lookup;

const PRODUCTS: usize = 1_000_000;
const SHARDS: usize = 4;
const NAMES: [&str; 7] = ["Red", "Blue", "Green", "Old", "New", "Small", "Big"];
const THINGS: [&str; 5] = ["Shirt", "Pen", "Cup", "Hat", "Lamp"];

fn row(number: usize) -> Row {
    let (name, thing) = (NAMES[number % NAMES.len()], THINGS[number % THINGS.len()]);
    let description = "A thing of good make, for every day. ".repeat(4);
    let line = format!(
        r#"{{"handle":"h{number}","name":"{name} {thing} {number}","price":{{"amount":{number},"currency":"EUR"}},
            "tags":["{name}","{thing}"],"description":"{description}","attributes":{{"colour":"{name}"}}}}"#
    );
    Row::of_json(line.as_bytes(), "EUR").expect("a row")
}

async fn memory(on: &TestShards) -> u64 {
    let mut used = 0;
    for server in &on.servers {
        let info: String = Raw::of(server).await.ask(&["INFO", "memory"]).await;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used += line.and_then(|bytes| bytes.trim().parse::<u64>().ok()).expect("a number of bytes");
    }
    used
}

async fn timed(what: &str, each: impl AsyncFn(usize)) {
    let mut took: Vec<Duration> = Vec::new();
    for turn in 0..500 {
        let began = Instant::now();
        each(turn).await;
        took.push(began.elapsed());
    }
    took.sort();
    println!("{what}: median {:?}, p99 {:?}", took[250], took[495]);
}

#[actix_web::test]
#[ignore = "takes several minutes and two gigabytes"]
async fn a_million_products_are_imported_listed_and_searched() {
    let on = TestShards::start_many("stock", SHARDS).await;
    let (before, began) = (memory(&on).await, Instant::now());
    for first in (0..PRODUCTS).step_by(BATCH) {
        let rows: Vec<_> = (first..first + BATCH).map(|number| Ok(row(number))).collect();
        let outcomes = batch(&on.shards, &rows, false).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created(_))), "{outcomes:?}");
    }
    println!("{:.0} rows a second", PRODUCTS as f64 / began.elapsed().as_secs_f64());
    println!("{} bytes a product", (memory(&on).await - before) / PRODUCTS as u64);

    let list = async |query: &Query| {
        page(&on.shards, query, None, 20, false).await.expect("all shards answer");
    };
    let search = |text: &str| Query { words: Query::words_of(text), ..Query::default() };
    timed("a page by name", async |_| list(&Query::default()).await).await;
    timed("a page of the newest", async |_| list(&Query { order: Order::New, ..Query::default() }).await).await;
    timed("a page of a tag", async |_| list(&Query { tag: Some("red".to_owned()), ..Query::default() }).await).await;
    timed("a search for one word", async |turn| list(&search(&NAMES[turn % 7][..2])).await).await;
    timed("a search for two words", async |turn| list(&search(&format!("red {}", 1_000 + 7 * turn))).await).await;
    timed("a search for two common words", async |_| list(&search("red shirt")).await).await;
    let none = Query { tag: Some("none".to_owned()), ..search("re") };
    timed("a search with a tag that none has", async |_| list(&none).await).await;
    timed("a product by its handle", async |turn| {
        lookup::by_handle(&on.shards, &format!("h{}", 1_987 * turn)).await.expect("it is there");
    })
    .await;
}
