//! The frame as a whole, behind the gate: a thing that is counted, and a stream.

use std::time::Duration;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName};
use actix_web::middleware::from_fn;
use actix_web::test::{self, TestRequest};
use actix_web::{App, Error, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shardcart_types::ids::ItemId;

use super::*;
use crate::args::Args;
use crate::endpoint::no_route;
use crate::gate::{Bodies, Contexts, Gate};

const BODY_MAX: usize = 256;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thing {
    count: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    tag: Option<String>,
}

async fn list(query::Query(Find { tag }): query::Query<Find>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "tag": tag }))
}

async fn create(json::Json(thing): json::Json<Thing>) -> HttpResponse {
    HttpResponse::Created().json(thing)
}

async fn remove(Args((id,)): Args<(ItemId,)>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "removed": id }))
}

async fn take(bytes: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "bytes": bytes.len() }))
}

fn bind(config: &mut web::ServiceConfig) {
    config
        .service(endpoint::at("stock", "/v1/things").get("things:read", list).post("things:write", create))
        .service(endpoint::at("stock", "/v1/things/{id}").delete("things:write", remove))
        .service(endpoint::at("stock", "/v1/takes/{kind}").post_stream("things:write", take));
}

/// Status, header fields and body of the answer to a request.
async fn ask(request: TestRequest) -> (u16, HeaderMap, Value) {
    ask_from(&[], request).await
}

