//! The shipped gateway alone: what it passes on and how, what it asks again, and what it says itself.

use std::time::{Duration, Instant};

use shardcart_harness::http::raw;
use shardcart_harness::systems::gateway::{Does, Gateway};
use shardcart_harness::{Answer, Service, eventually};

/// Long enough that a machine which has failed is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The request line that arrived at a machine which echoes.
fn arrived(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.http.text.lines().next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_is_what_was_sent_without_its_prefix() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    let client = gateway.front();
    for service in Service::ALL {
        for path in
            ["/find/a%2Fb%25", "/find/%41?items=flat&x=%20", "/add//a/./b", "/find/a;b=c'(d)", "/find/%ff%01", "/"]
        {
            let answer = client.raw("GET", service, path, &[], b"").await;
            assert_eq!(arrived(&answer), format!("GET {path} HTTP/1.1"), "{service}");
        }
    }
    let answer =
        client.raw("POST", Service::Stock, "/add/a/1", &["Content-Length: 2", "traceparent: 00-a-b-01"], b"{}").await;
    assert!(arrived(&answer).starts_with("POST /add/a/1 ") && answer.http.text.contains("traceparent: 00-a-b-01"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_machines_tell_one_another_or_show_an_operator_is_not_routed_however_it_is_written() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    for service in Service::ALL {
        for path in [
            "/internal/v1/batches",
            "/%69nternal/v1/batches",
            "/%69%6E%74%65%72%6e%61%6c/v1/batches",
            "//internal/v1/batches",
            "/%2finternal/v1/batches",
            "/%2e/internal/v1/batches",
            "/internal%2fv1/batch",
            "/internal?x=/find/1",
            "/internal/",
            "/./internal/v1/batches",
            "/x/../internal/v1/batches",
            "/x/%2e%2e/internal/v1/batches",
            "/../internal/v1/batches",
            "/internal",
            "/health/ready",
            "/console",
            "/console/status",
            "/%63onsole/status",
            "//console/status",
            "/x/..%2fconsole/",
            "/metrics",
        ] {
            gateway.front().raw("POST", service, path, &[], b"").await.is_problem(404, "no_route");
        }
    }
    let server = gateway.front().address(Service::Order).0;
    for path in [
        "/internal/v1/batches",
        "/",
        "/orders",
        "/order/find/1",
        "/%6frders/find/1",
        "/_way/repeat",
        "/_problem/no_route",
    ] {
        let answer = Answer::from(raw::exchange(server, raw::head("GET", path, &[]).as_bytes()).await);
        answer.is_problem(404, "no_route");
    }
    assert!(gateway.machines.iter().flatten().all(|machine| machine.asked().is_empty()));
}

/// Sends a request: to /v1, or to a service by its prefix.
async fn ask(gateway: &Gateway, (method, service, path, fields): (&str, Service, &str, &[&str])) -> Answer {
    let front = gateway.front();
    if path.starts_with("/v1/") {
        return raw::exchange(front.address(service).0, raw::head(method, path, fields).as_bytes()).await.into();
    }
    front.raw(method, service, path, fields, b"").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_resource_of_v1_is_that_of_its_service_and_its_path_is_passed_on_whole() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    for (path, service) in [
        ("/v1/products", Service::Stock),
        ("/v1/products?limit=1&q=%20", Service::Stock),
        ("/v1/products/a%2Fb%25", Service::Stock),
        ("/v1/imports/products?dry_run=true", Service::Stock),
        ("/v1/exports/products", Service::Stock),
        ("/v1/customers/1", Service::Payment),
        ("/v1/sessions", Service::Payment),
        ("/v1/jwks.json", Service::Payment),
        ("/v1/orders/1/lines/2", Service::Order),
        ("/v1/productsofothers", Service::Order),
        ("/v1/problems", Service::Order),
        ("/v1/openapi.json", Service::Order),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = ask(&gateway, (method, service, path, &[])).await;
            assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
            let asked = gateway.machines[service.index()][0].asked();
            assert_eq!(asked.last().map(String::as_str), Some(format!("{method} {path} HTTP/1.1").as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_is_of_v1_in_both_its_forms_or_it_is_not_routed() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    for path in ["/v1", "/%761/products", "//v1/products", "/v1/../internal/v1/batches", "/v1/%2e%2e/metrics"] {
        let server = gateway.front().address(Service::Order).0;
        let answer = raw::exchange(server, raw::head("GET", path, &[]).as_bytes()).await;
        Answer::from(answer).is_problem(404, "no_route");
    }
    for path in ["/../v1/products", "/%2e%2e/v1/products"] {
        gateway.front().raw("GET", Service::Order, path, &[], b"").await.is_problem(404, "no_route");
    }
    assert!(gateway.machines.iter().flatten().all(|machine| machine.asked().is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_may_be_large_and_nothing_else() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    let large = &["Content-Length: 70000"][..];
    assert_eq!(ask(&gateway, ("POST", Service::Stock, "/v1/imports/products", large)).await.status, 200);
    let refused = ask(&gateway, ("POST", Service::Stock, "/v1/products", large)).await;
    refused.is_problem(413, "too_large");
    let told = refused.http.json();
    assert_eq!((told["retryable"].as_bool(), told["request"].is_string()), (Some(false), true), "{refused:?}");
}

/// Sends a request again and again until it has met the first machine; returns the answer of that time, and how often
/// the second machine was asked for it.
async fn meets_the_first(gateway: &Gateway, request: (&str, Service, &str, &[&str])) -> (Answer, usize) {
    let service = request.1;
    let [first, second] = &gateway.machines[service.index()][..] else { panic!("two machines") };
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let before = (first.asked().len(), second.asked().len());
        let answer = ask(gateway, request).await;
        if first.asked().len() > before.0 {
            return (answer, second.asked().len() - before.1);
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{request:?} never came to the first machine");
}

const KEY: &[&str] = &["Idempotency-Key: 4711"];
const IF_MATCH: &[&str] = &["If-Match: \"7\""];
const REPEATED: [(&str, Service, &str, &[&str]); 12] = [
    ("GET", Service::Stock, "/find/1", &[]),
    ("GET", Service::Payment, "/status/1/2", &[]),
    ("POST", Service::Order, "/checkout/1", &[]),
    ("POST", Service::Order, "/addItem/1/2", KEY),
    ("POST", Service::Stock, "/subtract/1/1", KEY),
    ("POST", Service::Payment, "/pay/1/1", KEY),
    ("DELETE", Service::Order, "/removeItem/1/2", KEY),
    ("GET", Service::Stock, "/v1/products", &[]),
    ("PUT", Service::Stock, "/v1/products/1", &[]),
    ("PUT", Service::Stock, "/v1/products/1", &["If-None-Match: *", "Idempotency-Key: 4711"]),
    ("PATCH", Service::Stock, "/v1/products/1", KEY),
    ("POST", Service::Order, "/v1/orders", KEY),
];
const NOT_REPEATED: [(&str, Service, &str, &[&str]); 13] = [
    ("POST", Service::Order, "/addItem/1/2", &[]),
    ("POST", Service::Order, "/addItem/1/checkout", &["Idempotency-Key:"]),
    ("POST", Service::Stock, "/subtract/1/1", &[]),
    ("POST", Service::Stock, "/checkout/1", &[]),
    ("POST", Service::Payment, "/pay/1/1", &[]),
    ("POST", Service::Payment, "/batch_init/1/1", KEY),
    ("DELETE", Service::Order, "/removeItem/1/2", &[]),
    ("PUT", Service::Stock, "/v1/products/1", IF_MATCH),
    ("PUT", Service::Stock, "/v1/products/1", &["If-None-Match: *"]),
    ("PATCH", Service::Stock, "/v1/products/1", IF_MATCH),
    ("DELETE", Service::Stock, "/v1/products/1", &[]),
    ("POST", Service::Order, "/v1/orders", &[]),
    ("POST", Service::Stock, "/v1/imports/products", KEY),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_repeated_is_asked_of_another_machine_when_one_hangs_up_and_nothing_else() {
    let gateway = Gateway::before(&[Does::HangUp, Does::Echo]).await;
    for request in REPEATED {
        let (answer, asked_again) = meets_the_first(&gateway, request).await;
        assert_eq!((answer.status, asked_again), (200, 1), "{request:?}");
    }
    for request in NOT_REPEATED {
        let (answer, asked_again) = meets_the_first(&gateway, request).await;
        answer.is_problem(503, "shard_unavailable");
        assert_eq!(asked_again, 0, "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_does_not_listen_is_passed_over_for_all_that_may_be_asked_of_another() {
    let gateway = Gateway::before(&[Does::Refuse, Does::Echo]).await;
    for _ in 0..10 {
        for (method, service, path, fields) in REPEATED.into_iter().chain(NOT_REPEATED) {
            let never =
                method == "PUT" && !fields.is_empty() || path.contains("batch_init") || path.contains("imports");
            if method != "DELETE" && !never {
                let answer = ask(&gateway, (method, service, path, fields)).await;
                assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_machine_is_given_up_in_time_and_a_checkout_goes_to_another() {
    // 10 s are more than a test wants to wait; the order of the times is what is shipped.
    let hurry = |configuration: String| {
        assert!(configuration.contains("proxy_read_timeout 10s;"));
        configuration.replace("proxy_read_timeout 10s;", "proxy_read_timeout 1s;")
    };
    let gateway = Gateway::with(&[Does::Nothing, Does::Echo], hurry).await;
    let (answer, asked_again) = meets_the_first(&gateway, ("POST", Service::Order, "/checkout/1", &[])).await;
    assert_eq!((answer.status, asked_again), (200, 1));
    let (answer, asked_again) = meets_the_first(&gateway, ("POST", Service::Stock, "/add/1/1", &[])).await;
    answer.is_problem(503, "shard_unavailable");
    assert_eq!(asked_again, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_silent_machine_a_get_goes_to_another_and_a_checkout_is_unknown_after_10_s() {
    let gateway = &Gateway::before(&[Does::Nothing, Does::Echo]).await;
    let ((read, read_again), (checkout, checkout_again), (add, add_again)) = tokio::join!(
        meets_the_first(gateway, ("GET", Service::Payment, "/find_user/1", &[])),
        meets_the_first(gateway, ("POST", Service::Order, "/checkout/1", &[])),
        meets_the_first(gateway, ("POST", Service::Stock, "/add/1/1", &[])),
    );
    assert_eq!((read.status, read_again), (200, 1));
    checkout.is_problem(503, "outcome_unknown");
    add.is_problem(503, "shard_unavailable");
    assert_eq!((checkout_again, add_again), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_made_anew_at_another_address_is_found_there() {
    let gateway = Gateway::by_script(&[Does::Echo, Does::Echo]).await;
    let [first, second] = &gateway.machines[Service::Stock.index()][..] else { panic!("two machines") };
    let ask = async |times| {
        let before = (first.asked().len(), second.asked().len());
        for _ in 0..times {
            arrived(&gateway.front().raw("GET", Service::Stock, "/find/1", &[], b"").await);
        }
        (first.asked().len() - before.0, second.asked().len() - before.1)
    };
    let (to_the_first, _) = ask(20).await;
    assert!(to_the_first > 0);
    gateway.move_machines(Service::Stock);
    eventually("all requests go where the machine is now", PATIENCE, async || (ask(20).await == (0, 20)).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_machine_the_gateway_answers_what_a_client_may_conclude() {
    let gateway = Gateway::before(&[Does::Refuse, Does::Refuse]).await;
    let front = gateway.front();
    for _ in 0..3 {
        front.raw("GET", Service::Stock, "/find/1", &[], b"").await.is_problem(503, "shard_unavailable");
        front.raw("DELETE", Service::Order, "/remove/1", &[], b"").await.is_problem(503, "shard_unavailable");
        front.raw("POST", Service::Order, "/checkout/1", &[], b"").await.is_problem(503, "outcome_unknown");
    }
    let server = front.address(Service::Order).0;
    let health = async |path| raw::exchange(server, raw::head("GET", path, &[]).as_bytes()).await;
    assert_eq!(health("/health/live").await.status, 200);
    let ready = health("/health/ready").await;
    assert_eq!((ready.status, ready.json()["ready"].as_bool()), (503, Some(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_refuses_itself_is_a_problem_of_the_api() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    let front = gateway.front();
    let long = format!("/find/{}", "a".repeat(20_000));
    front.raw("GET", Service::Stock, &long, &[], b"").await.is_problem(400, "invalid_path");
    front.raw("POST", Service::Stock, "/add/1/1", &["Content-Length: 70000"], b"").await.is_problem(413, "too_large");
    let server = front.address(Service::Order).0;
    Answer::from(raw::exchange(server, b"GET /orders/find/1 HTTP/1.1\r\n\r\n").await).is_problem(400, "invalid_path");
    for (method, path, fields) in [
        ("GET", "/../x", &[][..]),
        ("POST", "/stock/add/1/1", &["Transfer-Encoding: unheard-of"]),
        ("GET", "/stock/find/1", &["Host: a b"]),
    ] {
        let request = raw::head(method, path, fields);
        Answer::from(raw::exchange(server, request.as_bytes()).await).is_problem(400, "invalid_path");
    }
    let answer = Answer::from(raw::exchange(server, raw::head("TRACE", "/stock/find/1", &[]).as_bytes()).await);
    answer.is_problem(405, "method_not_allowed");
    assert!(gateway.machines.iter().flatten().all(|machine| machine.asked().is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_that_of_the_order_machines_and_is_told_where_the_browser_is() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    let server = gateway.front().address(Service::Order).0;
    let ask = async |method, path: &str, fields: &[&str]| {
        Answer::from(raw::exchange(server, raw::head(method, path, fields).as_bytes()).await)
    };
    for (method, path) in [
        ("GET", "/console"),
        ("GET", "/console/"),
        ("GET", "/console/inspect/a%2Eb?x=1"),
        ("POST", "/console/settle/7"),
    ] {
        let answer = ask(method, path, &["Cookie: shardcart_console=61", "Content-Length: 0"]).await;
        assert_eq!(arrived(&answer), format!("{method} {path} HTTP/1.1"));
        let head = &answer.http.text;
        assert!(head.contains("Host: shop\r\n") && head.contains("X-Forwarded-For: 127.0.0.1\r\n"), "{head}");
        assert!(head.contains("Cookie: shardcart_console=61\r\n") && !head.contains("Connection: close"), "{head}");
    }
    assert!(gateway.machines[Service::Order.index()].iter().all(|machine| machine.asked().len() == 4));
    for path in
        ["/consoles", "/console.css", "/%63onsole/status", "/x/../console", "//console", "/stock/../console/status"]
    {
        ask("GET", path, &[]).await.is_problem(404, "no_route");
    }
    assert_eq!(gateway.machines.iter().flatten().map(|machine| machine.asked().len()).sum::<usize>(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_has_a_name_that_is_passed_on_answered_and_logged() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    let name = async |fields: &[&str], path: &str| {
        let answer = gateway.front().raw("GET", Service::Order, path, fields, b"").await;
        let name = answer.http.header("x-request-id").expect("an answer has a name").to_owned();
        (answer, name)
    };
    let (answer, own) = name(&["X-Request-Id: mine-1"], "/find/1").await;
    assert!(own == "mine-1" && answer.http.text.contains("X-Request-Id: mine-1\r\n"), "{answer:?}");
    let (answer, made) = name(&[], "/find/1").await;
    assert!(made.len() == 32 && answer.http.text.contains(&format!("X-Request-Id: {made}\r\n")), "{answer:?}");
    let (_, replaced) = name(&["X-Request-Id: \"a b\""], "/find/1").await;
    assert_eq!(replaced.len(), 32, "a name that is none is replaced");
    let (_, refused) = name(&["X-Request-Id: mine-2"], "/internal").await;
    assert_eq!(refused, "mine-2");
    eventually("all are logged", PATIENCE, async || {
        let log = gateway.log();
        [&own, &made, &replaced, &refused]
            .iter()
            .all(|name| log.contains(&format!("\"request_id\":\"{name}\"")))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_is_limited_when_one_line_is_changed() {
    let limited = |configuration: String| {
        let (before, after) =
            configuration.split_once("map $uri $rated_client {\n        default \"\";").expect("the line");
        format!("{before}map $uri $rated_client {{\n        default \"$binary_remote_addr\";{after}")
    };
    for (limit, wanted) in [(false, false), (true, true)] {
        let edit = |configuration| if limit { limited(configuration) } else { configuration };
        let gateway = Gateway::with(&[Does::Echo], edit).await;
        let front = gateway.front();
        // More than the burst, and sooner than the rate lets them in, on a machine of any speed.
        let answers = front.at_once(0..1500, |front, _| async move { front.find_item("1").await }).await;
        let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert_eq!(!refused.is_empty(), wanted, "{} of 1500 refused", refused.len());
        refused.iter().for_each(|answer| answer.is_problem(429, "overloaded"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_machines_are_kept() {
    let gateway = Gateway::before(&[Does::Echo]).await;
    for _ in 0..40 {
        arrived(&gateway.front().raw("GET", Service::Stock, "/find/1", &[], b"").await);
    }
    // One for each worker of nginx, and a few more if this machine is slow.
    let connections = gateway.machines[Service::Stock.index()][0].connections();
    assert!(connections < 20, "{connections} connections for 40 requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_trusted_tells_the_address_of_the_client_and_no_other_does() {
    for (proxies, client) in [("127.0.0.0/8,198.51.100.0/24", "203.0.113.7"), ("198.51.100.0/24", "127.0.0.1")] {
        let gateway = Gateway::behind(proxies, &[Does::Echo]).await;
        let told = ["X-Forwarded-For: 192.0.2.66, 203.0.113.7, 198.51.100.1"];
        arrived(&gateway.front().raw("GET", Service::Stock, "/find/1", &told, b"").await);
        eventually("it is logged", PATIENCE, async || {
            gateway.log().contains(&format!("\"client\":\"{client}\"")).then_some(())
        })
        .await;
    }
}
