//! A shard is gone, or comes back in another state: what needs it fails in bounded time, the rest
//! goes on.

use std::time::{Duration, Instant};

use hyper::Method;
use redis::aio::MultiplexedConnection;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Answer, Cluster, Front, Service, Settings, eventually, ids, lease_is_short};

/// How long an answer that needs a dead shard may take.
const BOUNDED: Duration = Duration::from_secs(3);
const SETTLED: Duration = Duration::from_secs(15);

async fn within(bound: Duration, call: impl Future<Output = Answer>) -> Answer {
    let start = Instant::now();
    let answer = call.await;
    assert!(start.elapsed() < bound, "took {:?}: {answer:?}", start.elapsed());
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_stock_shard_fails_its_own_keys_only_and_all_works_after_its_restart() {
    let mut cluster = Cluster::start().await;
    let (front, data) = (cluster.front(), cluster.data());
    let items = front.items_on_all_shards(2, 1, 10, 1).await;
    let (here, lost) = (items[0].clone(), items[1].clone());
    let user = front.user_with(100).await;
    let both = front.order_of(&user, &[(&here, 1), (&lost, 2)]).await;
    let fine = front.order_of(&user, &[(&here, 3)]).await;

    cluster.redis(Service::Stock, 1).kill9();

    for _ in 0..3 {
        within(BOUNDED, front.find_item(&lost)).await.is_problem(503, "shard_unavailable");
        within(BOUNDED, front.add_stock(&lost, 1)).await.is_problem(503, "shard_unavailable");
        within(BOUNDED, front.add_one(&both, &lost)).await.is_problem(503, "shard_unavailable");
    }
    within(BOUNDED, front.find_item(&here)).await.ok();
    within(BOUNDED, front.checkout(&fine)).await.ok();
    for _ in 0..10 {
        let item = within(BOUNDED, front.create_item(1)).await.text("item_id");
        assert_eq!(ids::shard(&item), 0, "new items are minted where they can live");
    }
    let answer = within(Duration::from_secs(10), front.checkout_once(&both)).await;
    answer.is_problem(409, "checkout_aborted");
    assert!(!front.is_paid(&both).await);
    assert_eq!(front.credit_of(&user).await, 97);

    cluster.redis(Service::Stock, 1).restart().await;

    eventually("the shard serves again", BOUNDED, async || (front.find_item(&lost).await.status == 200).then_some(()))
        .await;
    data.settled(SETTLED).await;
    assert_eq!((front.stock_of(&here).await, front.stock_of(&lost).await), (7, 10));
    front.checkout_until_definite(&both, false).await.ok();
    assert_eq!((front.stock_of(&here).await, front.stock_of(&lost).await), (6, 8));
    assert_eq!(front.credit_of(&user).await, 94);
    data.settled(SETTLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_payment_shard_ends_a_checkout_in_bounded_time_and_frees_the_stock_later() {
    let mut cluster = Cluster::start().await;
    let (front, data) = (cluster.front(), cluster.data());
    let (user, item) = (front.user_with(100).await, front.item_with(10, 1).await);
    let order = front.order_of(&user, &[(&item, 1)]).await;
    let shard = ids::shard(&user);

    cluster.redis(Service::Payment, shard).pause();

    let (answer, others) = tokio::join!(within(Duration::from_secs(10), front.checkout_once(&order)), async {
        data.order_becomes(&order, &["pending", "aborting"], BOUNDED).await;
        front.add_one(&order, &item).await.is_problem(409, "order_pending");
        front.remove_item(&order, &item).await.is_problem(409, "order_pending");
        front.remove_order(&order).await.is_problem(409, "order_pending");
        assert!(!front.is_paid(&order).await);
        within(BOUNDED, front.find_user(&user)).await
    });
    others.is_problem(503, "shard_unavailable");
    answer.is_problem(409, "checkout_aborted");

    cluster.redis(Service::Payment, shard).resume();

    data.settled(SETTLED).await;
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (10, 100));
    front.checkout_until_definite(&order, false).await.ok();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (9, 99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_order_shard_leaves_a_checkout_unknown_until_it_is_back() {
    let mut cluster = Cluster::start().await;
    let front = cluster.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 1).await);
    let order = front.order_of(&user, &[(&item, 1)]).await;
    let shard = ids::shard(&order);

    cluster.redis(Service::Order, shard).kill9();
    within(BOUNDED, front.find_order(&order)).await.is_problem(503, "shard_unavailable");
    let answer = within(Duration::from_secs(10), front.checkout_once(&order)).await;
    assert!(answer.status == 503, "{answer:?}");
    answer.is_well_formed_problem();
    for _ in 0..10 {
        let created = within(BOUNDED, front.create_order(&user)).await.text("order_id");
        assert_ne!(ids::shard(&created), shard);
    }

    cluster.redis(Service::Order, shard).restart().await;
    front.checkout_until_definite(&order, false).await.ok();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (9, 99));
    cluster.data().settled(SETTLED).await;
}

/// Buys one unit, looks at everything and changes something, all at the first try.
async fn everything_works_at_once(front: &Front, user: &str, item: &str) {
    let (stock, credit) = (front.stock_of(item).await, front.credit_of(user).await);
    let order = front.order_of(user, &[(item, 1)]).await;
    front.checkout(&order).await.ok();
    assert!(front.is_paid(&order).await && front.has_payment(user, &order).await);
    assert_eq!((front.stock_of(item).await, front.credit_of(user).await), (stock - 1, credit - 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_after_script_flush_or_client_kill_succeeds() {
    let cluster = Cluster::start().await;
    let (front, data) = (cluster.front(), cluster.data());
    let (user, item) = (front.user_with(100).await, front.item_with(100, 1).await);
    everything_works_at_once(&front, &user, &item).await;
    for command in [
        &["SCRIPT", "FLUSH"] as &[&str],
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        &["SCRIPT", "FLUSH"],
        &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ] {
        data.everywhere(command).await;
        everything_works_at_once(&front, &user, &item).await;
    }
    data.settled(SETTLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_after_a_restart_of_redis_succeeds() {
    let mut cluster = Cluster::start().await;
    let front = cluster.front();
    let (user, item) = (front.user_with(100).await, front.item_with(100, 1).await);
    everything_works_at_once(&front, &user, &item).await;
    for service in Service::ALL {
        for shard in 0..2 {
            cluster.redis(service, shard).restart().await;
        }
        everything_works_at_once(&front, &user, &item).await;
    }
    cluster.data().settled(SETTLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_not_ready_while_a_shard_is_dead_and_lives_all_the_same() {
    let mut cluster = Cluster::start().await;
    let direct = cluster.direct(0);
    let health = async |path: &str| direct.call(Method::GET, Service::Stock, path).await;
    cluster.redis(Service::Stock, 1).kill9();
    let answer = eventually("not ready", BOUNDED, async || {
        Some(health("/health/ready").await).filter(|answer| answer.status == 503)
    })
    .await;
    assert_eq!(answer.body["silent_shards"]["stock"], serde_json::json!([1]), "{answer:?}");
    assert!(!answer.http.text.contains("127.0.0.1"), "tells of the inside: {answer:?}");
    health("/health/live").await.ok();
    cluster.redis(Service::Stock, 1).restart().await;
    eventually("ready again", BOUNDED, async || (health("/health/ready").await.status == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_at_its_memory_limit_begins_no_checkout_and_settles_what_was_decided() {
    let system = ShopOverRedis::start(1, &Settings::none().with("SETTLE_LINGER_MS", 1_000)).await;
    let (front, data) = (system.front(), system.data());
    let (user, item) = (front.user_with(100).await, front.item_with(10, 1).await);
    let decided = front.order_of(&user, &[(&item, 2)]).await;
    let late = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&decided).await.ok();

    data.everywhere(&["CONFIG", "SET", "maxmemory", "1"]).await;
    if !lease_is_short() {
        assert_eq!(data.units(&item).await.held, 2, "was full before it was settled");
    }
    let refused = within(Duration::from_secs(10), front.checkout_once(&late)).await;
    assert!(refused.status == 503 || refused.code() == "checkout_aborted", "{refused:?}");
    data.settled(SETTLED).await;
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (8, 98));

    data.everywhere(&["CONFIG", "SET", "maxmemory", "0"]).await;
    front.checkout_until_definite(&late, true).await.ok();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (5, 95));
    data.settled(SETTLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_at_its_memory_limit_takes_nothing_and_frees_the_order() {
    let mut system = ShopOverRedis::start(1, &Settings::none()).await;
    let (front, data) = (system.front(), system.data());
    let (user, item) = (front.user_with(100).await, front.item_with(10, 1).await);
    let order = front.order_of(&user, &[(&item, 2)]).await;
    let mut stock = system.redis(Service::Stock, 0).connection().await;
    let limit = async |connection: &mut MultiplexedConnection, bytes: u8| {
        let mut set = redis::cmd("CONFIG");
        let set = set.arg("SET").arg("maxmemory").arg(bytes);
        set.query_async::<()>(connection).await.expect("a running Redis can be configured");
    };

    limit(&mut stock, 1).await;
    let refused = within(Duration::from_secs(10), front.checkout_once(&order)).await;
    refused.is_problem(409, "checkout_aborted");
    data.settled(SETTLED).await;
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (10, 100));

    limit(&mut stock, 0).await;
    front.checkout_until_definite(&order, true).await.ok();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (8, 98));
}
