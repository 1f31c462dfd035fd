//! Bad input on every call of /v1 that the shop describes: each kind gets its one problem, and changes nothing.

use std::net::SocketAddr;

use hyper::Method;
use serde_json::Value;
use shardcart_harness::http::{HttpClient, raw};
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Answer, Service, Settings};

/// A call as it is described.
struct Call {
    method: String,
    /// The path, with a good id for each argument.
    path: String,
    operation: Value,
}

impl Call {
    fn takes(&self, parameter: &str) -> bool {
        let mut parameters = self.operation["parameters"].as_array().into_iter().flatten();
        parameters.any(|one| one["name"] == parameter)
    }

    fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The content types that it reads.
    fn reads(&self) -> Vec<&str> {
        let content = self.operation["requestBody"]["content"].as_object();
        content.into_iter().flatten().map(|(kind, _)| kind.as_str()).collect()
    }
}

struct Shop {
    shop: ShopOverRedis,
    server: SocketAddr,
    calls: Vec<Call>,
}

impl Shop {
    async fn start() -> Shop {
        let mut shop = ShopOverRedis::start(1, &Settings::none()).await;
        let server = SocketAddr::from(([127, 0, 0, 1], shop.shop().port()));
        let described = HttpClient::default().request(Method::GET, &format!("http://{server}/v1/openapi.json")).await;
        let document = described.expect("an answer").json();
        let mut calls = Vec::new();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let path = path.replace("{kind}", "products");
                let parts = path.split(['{', '}']).enumerate();
                let path = parts.map(|(place, part)| if place % 2 == 1 { "x-1" } else { part }).collect();
                calls.push(Call { method: method.to_uppercase(), path, operation: operation.clone() });
            }
        }
        assert!(calls.len() >= 4, "calls are described");
        Shop { shop, server, calls }
    }

    /// Sends a call, with these header fields and this body.
    async fn send(&self, call: &Call, query: &str, fields: &[&str], body: &[u8]) -> Answer {
        let mut fields = fields.to_vec();
        let length = format!("Content-Length: {}", body.len());
        if !body.is_empty() {
            fields.push(&length);
        }
        if call.is_write() && !fields.iter().any(|field| field.starts_with("Idempotency-Key")) {
            fields.push("Idempotency-Key: \"bad-input\"");
        }
        let mut request = raw::head(&call.method, &format!("{}{query}", call.path), &fields).into_bytes();
        request.extend_from_slice(body);
        raw::exchange(self.server, &request).await.into()
    }

    /// The same; it is refused, and says so as /v1 does.
    async fn refuses(&self, call: &Call, query: &str, fields: &[&str], body: &[u8], wanted: (u16, &str)) {
        let answer = self.send(call, query, fields, body).await;
        let text = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!((answer.status, answer.code()), wanted, "{} {}{query} {text}: {answer:?}", call.method, call.path);
        answer.is_well_formed_problem();
        assert!(answer.body["retryable"].is_boolean() && answer.body["trace"].is_string(), "{answer:?}");
    }

    /// The names of all that lies in Redis.
    async fn keys(&self) -> Vec<(usize, String)> {
        let mut keys = Vec::new();
        for service in Service::ALL {
            keys.extend(self.shop.data().all_keys(service, "*").await);
        }
        keys.sort();
        keys
    }
}

const JSON: &str = "Content-Type: application/json";

/// Bodies that no call takes, each with its problem.
fn bad_bodies() -> Vec<(Vec<u8>, (u16, &'static str))> {
    let tags = format!(r#"{{"tags":[{}]}}"#, vec![r#""t""#; 10_000].join(","));
    let invalid = [
        Vec::new(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{".to_vec(),
        b"{\"name\":\"\xff\xfe\"}".to_vec(),
        br#"{"name":"a","name":"a"}"#.to_vec(),
        br#"{"price":{"amount":1,"amount":1,"currency":"EUR"}}"#.to_vec(),
        br#"{"no_such_member":1}"#.to_vec(),
        br#"{"price":{"amount":9007199254740992,"currency":"EUR"}}"#.to_vec(),
        br#"{"price":{"amount":1e400,"currency":"EUR"}}"#.to_vec(),
        br#"{"price":{"amount":NaN,"currency":"EUR"}}"#.to_vec(),
        tags.into_bytes(),
        format!(r#"{{"attributes":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000)).into_bytes(),
        format!(r#"{{"no_such_member":"{}"}}"#, "a".repeat(60_000)).into_bytes(),
    ];
    let large = [65_537, 5_000_000].map(|size| format!(r#"{{"name":"{}"}}"#, "a".repeat(size)).into_bytes());
    let invalid = invalid.into_iter().map(|body| (body, (400, "invalid_body")));
    invalid.chain(large.into_iter().map(|body| (body, (413, "too_large")))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_input_to_a_call_of_v1_has_its_problem_and_changes_nothing() {
    let shop = Shop::start().await;
    let before = shop.keys().await;
    for call in &shop.calls {
        shop.refuses(call, "?no_such_parameter=1", &[], b"", (400, "invalid_query")).await;
        if call.reads().is_empty() {
            shop.refuses(call, "", &[JSON], br#"{"a":1}"#, (400, "invalid_body")).await;
        }
        if call.takes("limit") {
            for limit in ["0", "101", "-1", "many", ""] {
                shop.refuses(call, &format!("?limit={limit}"), &[], b"", (400, "invalid_query")).await;
            }
            shop.refuses(call, "?limit=1&limit=1", &[], b"", (400, "invalid_query")).await;
        }
        if call.takes("cursor") {
            for cursor in ["x", "AQ", "AVzpaVqtiS2EWyJ0dXgiLDdd", "%F0%9F%90%A7"] {
                shop.refuses(call, &format!("?cursor={cursor}"), &[], b"", (400, "invalid_cursor")).await;
            }
        }
        if call.reads().contains(&"application/json") {
            for (body, wanted) in bad_bodies() {
                shop.refuses(call, "", &[JSON], &body, wanted).await;
            }
            for kind in ["text/plain", "application/xml", "application/json; charset=utf-16"] {
                let kind = format!("Content-Type: {kind}");
                shop.refuses(call, "", &[&kind], b"{}", (415, "unsupported_media_type")).await;
            }
            shop.refuses(call, "", &[], b"{}", (415, "unsupported_media_type")).await;
        }
    }
    assert_eq!(shop.keys().await, before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_answered_as_get_and_other_methods_name_the_right_ones() {
    let shop = Shop::start().await;
    for call in shop.calls.iter().filter(|call| call.method == "GET") {
        let get = shop.send(call, "", &[], b"").await;
        let head = Call { method: "HEAD".to_owned(), path: call.path.clone(), operation: Value::Null };
        let head = shop.send(&head, "", &[], b"").await;
        let allow = Call { method: "OPTIONS".to_owned(), path: call.path.clone(), operation: Value::Null };
        let allow = shop.send(&allow, "", &[], b"").await;
        let allow = allow.http.header("allow").unwrap_or_default().to_owned();
        if allow.split(", ").any(|method| method == "HEAD") {
            assert_eq!((head.status, head.http.text.as_str()), (get.status, ""), "{}", call.path);
            assert_eq!(head.http.header("content-type"), get.http.header("content-type"), "{}", call.path);
        }
        let wrong = Call { method: "PROPFIND".to_owned(), path: call.path.clone(), operation: Value::Null };
        let wrong = shop.send(&wrong, "", &[], b"").await;
        wrong.is_problem(405, "method_not_allowed");
        assert_eq!(wrong.http.header("allow"), Some(allow.as_str()), "{}", call.path);
    }
}
