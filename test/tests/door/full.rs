//! Calls with an `Idempotency-Key` where no more keys may be kept: Redis is at `maxmemory`, or the shard at its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;
use redis::aio::MultiplexedConnection;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Front, Service, Settings};
use shardcart_test::Stage;

/// The bytes that each server may take beyond what it has.
const ROOM: u64 = 128 * 1024;
/// What clients' connections may take beside.
const SLACK: u64 = 256 * 1024;
/// Calls with a key of their own: their records would take several times the room.
const CALLS: usize = 6_000;

async fn used_memory(shard: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("memory").query_async(shard).await.expect("Redis tells");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.and_then(|bytes| bytes.parse().ok()).expect("a server tells what it uses")
}

async fn allow(shard: &mut MultiplexedConnection, bytes: u64) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory").arg(bytes);
    set.query_async::<()>(shard).await.expect("Redis takes it");
}

/// Sends one call again and again, each time with another of the longest keys. How many were answered 200.
async fn with_new_keys(front: &Front, method: Method, service: Service, path: &str) -> usize {
    let (path, done) = (Arc::new(path.to_owned()), Arc::new(AtomicUsize::new(0)));
    let calls = front.at_once(0..40, |front, client| {
        let (path, method, done) = (Arc::clone(&path), method.clone(), Arc::clone(&done));
        async move {
            for number in 0..CALLS / 40 {
                let keyed = front.with_key(&format!("\"{:~>255}\"", format!("{client}/{number}")));
                let answer = keyed.call(method.clone(), service, &path).await;
                match answer.status {
                    200 => drop(done.fetch_add(1, Ordering::Relaxed)),
                    _ => answer.is_problem(503, "shard_unavailable"),
                }
            }
        }
    });
    calls.await;
    done.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_take_no_memory_that_a_full_server_does_not_have() {
    let shop = Stage::own_shop(1).await;
    let (user, item) = (shop.user_with(100).await, shop.item_with(100_000, 1).await);
    let order = shop.order_of(&user, &[(&item, 100_000)]).await;
    let (cancelled, other) = (shop.order_of(&user, &[]).await, shop.order_of(&user, &[]).await);
    shop.pay(&user, &cancelled, 1).await.ok();
    for service in Service::ALL {
        let kept = shop.data.all_keys(service, "*:key:*").await;
        assert!(kept.is_empty(), "without a key nothing is kept: {kept:?}");
    }

    for (method, service, path) in [
        (Method::POST, Service::Stock, format!("/subtract/{item}/0")),
        (Method::POST, Service::Payment, format!("/cancel/{user}/{cancelled}")),
        (Method::DELETE, Service::Order, format!("/removeItem/{order}/{item}")),
    ] {
        let mut shard = shop.data.shard(service, 0).await;
        let most = used_memory(&mut shard).await + ROOM;
        allow(&mut shard, most).await;
        let done = with_new_keys(&shop, method.clone(), service, &path).await;
        let used = used_memory(&mut shard).await;
        assert!(done < CALLS / 2, "{path}: {done} of {CALLS} found room");
        assert!(used < most + SLACK, "{path}: {used} bytes are used, {most} were allowed");
        // Not a byte is left now, whatever clients' connections take.
        allow(&mut shard, 1).await;
        assert_eq!(with_new_keys(&shop, method.clone(), service, &path).await, 0, "{path}");
        assert_eq!(shop.call(method, service, &path).await.status, 200, "{path}");
    }
    let remove = format!("/remove/{other}");
    assert_eq!(with_new_keys(&shop, Method::DELETE, Service::Order, &remove).await, 0);
    assert_eq!(shop.call(Method::DELETE, Service::Order, &remove).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_bound_of_keys_only_what_moves_money_is_done() {
    let shop = ShopOverRedis::start(1, &Settings::none().with("IDEMPOTENCY_RECORDS_MAX", 2)).await;
    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(20, 1).await);
    let order = front.order_of(&user, &[(&item, 2)]).await;
    let [first, second] = ["\"first\"", "\"second\""].map(|key| front.with_key(key));
    for front in [&first, &second] {
        front.add_stock(&item, 1).await.ok();
        front.add_item(&order, &item, 1).await.ok();
        front.add_funds(&user, 1).await.ok();
    }
    let beyond = front.with_key("\"beyond\"");
    for answer in [
        beyond.add_stock(&item, 1).await,
        beyond.subtract_stock(&item, 1).await,
        beyond.create_item(1).await,
        beyond.add_item(&order, &item, 1).await,
        beyond.remove_item(&order, &item).await,
        beyond.remove_order(&order).await,
        beyond.create_order(&user).await,
        beyond.create_user().await,
    ] {
        answer.is_problem(429, "too_many_idempotency_keys");
        let after: u64 = answer.http.header("retry-after").and_then(|after| after.parse().ok()).expect("seconds");
        assert!((1..=3_600).contains(&after), "{after}");
    }
    second.add_stock(&item, 1).await.ok();
    second.add_stock(&item, 2).await.is_problem(422, "idempotency_key_reused");
    assert_eq!((front.stock_of(&item).await, front.order(&order).await.items[&item]), (22, 4));

    for _ in 0..2 {
        beyond.add_funds(&user, 10).await.ok();
        front.with_key("\"paid\"").pay_without_order(&user, 3).await.ok();
        beyond.pay(&user, &order, 5).await.is_problem(422, "idempotency_key_reused");
        front.with_key("\"order\"").pay(&user, &order, 5).await.ok();
    }
    front.with_key("\"back\"").cancel(&user, &order).await.ok();
    assert_eq!(front.credit_of(&user).await, 109);
    front.subtract_stock(&item, 1).await.ok();
}
