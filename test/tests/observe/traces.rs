//! Traces and logs: whose work each span and each line is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use shardcart_harness::http::HttpClient;
use shardcart_harness::observers::collector::{Collector, Span};
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{
    Cluster, ClusterOptions, Front, Fsync, RedisServer, Service, Settings, Shop, ShopOptions, eventually,
};

const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

/// Checks an order out as a client that traces.
async fn traced_checkout(front: &Front, order: &str, flags: &str) -> u16 {
    let url = format!("{}/checkout/{order}", front.base(Service::Order));
    let parent = format!("00-{TRACE}-{CLIENT}-{flags}");
    let fields = [("traceparent", parent.as_str()), ("x-request-id", "the-request")];
    let answer = HttpClient::default().request_of(Method::POST, &url, &fields, Bytes::new()).await;
    answer.unwrap_or_else(|no| panic!("{}", no.0)).status
}

async fn order(front: &Front) -> String {
    let (user, item) = (front.user_with(100).await, front.item_with(10, 2).await);
    front.order_of(&user, &[(&item, 3)]).await
}

/// The spans of a whole checkout, when all of them have come.
async fn whole(collector: &Collector) -> Vec<Span> {
    eventually("all spans have come", PATIENCE, async || {
        let spans = collector.spans(TRACE);
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        // The last: settling, and the request.
        (names.contains(&"settle")
            && names.iter().filter(|name| **name == "confirm.lua").count() == 2
            && names.contains(&"POST /checkout/{order_id}"))
        .then_some(spans)
    })
    .await
}

/// Which span lies in which, by name and service, each as often as it is there; one that has its parent elsewhere is a
/// root.
fn tree(spans: &[Span]) -> Vec<(String, String)> {
    let names: BTreeMap<&str, &str> = spans.iter().map(|span| (span.id.as_str(), span.name.as_str())).collect();
    let line = |span: &Span| {
        let parent = names.get(span.parent.as_str()).copied().unwrap_or(&span.parent);
        (parent.to_owned(), format!("{} {}", span.service, span.name))
    };
    let mut tree: Vec<_> = spans.iter().map(line).collect();
    tree.sort();
    tree
}

fn expected() -> Vec<(String, String)> {
    let mut expected = [
        (CLIENT, "order POST /checkout/{order_id}"),
        ("POST /checkout/{order_id}", "order checkout"),
        ("checkout", "order begin"),
        ("checkout", "order stock"),
        ("checkout", "order payment"),
        ("checkout", "order decide"),
        ("checkout", "order settle"),
        ("begin", "order begin.lua"),
        ("stock", "stock reserve.lua"),
        ("payment", "payment reserve.lua"),
        ("decide", "order decide.lua"),
        ("checkout", "stock confirm.lua"),
        ("checkout", "payment confirm.lua"),
        ("checkout", "order finish.lua"),
    ]
    .map(|(parent, own)| (parent.to_owned(), own.to_owned()));
    expected.sort();
    expected.into()
}

/// Nothing may be given up or asked again, on a busy computer and in a run with a short lease either.
fn patient() -> Settings {
    Settings::none()
        .with("CHECKOUT_LEASE_MS", 20_000)
        .with("CHECKOUT_DEADLINE_MS", 30_000)
        .with("CHECKOUT_WAIT_MS", 40_000)
        .with("REDIS_TIMEOUT_MS", 10_000)
        .with("FSYNC", "no")
}

