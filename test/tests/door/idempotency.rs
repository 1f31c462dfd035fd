//! Calls with an `Idempotency-Key`: one effect and one answer, however often and wherever they are repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::Method;
use shardcart_harness::wait::PAUSE;
use shardcart_harness::{Answer, Cluster, ClusterOptions, Front, Service, Settings, eventually, ids};
use shardcart_test::{Stage, on_shop_and_cluster, on_systems_of_their_own};

on_shop_and_cluster! {
    every_call_with_a_key_has_one_effect_and_one_answer,
    every_call_without_a_key_has_its_effect_each_time,
    calls_at_once_with_one_key_have_one_effect_and_one_answer,
    a_key_for_another_request_is_refused_and_changes_nothing,
    a_key_belongs_to_what_is_changed,
    a_key_that_cannot_be_read_is_refused_on_every_call_that_takes_one,
    a_key_is_the_same_with_quotes_and_without,
    a_key_where_it_has_no_meaning_is_ignored,
    a_refused_call_is_tried_anew_with_the_same_key,
    what_was_added_is_told_although_the_item_is_gone,
    a_payment_is_told_although_it_was_cancelled,
    a_replay_is_told_although_the_order_is_paid,
}

on_systems_of_their_own! {
    loading_in_bulk_begins_a_new_life_for_keys_too,
}

/// How long repeats of one call may go on while machines are killed.
const DEFINITE: Duration = Duration::from_secs(60);

static KEYS: AtomicUsize = AtomicUsize::new(0);

/// A key that no other test has.
fn new_key() -> String {
    format!("key/{}", KEYS.fetch_add(1, Ordering::Relaxed))
}

fn with_new_key(front: &Front) -> Front {
    front.with_key(&format!("\"{}\"", new_key()))
}

fn is_replay(answer: &Answer) -> bool {
    match answer.http.header("idempotency-replayed") {
        None => false,
        Some("true") => true,
        Some(other) => panic!("idempotency-replayed: {other}"),
    }
}

/// Sends one call three times with a key of its own; the answers must be one.
async fn thrice(front: &Front, method: Method, service: Service, path: &str) -> Answer {
    let front = with_new_key(front);
    let first = front.call(method.clone(), service, path).await;
    assert_eq!((first.status, is_replay(&first)), (200, false), "{path}: {first:?}");
    for _ in 0..2 {
        let again = front.call(method.clone(), service, path).await;
        assert_eq!((again.status, &again.http.text, is_replay(&again)), (200, &first.http.text, true), "{path}");
        assert_eq!(again.http.media_type(), first.http.media_type(), "{path}");
    }
    first
}

async fn post(front: &Front, service: Service, path: String) -> Answer {
    thrice(front, Method::POST, service, &path).await
}

async fn every_call_with_a_key_has_one_effect_and_one_answer(shop: &Stage) {
    let user = post(shop, Service::Payment, "/create_user".into()).await.text("user_id");
    post(shop, Service::Payment, format!("/add_funds/{user}/100")).await;
    assert_eq!(shop.credit_of(&user).await, 100);
    post(shop, Service::Payment, format!("/pay/{user}/7")).await;
    assert_eq!(shop.credit_of(&user).await, 93);

    let item = post(shop, Service::Stock, "/item/create/5".into()).await.text("item_id");
    post(shop, Service::Stock, format!("/add/{item}/20")).await;
    assert_eq!(shop.stock_of(&item).await, 20);
    post(shop, Service::Stock, format!("/subtract/{item}/3")).await;
    assert_eq!(shop.stock_of(&item).await, 17);

    let order = post(shop, Service::Order, format!("/create/{user}")).await.text("order_id");
    post(shop, Service::Order, format!("/addItem/{order}/{item}/4")).await;
    post(shop, Service::Order, format!("/addItem/{order}/{item}")).await;
    let found = shop.order(&order).await;
    assert_eq!((found.items[&item], found.total_cost), (5, 25));
    thrice(shop, Method::DELETE, Service::Order, &format!("/removeItem/{order}/{item}")).await;
    assert_eq!(shop.order(&order).await.items[&item], 4);

    post(shop, Service::Payment, format!("/pay/{user}/{order}/9")).await;
    assert_eq!(shop.credit_of(&user).await, 84);
    post(shop, Service::Payment, format!("/cancel/{user}/{order}")).await;
    assert_eq!(shop.credit_of(&user).await, 93);

    thrice(shop, Method::DELETE, Service::Order, &format!("/remove/{order}")).await;
    shop.find_order(&order).await.is_problem(404, "unknown_order");
}

