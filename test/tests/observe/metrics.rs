//! Metrics: all are documented, they tell what happened, and neither load nor a dead shard keeps them from being read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyper::Method;
use shardcart_harness::http::HttpClient;
use shardcart_harness::http::raw;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{
    Cluster, ClusterOptions, Fsync, RedisServer, Service, Settings, Shop, ShopOptions, eventually,
};
use shardcart_test::scrape::Scrape;

const PATIENCE: Duration = Duration::from_secs(60);
const DOCUMENT: &str = include_str!("../../../observability/metrics.md");

type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Name, kind and labels, as the tables of the document have them.
fn documented() -> Metrics {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        let labels = cells[2].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        Some((cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), labels)))
    });
    rows.collect()
}

fn brief(shards: usize) -> ShopOptions {
    ShopOptions { shards, settings: Settings::none().with("METRICS_INTERVAL_MS", 50).with("FSYNC", "no") }
}

/// A shop over Redis servers that the test can pause, and that wait for no disk.
async fn unsynced(settings: &Settings) -> ShopOverRedis {
    let redis = async || vec![RedisServer::start_with(Fsync::No, "noeviction").await];
    ShopOverRedis::start_over([redis().await, redis().await, redis().await], settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_metrics_are_those_that_there_are() {
    let shop = Shop::start_with(brief(1)).await;
    assert_eq!(Scrape::of(shop.port()).await.metrics(), documented(), "of a shop");

    let options = ClusterOptions { machines: 1, shards: 1, settings: Settings::none() };
    let cluster = Cluster::start_with(options).await;
    let mut together = Metrics::new();
    for service in Service::ALL {
        together.extend(Scrape::of(cluster.machine(service, 0).internal_port).await.metrics());
    }
    assert_eq!(together, documented(), "of three machines together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_port_of_a_machine_has_no_metrics() {
    let options = ClusterOptions { machines: 1, shards: 1, settings: Settings::none() };
    let cluster = Cluster::start_with(options).await;
    for service in Service::ALL {
        cluster.direct(0).raw("GET", service, "/metrics", &[], b"").await.is_problem(404, "no_route");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_told_not_to_count_has_no_metrics_and_pays() {
    let mut settings = brief(1);
    settings.settings = settings.settings.with("METRICS", "false");
    let shop = Shop::start_with(settings).await;
    let front = shop.front();
    let (user, item) = (front.user_with(10).await, front.item_with(10, 2).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout_until_definite(&order, false).await.ok();
    let metrics = format!("http://127.0.0.1:{}/metrics", shop.port());
    let answer = HttpClient::default().request(Method::GET, &metrics).await.unwrap_or_else(|no| panic!("{}", no.0));
    assert_eq!(answer.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_checkout_is_counted_once_by_its_outcome_and_no_id_becomes_a_label() {
    let mut settings = brief(1);
    // Without it, recovery would give attempts up in a run with a short lease.
    settings.settings = settings.settings.with("CHECKOUT_LEASE_MS", 2000);
    let shop = Shop::start_with(settings).await;
    let front = shop.front();
    let (user, poor) = (front.user_with(100).await, front.user_with(1).await);
    let item = front.item_with(10, 2).await;
    let order = front.order_of(&user, &[(&item, 3)]).await;
    let dear = front.order_of(&poor, &[(&item, 3)]).await;
    let many = front.order_of(&user, &[(&item, 11)]).await;

    front.checkout_once(&order).await.ok();
    for _ in 0..2 {
        front.checkout_once(&order).await.ok();
    }
    front.checkout_once(&dear).await.is_problem(402, "insufficient_credit");
    front.checkout_once(&many).await.is_problem(409, "insufficient_stock");
    front.checkout_once("no-such-order").await.is_problem(404, "unknown_order");
    shop.data().settled(PATIENCE).await;

    // It is counted after its orders' last change.
    let settle = "shardcart_checkout_step_duration_seconds_count{step=\"settle\"}";
    let scrape = eventually("settling is counted", PATIENCE, async || {
        Some(Scrape::of(shop.port()).await).filter(|scrape| scrape.value(settle) == Some(1.0))
    })
    .await;
    let checkouts = |outcome: &str| scrape.value(&format!("shardcart_checkouts_total{{outcome=\"{outcome}\"}}"));
    for (outcome, count) in [
        ("paid", 1.0),
        ("repeated", 2.0),
        ("insufficient_credit", 1.0),
        ("insufficient_stock", 1.0),
        ("unknown_order", 1.0),
        ("aborted", 0.0),
        ("unknown", 0.0),
        ("unavailable", 0.0),
    ] {
        assert_eq!(checkouts(outcome), Some(count), "{outcome}");
    }
    let count = |name: &str, label: &str| scrape.value(&format!("shardcart_{name}_count{{{label}}}"));
    assert_eq!(count("checkout_duration_seconds", "outcome=\"paid\""), Some(1.0));
    assert_eq!(count("checkout_duration_seconds", "outcome=\"refused\""), Some(3.0));
    let step = |step: &str| count("checkout_step_duration_seconds", &format!("step=\"{step}\""));
    assert_eq!([step("stock"), step("payment"), step("decide")], [Some(3.0), Some(2.0), Some(1.0)]);
    assert_eq!([step("begin"), step("give_up")], [Some(6.0), Some(2.0)]);

    let requests = |class: &str, code: &str| {
        let labels = format!("service=\"order\",endpoint=\"/checkout/{{order_id}}\",class=\"{class}\",code=\"{code}\"");
        scrape.value(&format!("shardcart_requests_total{{{labels}}}"))
    };
    assert_eq!(requests("2xx", "ok"), Some(3.0));
    assert_eq!(requests("4xx", "insufficient_credit"), Some(1.0));
    assert_eq!(requests("4xx", "unknown_order"), Some(1.0));
    assert_eq!(requests("5xx", "other"), Some(0.0), "there before there is one");
    for id in [&user, &poor, &item, &order, &dear, &many, "no-such-order"] {
        assert!(!scrape.text.contains(id), "{id} is in a label");
    }

    eventually("nothing is in flight or held", PATIENCE, async || {
        let scrape = Scrape::of(shop.port()).await;
        let gone = |series: &str| scrape.value(series) == Some(0.0);
        (gone("shardcart_attempts_in_flight{shard=\"0\"}")
            && gone("shardcart_oldest_attempt_age_seconds{shard=\"0\"}")
            && gone("shardcart_reservations_held{service=\"stock\",shard=\"0\"}"))
        .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_shard_is_seen_and_holds_up_no_scrape() {
    let mut shop = unsynced(&brief(1).settings).await;
    let port = shop.shop().port();
    let up = async |service: &str| {
        let series = format!("shardcart_shard_up{{service=\"{service}\",shard=\"0\"}}");
        Scrape::of(port).await.value(&series).expect("every shard has `up`")
    };
    eventually("all are up", PATIENCE, async || (up("stock").await == 1.0).then_some(())).await;
    shop.redis(Service::Stock, 0).pause();
    eventually("the silent one is not", PATIENCE, async || (up("stock").await == 0.0).then_some(())).await;
    // While every look at the silent one takes its whole timeout, scrapes come as fast as ever: sixty of them would take
    // a minute otherwise, and the others stay up.
    let sixty = async {
        for _ in 0..60 {
            assert_eq!(up("order").await, 1.0);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), sixty).await.expect("no scrape waits for the shard");
    assert!(Scrape::of(port).await.value("shardcart_shard_memory_used_bytes{service=\"stock\"").is_some());
    shop.redis(Service::Stock, 0).resume();
    eventually("it is up again", PATIENCE, async || (up("stock").await == 1.0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silent_shard_costs_is_counted() {
    let settings = brief(1).settings.with("CHECKOUT_LEASE_MS", 4000).with("SLOW_MS", 100);
    let mut shop = unsynced(&settings).await;
    let (front, port) = (shop.front(), shop.shop().port());
    let (one, other) = (front.user_with(10).await, front.user_with(10).await);
    let item = front.item_with(1, 1).await;
    let orders = [front.order_of(&one, &[(&item, 1)]).await, front.order_of(&other, &[(&item, 1)]).await];
    shop.redis(Service::Payment, 0).pause();
    // One has the last unit and waits for the silent shard; the other finds it held.
    front.at_once(orders, |front, order| async move { front.checkout(&order).await }).await;
    shop.redis(Service::Payment, 0).resume();
    shop.data().settled(PATIENCE).await;
    let scrape = Scrape::of(port).await;
    for series in [
        "shardcart_busy_retries_total{participant=\"stock\"}",
        "shardcart_participant_unanswered_total{participant=\"payment\"}",
        "shardcart_shard_failures_total{service=\"payment\",shard=\"0\",kind=\"unanswered\"}",
        "shardcart_shard_reconnects_total{service=\"payment\",shard=\"0\"}",
        "shardcart_participant_batch_operations_count{participant=\"payment\"}",
        "shardcart_shard_round_trip_seconds_count{service=\"payment\",shard=\"0\"}",
        "shardcart_slow_checkouts_total",
    ] {
        assert!(scrape.value(series).is_some_and(|count| count >= 1.0), "{series}: {:?}", scrape.value(series));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_is_taken_over_once_however_often_recovery_finds_it() {
    let mut shop = unsynced(&brief(1).settings.with("REDIS_TIMEOUT_MS", 500)).await;
    let (front, port) = (shop.front(), shop.shop().port());
    let user = front.user_with(10).await;
    let orders = [front.order_of(&user, &[]).await, front.order_of(&user, &[]).await];
    // Nobody can be told there that they are given up.
    shop.redis(Service::Payment, 0).pause();
    for order in &orders {
        shop.data().abandon(0, order).await;
    }
    eventually("recovery has found each again and again", PATIENCE, async || {
        let log = shop.shop().process().stderr();
        let found = log.lines().filter(|line| line.contains("recovery settles"));
        let times = |order: &str| found.clone().filter(|line| line.contains(order)).count();
        orders.iter().all(|order| times(order) >= 3).then_some(())
    })
    .await;
    let taken = Scrape::of(port).await.value("shardcart_recovery_taken_over_total");
    shop.redis(Service::Payment, 0).resume();
    assert_eq!(taken, Some(2.0));
    shop.data().settled(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_machine_is_still_scraped_and_counts_what_it_refuses() {
    const FULL: usize = 4;
    let settings = Settings::none().with("REQUESTS_MAX", FULL).with("CLIENT_TIMEOUT_MS", 20_000);
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let _open = raw::requests_without_end(shop.port(), FULL).await;
    eventually("it is full", PATIENCE, async || (shop.front().create_user().await.status == 429).then_some(())).await;
    let scrape = Scrape::of(shop.port()).await;
    assert!(scrape.value("shardcart_overload_refusals_total{service=\"shop\"}").is_some_and(|count| count >= 1.0));
    // The scrape itself is one.
    assert_eq!(scrape.value("shardcart_requests_in_flight{service=\"shop\"}"), Some((FULL + 1) as f64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_waits_for_its_turn_is_counted_and_so_is_one_that_gets_none() {
    for (queue_ms, waits) in [(7000, true), (0, false)] {
        let settings =
            brief(1).settings.with("CHECKOUTS_MAX", 1).with("WORKERS", 1).with("CHECKOUT_QUEUE_MS", queue_ms);
        let mut shop = unsynced(&settings.with("CHECKOUT_LEASE_MS", 4000).with("REDIS_TIMEOUT_MS", 1900)).await;
        let (front, port) = (shop.front(), shop.shop().port());
        let user = front.user_with(10).await;
        let [first, second] = [front.order_of(&user, &[]).await, front.order_of(&user, &[]).await];
        let pay = |order: String| {
            let front = front.clone();
            tokio::spawn(async move { front.checkout_once(&order).await })
        };
        // The first has its turn until the shard speaks again, or it is given up.
        shop.redis(Service::Payment, 0).pause();
        let first_paid = pay(first.clone());
        shop.data().order_becomes(&first, &["pending"], PATIENCE).await;
        let second_paid = pay(second);
        let waiting = async || Scrape::of(port).await.value("shardcart_checkouts_waiting").expect("it is always there");
        if waits {
            eventually("the second waits", PATIENCE, async || (waiting().await == 1.0).then_some(())).await;
        } else {
            second_paid.await.expect("it does not panic").is_problem(429, "overloaded");
            let scrape = Scrape::of(port).await;
            for series in [
                "shardcart_checkouts_total{outcome=\"overloaded\"}",
                "shardcart_overload_refusals_total{service=\"shop\"}",
            ] {
                assert_eq!(scrape.value(series), Some(1.0), "{series}");
            }
        }
        shop.redis(Service::Payment, 0).resume();
        first_paid.await.expect("it does not panic");
        eventually("nobody waits", PATIENCE, async || (waiting().await == 0.0).then_some(())).await;
        let turns = Scrape::of(port).await.value("shardcart_checkout_step_duration_seconds_count{step=\"turn\"}");
        assert_eq!(turns, Some(1.0), "one had to wait");
    }
}