fn settings(collector: &Collector) -> Settings {
    patient().with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_a_checkout_in_a_shop() {
    let collector = Collector::start().await;
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: settings(&collector) }).await;
    let order = order(&shop.front()).await;
    assert_eq!(traced_checkout(&shop.front(), &order, "01").await, 200);
    let spans = whole(&collector).await;
    assert_eq!(tree(&spans), expected());
    let checkout = spans.iter().find(|span| span.name == "checkout").expect("it is there");
    assert_eq!(checkout.attribute("order"), Some(order.as_str()));
    assert_eq!(checkout.attribute("outcome"), Some("paid"));
    assert_eq!(checkout.attribute("request"), Some("the-request"));
    assert!(checkout.attribute("tx").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_spans_of_a_checkout_from_all_machines() {
    let collector = Collector::start().await;
    let options = ClusterOptions { machines: 1, shards: 1, settings: settings(&collector) };
    let cluster = Cluster::start_with(options).await;
    let order = order(&cluster.front()).await;
    assert_eq!(traced_checkout(&cluster.direct(0), &order, "01").await, 200);
    assert_eq!(tree(&whole(&collector).await), expected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_dead_shard_does_not_answer_is_a_span_that_failed() {
    let collector = Collector::start().await;
    let redis = async || vec![RedisServer::start_with(Fsync::No, "noeviction").await];
    // Recovery gives nothing up before its coordinator does.
    let lease = Settings::none().with("CHECKOUT_LEASE_MS", 4000);
    let settings = lease.with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let mut shop = ShopOverRedis::start_over([redis().await, redis().await, redis().await], &settings).await;
    let front = shop.front();
    let order = order(&front).await;
    shop.redis(Service::Payment, 0).kill9();
    assert_ne!(traced_checkout(&front, &order, "01").await, 200);
    let failed = |span: &Span| span.all["status"]["code"] == 2;
    let found = |service: &str, name: &str| {
        collector.spans(TRACE).into_iter().find(|span| span.service == service && span.name == name)
    };
    let reserve = eventually("the call was exported", PATIENCE, async || found("payment", "reserve.lua")).await;
    assert!(failed(&reserve), "{:?}", reserve.all);
    let other = eventually("the other, too", PATIENCE, async || found("stock", "reserve.lua")).await;
    assert!(!failed(&other), "{:?}", other.all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sampled_is_not_exported() {
    let collector = Collector::start().await;
    let share = settings(&collector).with("OTEL_TRACES_SAMPLER_ARG", 0);
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings: share }).await;
    let front = shop.front();
    let (one, other) = (order(&front).await, order(&front).await);
    assert_eq!(traced_checkout(&front, &one, "00").await, 200);
    front.checkout_until_definite(&other, false).await.ok();
    shop.data().settled(PATIENCE).await;
    // Everything is exported when the shop ends, at the latest.
    shop.stop().await;
    assert_eq!(collector.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_spans_are_exported_when_a_shop_ends() {
    let collector = Collector::start().await;
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings: settings(&collector) }).await;
    let order = order(&shop.front()).await;
    assert_eq!(traced_checkout(&shop.front(), &order, "01").await, 200);
    shop.stop().await;
    assert_eq!(tree(&collector.spans(TRACE)), expected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_no_checkout() {
    let nobody = patient().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings: nobody }).await;
    let order = order(&shop.front()).await;
    assert_eq!(traced_checkout(&shop.front(), &order, "01").await, 200);
    let port = shop.port();
    eventually("the spans are counted as lost", PATIENCE, async || {
        let scrape = shardcart_test::scrape::Scrape::of(port).await;
        scrape.value("shardcart_spans_dropped_total").filter(|lost| *lost > 0.0)
    })
    .await;
    let log = shop.process().stderr();
    assert!(log.contains("the collector does not take spans"), "{log}");
}

/// The lines of a log in JSON.
fn lines(log: &str) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    log.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_lines_are_json_and_a_slow_checkout_tells_its_steps() {
    let settings = Settings::none()
        .with("LOG_FORMAT", "json")
        .with("SLOW_MS", 0)
        .with("CHECKOUT_LEASE_MS", 4000)
        .with("FSYNC", "no");
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let order = order(&shop.front()).await;
    assert_eq!(traced_checkout(&shop.front(), &order, "00").await, 200);
    let log = lines(&shop.process().stderr());
    for line in &log {
        for field in ["time", "level", "target", "message"] {
            assert!(line[field].is_string(), "{field} in {line}");
        }
    }
    let slow = log.iter().find(|line| line["message"] == "a slow checkout").expect("it is slow");
    assert_eq!(
        (&slow["order"], &slow["trace"], &slow["request"]),
        (&order.into(), &TRACE.into(), &"the-request".into())
    );
    assert!(slow["tx"].is_string() && slow["outcome"] == "paid", "{slow}");
    for step in ["begin_ms", "stock_ms", "payment_ms", "decide_ms"] {
        assert!(slow[step].as_f64().is_some_and(|ms| ms > 0.0), "{step} in {slow}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_about_a_checkout_says_whose_it_is() {
    let settings = Settings::none().with("LOG_FORMAT", "json").with("SLOW_MS", 0);
    let mut cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 1, settings }).await;
    let front = cluster.direct(0);
    let order = order(&front).await;
    // Its user's shard refuses what the participants' protocol asks of it.
    cluster.redis(Service::Payment, 0).set("maxmemory", "1").await;
    assert_eq!(traced_checkout(&front, &order, "00").await, 409);
    cluster.redis(Service::Payment, 0).kill9();
    traced_checkout(&front, &order, "00").await;
    let mut of_checkout = BTreeSet::new();
    for service in Service::ALL {
        for line in lines(&cluster.process(service, 0).stderr()) {
            let message = line["message"].as_str().unwrap_or_default().to_owned();
            // Recovery finds attempts on their shards, where nothing is kept of a request.
            let of_recovery = message.starts_with("recovery") || message.starts_with("old reservations");
            if line.get("tx").is_none() && line.get("order").is_none() || of_recovery {
                continue;
            }
            for field in ["order", "tx", "trace", "request"] {
                assert!(line[field].is_string(), "{field} is missing: {service} {line}");
            }
            assert_eq!((&line["trace"], &line["request"]), (&TRACE.into(), &"the-request".into()), "{line}");
            of_checkout.insert(format!("{service}: {message}"));
        }
    }
    for expected in ["order: an attempt is given up: not all it needs has answered", "order: a slow checkout"] {
        assert!(of_checkout.contains(expected), "{expected} is not among {of_checkout:?}");
    }
}