async fn every_call_without_a_key_has_its_effect_each_time(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(20, 5).await);
    let order = shop.order_of(&user, &[]).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.extend([
            shop.add_funds(&user, 10).await,
            shop.pay_without_order(&user, 1).await,
            shop.add_stock(&item, 10).await,
            shop.subtract_stock(&item, 1).await,
            shop.add_item(&order, &item, 3).await,
            shop.remove_item(&order, &item).await,
        ]);
    }
    assert!(answers.iter().all(|answer| answer.status == 200 && !is_replay(answer)), "{answers:?}");
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (118, 38));
    assert_eq!(shop.order(&order).await.items[&item], 4);
}

async fn calls_at_once_with_one_key_have_one_effect_and_one_answer(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(20, 5).await);
    let order = shop.order_of(&user, &[]).await;
    let at_once = async |service: Service, path: String| {
        let front = with_new_key(shop);
        let answers = front.at_once(0..20, move |front, _| {
            let path = path.clone();
            async move { front.call(Method::POST, service, &path).await }
        });
        let answers = answers.await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1, "{answers:?}");
    };
    at_once(Service::Payment, "/create_user".into()).await;
    at_once(Service::Stock, "/item/create/5".into()).await;
    at_once(Service::Order, format!("/create/{user}")).await;
    at_once(Service::Payment, format!("/add_funds/{user}/10")).await;
    at_once(Service::Payment, format!("/pay/{user}/1")).await;
    at_once(Service::Payment, format!("/pay/{user}/{order}/2")).await;
    at_once(Service::Stock, format!("/add/{item}/10")).await;
    at_once(Service::Stock, format!("/subtract/{item}/1")).await;
    at_once(Service::Order, format!("/addItem/{order}/{item}/3")).await;
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (107, 29));
    assert_eq!(shop.order(&order).await.items[&item], 3);
}

async fn a_key_for_another_request_is_refused_and_changes_nothing(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(20, 5).await);
    let (order, other) = (shop.order_of(&user, &[]).await, shop.item_with(20, 5).await);
    let front = with_new_key(shop);
    front.add_funds(&user, 10).await.ok();
    front.add_stock(&item, 10).await.ok();
    front.add_item(&order, &item, 1).await.ok();
    front.add_one(&order, &item).await.ok();
    let made = (front.create_item(5).await.ok(), front.create_order(&user).await.ok());
    for answer in [
        front.add_funds(&user, 11).await,
        front.pay_without_order(&user, 10).await,
        front.pay(&user, &order, 10).await,
        front.cancel(&user, &order).await,
        front.add_stock(&item, 11).await,
        front.subtract_stock(&item, 10).await,
        front.add_item(&order, &item, 2).await,
        front.add_item(&order, &other, 1).await,
        front.remove_item(&order, &item).await,
        front.remove_order(&order).await,
        front.create_item(6).await,
        front.create_order("another-user").await,
    ] {
        answer.is_problem(422, "idempotency_key_reused");
    }
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (110, 30));
    assert_eq!(shop.order(&order).await.items[&item], 1);
    assert_eq!((front.create_item(5).await.ok(), front.create_order(&user).await.ok()), made);
}

async fn a_key_belongs_to_what_is_changed(shop: &Stage) {
    let items = [shop.item_with(1, 5).await, shop.item_with(2, 5).await];
    let front = with_new_key(shop);
    for item in &items {
        assert!(!is_replay(&front.add_stock(item, 10).await));
    }
    assert_eq!((shop.stock_of(&items[0]).await, shop.stock_of(&items[1]).await), (11, 12));
}

/// Every call that takes a key.
const WITH_KEYS: &[(&str, Service, &str)] = &[
    ("POST", Service::Order, "/create/user"),
    ("POST", Service::Order, "/addItem/order/item"),
    ("POST", Service::Order, "/addItem/order/item/1"),
    ("DELETE", Service::Order, "/removeItem/order/item"),
    ("DELETE", Service::Order, "/remove/order"),
    ("POST", Service::Stock, "/item/create/5"),
    ("POST", Service::Stock, "/add/item/1"),
    ("POST", Service::Stock, "/subtract/item/1"),
    ("POST", Service::Payment, "/create_user"),
    ("POST", Service::Payment, "/add_funds/user/1"),
    ("POST", Service::Payment, "/pay/user/order/1"),
    ("POST", Service::Payment, "/pay/user/1"),
    ("POST", Service::Payment, "/cancel/user/order"),
];