/// The same where pages of these origins may call.
async fn ask_from(origins: &[&str], request: TestRequest) -> (u16, HeaderMap, Value) {
    let origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
    let common = Common { document: Document::of([]), origins };
    let gate = Gate::new(10, Bodies::Small { max: BODY_MAX, time: Duration::from_secs(5) }, Contexts::Begun);
    let app = App::new()
        .wrap(from_fn(move |request, next| gate.clone().pass(request, next)))
        .service(crate::endpoint::post("stock", "/stock/add", || async { HttpResponse::Ok().finish() }))
        .service(scope("stock", &common, bind))
        .default_service(web::to(no_route));
    let app = test::init_service(app).await;
    let answer: Result<ServiceResponse<_>, Error> = app.call(request.to_request()).await;
    let answer = answer.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = test::read_body(answer).await;
    (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn post(path: &str, body: &str) -> TestRequest {
    let length = (HeaderName::from_static("content-length"), body.len());
    let request = TestRequest::post().uri(path).insert_header(length).insert_header((CONTENT_TYPE, "application/json"));
    request.set_payload(body.to_owned())
}

/// Status and code.
async fn refused(request: TestRequest) -> (u16, String) {
    let (status, headers, body) = ask(request).await;
    assert_eq!(headers.get(CONTENT_TYPE).unwrap(), "application/problem+json");
    assert_eq!(body["trace"].as_str().map(str::len), Some(32), "{body}");
    assert!(body["request"].is_string() && body["retryable"].is_boolean(), "{body}");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_path_of_v1_begins_with_it_as_a_segment() {
    for path in ["/v1", "/v1/", "/v1/products/tux"] {
        assert!(is_path(path), "{path}");
    }
    for path in ["/", "/v10/products", "/v1x", "/stock/v1/find", ""] {
        assert!(!is_path(path), "{path}");
    }
}

#[actix_web::test]
async fn what_a_request_says_reaches_its_handler() {
    let (status, _, body) = ask(post("/v1/things", r#"{"count":3}"#)).await;
    assert_eq!((status, body), (201, json!({ "count": 3 })));
    let (status, _, body) = ask(TestRequest::get().uri("/v1/things?tag=a")).await;
    assert_eq!((status, body), (200, json!({ "tag": "a" })));
    let (status, _, body) = ask(TestRequest::delete().uri("/v1/things/tux")).await;
    assert_eq!((status, body), (200, json!({ "removed": "tux" })));
}

#[actix_web::test]
async fn what_no_handler_reads_is_refused() {
    assert_eq!(refused(post("/v1/things?tag=a", r#"{"count":3}"#)).await, is(400, "invalid_query"));
    assert_eq!(refused(TestRequest::get().uri("/v1/things?tga=a")).await, is(400, "invalid_query"));
    let body = r#"{"count":3}"#;
    let with_body = |request: TestRequest| request.insert_header(("content-length", body.len())).set_payload(body);
    assert_eq!(refused(with_body(TestRequest::get().uri("/v1/things"))).await, is(400, "invalid_body"));
    assert_eq!(refused(with_body(TestRequest::delete().uri("/v1/things/tux"))).await, is(400, "invalid_body"));
    assert_eq!(refused(with_body(TestRequest::post().uri("/v1/things"))).await, is(415, "unsupported_media_type"));
    assert_eq!(refused(post("/v1/things", "")).await, is(400, "invalid_body"));
}

#[actix_web::test]
async fn problems_of_every_kind_are_told_as_v1_tells_them() {
    assert_eq!(refused(TestRequest::get().uri("/v1/nowhere")).await, is(404, "no_route"));
    assert_eq!(refused(TestRequest::get().uri("/v1")).await, is(404, "no_route"));
    assert_eq!(refused(TestRequest::patch().uri("/v1/things")).await, is(405, "method_not_allowed"));
    assert_eq!(refused(TestRequest::delete().uri("/v1/things/a%20b")).await, is(400, "invalid_id"));
    assert_eq!(refused(post("/v1/things", &"[".repeat(BODY_MAX + 1))).await, is(413, "too_large"));
    assert_eq!(refused(post("/v1/things", &"[".repeat(BODY_MAX))).await, is(400, "invalid_body"));
}

#[actix_web::test]
async fn other_faces_tell_problems_as_before() {
    let (status, _, body) = ask(TestRequest::get().uri("/stock/add")).await;
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((status, members), (405, vec!["code", "detail", "status", "title", "type"]));
    assert_eq!(ask(post("/stock/add", r#"{"count":3}"#)).await.0, 400);
    assert_eq!(ask(post("/stock/add", "{}")).await.0, 200);
}

#[actix_web::test]
async fn each_path_has_head_and_options() {
    let head = TestRequest::default().method(Method::HEAD).uri("/v1/things");
    assert_eq!(ask(head).await.0, 200);
    let options = |path: &str| TestRequest::default().method(Method::OPTIONS).uri(path);
    for (path, allow) in [
        ("/v1/things", "GET, HEAD, POST, OPTIONS"),
        ("/v1/things/tux", "DELETE, OPTIONS"),
        ("/v1/takes/things", "POST, OPTIONS"),
        ("/v1/problems", "GET, HEAD, OPTIONS"),
    ] {
        let (status, headers, _) = ask(options(path)).await;
        assert_eq!((status, headers.get(ALLOW).unwrap().to_str().unwrap()), (204, allow), "{path}");
        let (status, headers, _) = ask(TestRequest::put().uri(path)).await;
        assert_eq!((status, headers.get(ALLOW).unwrap().to_str().unwrap()), (405, allow), "{path}");
    }
}

/// What the answer to a page of an origin says under a name.
fn said<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn preflight(origin: &str, method: &str, headers: &str) -> TestRequest {
    let request = TestRequest::default().method(Method::OPTIONS).uri("/v1/things").insert_header(("Origin", origin));
    let request = request.insert_header(("Access-Control-Request-Method", method));
    request.insert_header(("Access-Control-Request-Headers", headers))
}

const SHOP: &str = "https://shop.example";

#[actix_web::test]
async fn a_page_of_a_named_origin_may_call() {
    let sent = "idempotency-key,content-type,if-match,authorization";
    let (status, headers, _) = ask_from(&[SHOP], preflight(SHOP, "PATCH", sent)).await;
    assert_eq!((status, said(&headers, "access-control-allow-origin")), (200, SHOP));
    assert!(said(&headers, "access-control-allow-methods").contains("PATCH"));
    let allowed = said(&headers, "access-control-allow-headers").to_lowercase();
    assert!(sent.split(',').all(|name| allowed.contains(name)), "{allowed}");
    assert_eq!(said(&headers, "access-control-max-age"), "7200");

    let get = TestRequest::get().uri("/v1/things").insert_header(("Origin", SHOP));
    let (status, headers, _) = ask_from(&[SHOP, "http://localhost:3000"], get).await;
    assert_eq!((status, said(&headers, "access-control-allow-origin")), (200, SHOP));
    let shown = said(&headers, "access-control-expose-headers").to_lowercase();
    for name in ["etag", "link", "location", "ratelimit", "ratelimit-policy", "retry-after", "idempotency-replayed"] {
        assert!(shown.split(',').any(|shown| shown.trim() == name), "{name} in {shown}");
    }
    assert!(said(&headers, "vary").to_lowercase().contains("origin"));
    assert!(headers.get("access-control-allow-credentials").is_none());
}

#[actix_web::test]
async fn a_page_reads_problems_too() {
    let get = TestRequest::get().uri("/v1/things?no=1").insert_header(("Origin", SHOP));
    let (status, headers, body) = ask_from(&[SHOP], get).await;
    assert_eq!((status, said(&headers, "access-control-allow-origin")), (400, SHOP));
    assert_eq!((body["code"].as_str(), body["retryable"].as_bool()), (Some("invalid_query"), Some(false)));
}

#[actix_web::test]
async fn other_origins_may_not_call_and_by_default_none_may() {
    for (origins, origin) in [(&[SHOP][..], "https://other.example"), (&[], SHOP), (&[SHOP], "null")] {
        let (_, headers, _) = ask_from(origins, preflight(origin, "GET", "")).await;
        assert_eq!(said(&headers, "access-control-allow-origin"), "", "{origin}");
        let get = TestRequest::get().uri("/v1/things").insert_header(("Origin", origin));
        let (status, headers, _) = ask_from(origins, get).await;
        assert_eq!((status, said(&headers, "access-control-allow-origin")), (200, ""), "{origin}");
    }
    let (_, headers, _) = ask_from(&["*"], TestRequest::get().uri("/v1/things").insert_header(("Origin", SHOP))).await;
    assert_eq!(said(&headers, "access-control-allow-origin"), "*");
}

#[actix_web::test]
async fn other_faces_are_for_no_page() {
    let post = TestRequest::post().uri("/stock/add").insert_header(("Origin", SHOP));
    let (status, headers, _) = ask_from(&["*"], post).await;
    assert_eq!((status, said(&headers, "access-control-allow-origin")), (200, ""));
}

#[actix_web::test]
async fn a_stream_is_left_to_its_handler() {
    let (status, _, body) = ask(post("/v1/takes/things", &"x".repeat(BODY_MAX * 10))).await;
    assert_eq!((status, body), (200, json!({ "bytes": BODY_MAX * 10 })));
}

#[actix_web::test]
async fn the_problems_are_the_codes_of_the_table() {
    let (status, _, body) = ask(TestRequest::get().uri("/v1/problems")).await;
    let codes: Vec<&str> =
        body["data"].as_array().unwrap().iter().map(|known| known["code"].as_str().unwrap()).collect();
    let table: Vec<&str> = shardcart_types::code::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!((status, codes), (200, table));
    let overloaded = json!({
        "code": "overloaded", "status": 429, "title": "Overloaded", "type": "urn:shardcart:problem:overloaded",
        "retryable": true,
    });
    assert!(body["data"].as_array().unwrap().contains(&overloaded), "{body}");
}

#[test]
fn routes_are_described_as_they_are_bound() {
    actix_web::rt::System::new().block_on(ask(TestRequest::get().uri("/v1/problems")));
    let all = route::all();
    let thing = all.iter().find(|path| path.path == "/v1/things").unwrap();
    assert_eq!(thing.route("HEAD").map(|route| route.scope), Some("things:read"));
    assert_eq!(thing.route("POST").map(|route| (route.scope, route.is_stream)), Some(("things:write", false)));
    assert_eq!(thing.route("PATCH"), None);
}
