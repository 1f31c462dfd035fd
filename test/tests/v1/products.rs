//! Products: written, read, found, listed, bought by the path-only API.

use hyper::Method;
use serde_json::{Value, json};
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Answer, Service, Settings};
use shardcart_test::console::Looked;

use crate::client::Client;

/// A shop with two shards a service, and its client.
pub async fn shop() -> (ShopOverRedis, Client) {
    let mut system = ShopOverRedis::start(2, &Settings::none()).await;
    let client = Client::at(system.shop().port());
    (system, client)
}

/// A product as a shop writes it.
pub fn named(name: &str) -> Value {
    json!({ "name": name, "price": { "amount": 1599, "currency": "EUR" } })
}

fn with(mut product: Value, member: &str, value: impl Into<Value>) -> Value {
    product[member] = value.into();
    product
}

#[track_caller]
fn is(answer: &Answer, status: u16, etag: Option<&str>) {
    assert_eq!((answer.status, answer.http.header("etag")), (status, etag), "{answer:?}");
}

/// The names on a page.
fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a page").iter().filter_map(|product| product["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_created_found_by_its_handle_and_bought() {
    let (mut system, client) = shop().await;
    let product = with(with(named("Tux"), "tags", json!(["Toy"])), "attributes", json!({ "colour": "black" }));
    let made = client.post("/products", &product).await;
    is(&made, 201, Some("\"1\""));
    let id = made.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.http.header("location"), Some(format!("/v1/products/{id}").as_str()));
    assert_eq!((&made.body["handle"], &made.body["tags"]), (&json!("tux"), &json!(["toy"])));
    let stock = client.post(&format!("/products/{id}/stock-changes"), &json!({ "delta": 5, "reason": "new" })).await;
    assert_eq!(stock.ok(), json!({ "delta": 5 }));

    let front = system.front();
    let user = front.user_with(10_000).await;
    let order = front.order_of(&user, &[(&id, 2)]).await;
    front.checkout(&order).await.ok();
    assert_eq!(front.credit_of(&user).await, 10_000 - 2 * 1599);

    let found = client.get("/products/by-handle/tux?include=stock").await;
    is(&found, 200, None);
    assert_eq!((&found.body["id"], &found.body["stock"]["available"]), (&json!(id), &json!(3)));
    assert_eq!(client.get(&format!("/products/{id}/stock")).await.ok(), json!({ "available": 3 }));
    let url = format!("http://127.0.0.1:{}", system.shop().port());
    let told = Looked::run(&Settings::none(), &["inspect", &id, "--url", &url]).await;
    told.says(0, &["the product \"Tux\"", "the handle tux", "listed, revision 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_written_under_its_clients_own_id_on_conditions() {
    let (_system, client) = shop().await;
    let put = async |fields: &[(&str, &str)], name: &str| {
        client.json(Method::PUT, "/products/tux", fields, &named(name)).await
    };
    is(&put(&[("If-None-Match", "*")], "Tux").await, 201, Some("\"1\""));
    put(&[("If-None-Match", "*")], "Tux").await.is_problem(412, "exists");
    is(&put(&[("If-Match", "\"1\"")], "Tux 2").await, 200, Some("\"2\""));
    put(&[("If-Match", "\"1\"")], "Tux 3").await.is_problem(412, "changed");
    is(&put(&[], "Tux 2").await, 200, Some("\"2\""));
    let read = async |field| client.send(Method::GET, "/products/tux", &[("If-None-Match", field)], "").await;
    is(&read("\"2\"").await, 304, Some("\"2\""));
    is(&read("\"1\"").await, 200, Some("\"2\""));

    let patch = async |body: Value| client.json(Method::PATCH, "/products/tux", &[], &body).await;
    let patched = patch(json!({ "price": { "amount": 999 }, "description": "A bird" })).await;
    is(&patched, 200, Some("\"3\""));
    assert_eq!(patched.body["price"], json!({ "amount": 999, "currency": "EUR" }));
    assert_eq!(patch(json!({ "description": null })).await.ok()["description"], Value::Null);
    patch(json!({ "name": null })).await.is_problem(400, "invalid_body");
    patch(json!({ "price": { "currency": "USD" } })).await.is_problem(422, "currency_mismatch");

    let gone = client.send(Method::DELETE, "/products/tux", &[], "").await;
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(client.get("/products/tux").await.ok()["status"], "archived");
    assert!(names(&client.get("/products").await.ok()).is_empty());
    patch(json!({ "status": "active" })).await.ok();
    assert_eq!(names(&client.get("/products").await.ok()), ["Tux 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_product_may_be_is_refused_with_its_place() {
    let (_system, client) = shop().await;
    client.put("/products/a", &with(named("A"), "handle", "tux")).await;
    let taken = client.post("/products", &with(named("B"), "handle", "tux")).await;
    taken.is_problem(409, "handle_taken");
    assert_eq!(taken.body["errors"][0]["pointer"], "/handle");
    for (member, value, pointer) in [
        ("name", json!(""), "/name"),
        ("handle", json!("No Handle"), "/handle"),
        ("tags", json!(["fine", "not fine"]), "/tags/1"),
        ("tags", json!(vec!["t"; 17]), "/tags"),
        ("attributes", json!({ "a": "b".repeat(5_000) }), "/attributes"),
        ("description", json!("d".repeat(30_000)), "/description"),
    ] {
        let refused = client.post("/products", &with(named("C"), member, value)).await;
        refused.is_problem(400, "invalid_body");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    client.get("/products/none").await.is_problem(404, "unknown_product");
    client.get("/products/by-handle/none").await.is_problem(404, "unknown_product");
    client.get("/products/by-handle/No").await.is_problem(400, "invalid_id");
    assert_eq!(names(&client.get("/products").await.ok()), ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_key_a_product_is_created_once_and_stock_changes_once() {
    let (_system, client) = shop().await;
    let key = [("Idempotency-Key", "\"k\"")];
    let first = client.json(Method::POST, "/products", &key, &named("Tux")).await;
    let again = client.json(Method::POST, "/products", &key, &named("Tux")).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((&first.body, again.http.header("idempotency-replayed")), (&again.body, Some("true")));
    let other = client.json(Method::POST, "/products", &key, &named("Pen")).await;
    other.is_problem(422, "idempotency_key_reused");

    let changes = format!("/products/{}/stock-changes", first.body["id"].as_str().expect("an id"));
    for (key, change, delta) in [
        ("\"add\"", json!({ "delta": 5 }), 5),
        ("\"add\"", json!({ "delta": 5 }), 5),
        ("\"count\"", json!({ "count": 3 }), -2),
        ("\"count\"", json!({ "count": 3 }), -2),
    ] {
        let changed = client.json(Method::POST, &changes, &[("Idempotency-Key", key)], &change).await;
        assert_eq!(changed.ok(), json!({ "delta": delta }), "{change}");
    }
    client.post(&changes, &json!({ "delta": -4 })).await.is_problem(409, "insufficient_stock");
    for bad in [json!({}), json!({ "delta": 1, "count": 1 }), json!({ "delta": 1.5 }), json!({ "count": -1 })] {
        client.post(&changes, &bad).await.is_problem(400, "invalid_body");
    }
    client.post("/products/none/stock-changes", &json!({ "delta": 1 })).await.is_problem(404, "unknown_product");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_are_listed_in_pages_and_searched() {
    let (_system, client) = shop().await;
    for number in 0..7 {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        client
            .put(&format!("/products/p{number}"), &with(named(&format!("Red Pen {number}")), "tags", json!([tag])))
            .await;
    }
    let (mut found, mut path) = (Vec::new(), "/products?limit=3".to_owned());
    loop {
        let page = client.get(&path).await;
        let next = page.http.header("link").map(str::to_owned);
        let body = page.ok();
        found.extend(names(&body).into_iter().map(str::to_owned));
        let Some(cursor) = body["next"].as_str() else { break };
        let linked = format!("</v1/products?limit=3&cursor={cursor}>; rel=\"next\"");
        assert_eq!(next.as_deref(), Some(linked.as_str()));
        path = format!("/products?limit=3&cursor={cursor}");
    }
    assert_eq!(found, (0..7).map(|number| format!("Red Pen {number}")).collect::<Vec<_>>());
    assert_eq!(names(&client.get("/products?tag=odd").await.ok()).len(), 3);
    assert_eq!(names(&client.get("/products?q=RED%206").await.ok()), ["Red Pen 6"]);
    assert_eq!(names(&client.get("/products?q=pe&tag=even").await.ok()).len(), 4);
    assert_eq!(names(&client.get("/products?sort=new&limit=1").await.ok()), ["Red Pen 6"]);

    let cursor = client.get("/products?q=red&limit=1").await.ok()["next"].as_str().expect("more").to_owned();
    for query in ["", "q=pen&", "q=red&tag=odd&", "tag=odd&"] {
        let foreign = client.get(&format!("/products?{query}limit=1&cursor={cursor}")).await;
        foreign.is_problem(400, "invalid_cursor");
    }
    for query in ["q=-", "q=red&sort=new", "tag=a%20b", "sort=price", "include=all", "ids=a&q=red", "ids=a%20b"] {
        client.get(&format!("/products?{query}")).await.is_problem(400, "invalid_query");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_on_a_shard_that_nobody_has_is_unknown() {
    let (_system, client) = shop().await;
    let made = client.post("/products", &named("Tux")).await;
    let id = made.body["id"].as_str().expect("an id");
    // The same id with another shard, which nobody has.
    let elsewhere = format!("{}8fff-b{}", &id[..14], &id[20..]);
    client.get(&format!("/products/{elsewhere}")).await.is_problem(404, "unknown_product");
    client.get(&format!("/products/{elsewhere}/stock")).await.is_problem(404, "unknown_product");
    client.put(&format!("/products/{elsewhere}"), &named("Other")).await.is_problem(404, "unknown_product");
    let change = client.post(&format!("/products/{elsewhere}/stock-changes"), &json!({ "count": 5 })).await;
    change.is_problem(404, "unknown_product");
    let cart = client.get(&format!("/products?ids={elsewhere},{id}")).await.ok();
    assert_eq!(cart["data"].as_array().map(Vec::len), Some(1), "the others are read: {cart}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_reads_its_products_at_once() {
    let (system, client) = shop().await;
    client.put("/products/a", &named("A")).await;
    let legacy = system.front().item_with(4, 7).await;
    let found = client.get(&format!("/products?ids=a,none,{legacy}")).await.ok();
    assert_eq!(
        found["data"][0],
        json!({
            "id": "a", "name": "A", "status": "active", "price": { "amount": 1599, "currency": "EUR" }, "available": 0,
        })
    );
    assert_eq!((&found["data"][1]["name"], &found["data"][1]["available"]), (&Value::Null, &json!(4)));
    assert_eq!(found["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_a_shard_fails_or_says_what_is_missing() {
    let (mut system, client) = shop().await;
    for number in 0..8 {
        client.put(&format!("/products/p{number}"), &named(&format!("P {number}"))).await;
    }
    system.redis(Service::Stock, 1).kill9();
    client.get("/products").await.is_problem(503, "shard_unavailable");
    let page = client.get("/products?partial=true").await.ok();
    assert_eq!(page["missing_shards"], json!([1]));
    assert!((1..8).contains(&names(&page).len()), "{page}");
}