async fn a_key_that_cannot_be_read_is_refused_on_every_call_that_takes_one(shop: &Stage) {
    let long = format!("Idempotency-Key: \"{}\"", "a".repeat(256));
    let once = "Idempotency-Key: \"a\"".to_owned();
    let mut bad = vec![vec![long], vec![once.clone(), once]];
    for value in ["", "\"\"", "\"a", "a b", "a,b", "\"a\", \"b\"", "\"a\";b=1", "\"\\a\"", "\u{fc}"] {
        bad.push(vec![format!("Idempotency-Key: {value}")]);
    }
    for (method, service, path) in WITH_KEYS {
        for fields in &bad {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let answer = shop.raw(method, *service, path, &fields, b"").await;
            assert_eq!((answer.status, answer.code()), (400, "invalid_idempotency_key"), "{path} {fields:?}");
            answer.is_well_formed_problem();
        }
    }
}

async fn a_key_is_the_same_with_quotes_and_without(shop: &Stage) {
    let item = shop.item_with(1, 5).await;
    let key = new_key();
    shop.with_key(&format!("\"{key}\"")).add_stock(&item, 10).await.ok();
    assert!(is_replay(&shop.with_key(&key).add_stock(&item, 10).await));
    assert_eq!(shop.stock_of(&item).await, 11);
}

async fn a_key_where_it_has_no_meaning_is_ignored(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(20, 5).await);
    for key in ["\"fine\"", "\"not fine"] {
        let front = shop.with_key(key);
        let order = shop.order_of(&user, &[(&item, 1)]).await;
        for answer in [
            front.find_item(&item).await,
            front.find_user(&user).await,
            front.find_order(&order).await,
            front.checkout(&order).await,
            front.checkout(&order).await,
            front.status(&user, &order).await,
        ] {
            assert_eq!((answer.status, is_replay(&answer)), (200, false), "{answer:?}");
        }
    }
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (90, 18));
}

async fn a_refused_call_is_tried_anew_with_the_same_key(shop: &Stage) {
    let user = shop.user_with(1).await;
    let front = with_new_key(shop);
    for _ in 0..2 {
        front.pay_without_order(&user, 5).await.is_problem(402, "insufficient_credit");
    }
    shop.add_funds(&user, 5).await.ok();
    for replayed in [false, true] {
        let paid = front.pay_without_order(&user, 5).await;
        assert_eq!((paid.status, is_replay(&paid)), (200, replayed));
    }
    assert_eq!(shop.credit_of(&user).await, 1);
}

async fn what_was_added_is_told_although_the_item_is_gone(shop: &Stage) {
    let (user, item) = (shop.user_with(1).await, shop.item_with(20, 5).await);
    let order = shop.order_of(&user, &[]).await;
    let front = with_new_key(shop);
    front.add_item(&order, &item, 2).await.ok();

    // No call removes an item; a later one may.
    let (shard, key) = shop.data.all_keys(Service::Stock, &format!("*:item:{item}")).await.remove(0);
    let mut stock = shop.data.shard(Service::Stock, shard).await;
    redis::cmd("DEL").arg(key).query_async::<u64>(&mut stock).await.expect("Redis deletes");

    let again = front.add_item(&order, &item, 2).await;
    assert_eq!((again.status, is_replay(&again)), (200, true), "{again:?}");
    front.add_item(&order, &item, 3).await.is_problem(422, "idempotency_key_reused");
    shop.add_item(&order, &item, 2).await.is_problem(404, "unknown_item");
    with_new_key(shop).add_item(&order, &item, 2).await.is_problem(404, "unknown_item");
    assert_eq!(shop.order(&order).await.items[&item], 2);
}

async fn a_payment_is_told_although_it_was_cancelled(shop: &Stage) {
    let user = shop.user_with(10).await;
    let order = shop.order_of(&user, &[]).await;
    let front = with_new_key(shop);
    front.pay(&user, &order, 4).await.ok();
    shop.cancel(&user, &order).await.ok();
    assert!(is_replay(&front.pay(&user, &order, 4).await));
    shop.pay(&user, &order, 4).await.is_problem(409, "already_paid");
    assert_eq!(shop.credit_of(&user).await, 10);
}

async fn a_replay_is_told_although_the_order_is_paid(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(20, 5).await);
    let order = shop.order_of(&user, &[]).await;
    let front = with_new_key(shop);
    front.add_item(&order, &item, 2).await.ok();
    shop.checkout(&order).await.ok();
    assert!(is_replay(&front.add_item(&order, &item, 2).await));
    with_new_key(shop).add_item(&order, &item, 2).await.is_problem(409, "order_paid");
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (90, 18));
}

async fn loading_in_bulk_begins_a_new_life_for_keys_too(shop: &Stage) {
    let load = async || {
        shop.init_orders(10, 10, 10, 5).await.ok();
        shop.init_items(10, 50, 5).await.ok();
        shop.init_users(10, 1000).await.ok();
    };
    let front = with_new_key(shop);
    let other = shop.item_with(1, 5).await;
    front.add_stock(&other, 1).await.ok();
    for _ in 0..2 {
        load().await;
        for replayed in [false, true] {
            let answers = [
                front.add_stock("3", 1).await,
                front.add_funds("4", 1).await,
                front.pay("5", "6", 1).await,
                front.add_item("7", "3", 1).await,
            ];
            assert!(answers.iter().all(|answer| answer.status == 200 && is_replay(answer) == replayed), "{answers:?}");
        }
        assert_eq!((shop.stock_of("3").await, shop.credit_of("4").await, shop.credit_of("5").await), (51, 1001, 999));
        assert_eq!(shop.order("7").await.total_cost, 15);
    }
    assert!(is_replay(&front.add_stock(&other, 1).await), "an item that was not loaded has its one incarnation");

    // The orders alone: the user is the same, the order that it paid for is not.
    shop.init_orders(10, 10, 10, 5).await.ok();
    assert!(!is_replay(&front.pay("5", "6", 1).await));
    assert_eq!(shop.credit_of("5").await, 998);
}

/// Creates a user, an item and an order with these keys.
async fn create_all(front: &Front, user: &str) -> [String; 3] {
    [
        front.create_user().await.text("user_id"),
        front.create_item(5).await.text("item_id"),
        front.create_order(user).await.text("order_id"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_at_another_machine_is_a_replay_also_when_the_first_was_killed() {
    let mut cluster = Cluster::start().await;
    let machines = [cluster.direct(0), cluster.direct(1)];
    let (user, item) = (machines[0].user_with(100).await, machines[0].item_with(20, 5).await);
    let order = machines[0].order_of(&user, &[]).await;
    let at_both = |key: String| machines.each_ref().map(|machine| machine.with_key(&key));
    let keys: Vec<[Front; 2]> = (0..16).map(|_| at_both(new_key())).collect();
    let mut made = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let first = create_all(&key[number % 2], &user).await;
        assert_eq!(create_all(&key[(number + 1) % 2], &user).await, first, "each machine mints on a shard of its own");
        made.push(first);
    }
    let funded = keys[0][0].add_funds(&user, 10).await;
    let paid = keys[1][0].pay(&user, &order, 1).await;
    let added = keys[2][0].add_stock(&item, 10).await;
    let taken = keys[3][0].subtract_stock(&item, 1).await;
    let filled = keys[4][0].add_item(&order, &item, 3).await;
    assert!([&funded, &paid, &added, &taken, &filled].iter().all(|answer| answer.status == 200 && !is_replay(answer)));

    for service in Service::ALL {
        cluster.process(service, 0).kill9();
    }

    for (answer, first) in [
        (keys[0][1].add_funds(&user, 10).await, &funded),
        (keys[1][1].pay(&user, &order, 1).await, &paid),
        (keys[2][1].add_stock(&item, 10).await, &added),
        (keys[3][1].subtract_stock(&item, 1).await, &taken),
        (keys[4][1].add_item(&order, &item, 3).await, &filled),
    ] {
        assert_eq!((answer.status, &answer.http.text, is_replay(&answer)), (200, &first.http.text, true));
    }
    for (key, made) in keys.iter().zip(&made) {
        assert_eq!(&create_all(&key[1], &user).await, made);
    }
    let left = cluster.direct(1);
    assert_eq!((left.credit_of(&user).await, left.stock_of(&item).await), (109, 29));
    assert_eq!(left.order(&order).await.items[&item], 3);
    let shards: Vec<usize> = made.iter().map(|[_, item, _]| ids::shard(item)).collect();
    assert!(shards.contains(&0) && shards.contains(&1), "keys name all shards: {shards:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_created_is_found_again_when_there_are_more_shards() {
    let mut cluster = Cluster::start().await;
    let user = cluster.front().user_with(0).await;
    let keys: Vec<String> = (0..8).map(|_| new_key()).collect();
    let mut made = Vec::new();
    for key in &keys {
        made.push(create_all(&cluster.front().with_key(key), &user).await);
    }
    for service in Service::ALL {
        cluster.add_shard(service).await;
    }
    for service in Service::ALL {
        for machine in 0..2 {
            cluster.restart_machine(service, machine).await;
        }
    }
    for machine in 0..2 {
        for (key, made) in keys.iter().zip(&made) {
            assert_eq!(&create_all(&cluster.direct(machine).with_key(key), &user).await, made);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_with_a_key_waits_for_the_shard_that_the_key_names() {
    let mut cluster = Cluster::start().await;
    let front = cluster.front();
    cluster.redis(Service::Stock, 1).kill9();
    let mut named_lost = None;
    for _ in 0..100 {
        let key = new_key();
        let created = front.with_key(&key).create_item(5).await;
        if created.status != 200 {
            created.is_problem(503, "shard_unavailable");
            named_lost = Some(key);
            break;
        }
        assert_eq!(ids::shard(&created.text("item_id")), 0);
    }
    let key = named_lost.expect("some key names the lost shard");
    front.create_item(5).await.ok();

    cluster.redis(Service::Stock, 1).restart().await;

    let created = eventually("the shard serves again", DEFINITE, async || {
        let created = front.with_key(&key).create_item(5).await;
        (created.status == 200).then_some(created)
    });
    assert_eq!(ids::shard(&created.await.text("item_id")), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_added_is_told_although_the_shard_of_the_item_is_lost() {
    let mut cluster = Cluster::start().await;
    let front = cluster.front();
    let (user, item) = (front.user_with(1).await, front.item_with(20, 5).await);
    let order = front.order_of(&user, &[]).await;
    let keyed = with_new_key(&front);
    keyed.add_item(&order, &item, 2).await.ok();

    cluster.redis(Service::Stock, ids::shard(&item)).kill9();

    let again = keyed.add_item(&order, &item, 2).await;
    assert_eq!((again.status, is_replay(&again)), (200, true), "{again:?}");
    with_new_key(&front).add_item(&order, &item, 2).await.is_problem(503, "shard_unavailable");
    assert_eq!(front.order(&order).await.items[&item], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_with_keys_have_one_effect_each_while_machines_are_killed() {
    let options = ClusterOptions { machines: 2, shards: 2, settings: Settings::none() };
    let mut cluster = Cluster::start_with(options).await;
    let front = cluster.front();
    let (user, item) = (front.user_with(100_000).await, front.item_with(0, 5).await);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (front, stop, user, item) = (front.clone(), Arc::clone(&stop), user.clone(), item.clone());
            tokio::spawn(async move {
                let (mut rounds, mut unanswered) = (0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let keyed = with_new_key(&front);
                    unanswered += until_done(&keyed, Service::Stock, &format!("/add/{item}/2")).await;
                    unanswered += until_done(&keyed, Service::Payment, &format!("/pay/{user}/1")).await;
                    rounds += 1;
                }
                (rounds, unanswered)
            })
        })
        .collect();
    for service in [Service::Stock, Service::Payment] {
        for machine in 0..2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.process(service, machine).kill9();
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.start_machine(service, machine).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (mut rounds, mut unanswered) = (0, 0);
    for client in clients {
        let (done, failed) = client.await.expect("a client does not panic");
        rounds += done;
        unanswered += failed;
    }
    assert!(rounds > 50, "too little load to tell anything: {rounds}");
    assert_eq!(unanswered, 0, "the gateway repeats what has a key");
    assert_eq!(front.stock_of(&item).await, 2 * rounds, "every call was carried out once");
    assert_eq!(front.credit_of(&user).await, 100_000 - rounds);
}

/// Repeats a call until it is answered 200; how often it was not.
async fn until_done(front: &Front, service: Service, path: &str) -> u64 {
    let (start, mut failed) = (Instant::now(), 0);
    loop {
        match front.try_call(Method::POST, service, path).await {
            Ok(answer) if answer.status == 200 => return failed,
            Ok(answer) => assert!(answer.status >= 500, "{path}: {answer:?}"),
            Err(_) => {}
        }
        failed += 1;
        assert!(start.elapsed() < DEFINITE, "{path}: not done within {DEFINITE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
