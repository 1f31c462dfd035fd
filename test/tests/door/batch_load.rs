//! Loads in bulk over a used system: nothing of the old incarnation shows in the new one.

use std::time::{Duration, Instant};

use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Service, Settings};
use shardcart_test::{Stage, on_systems_of_their_own};

on_systems_of_their_own! {
    nothing_of_an_old_life_shows_after_loading_over_it,
    loading_between_checkouts_waits_for_them,
    a_direct_payment_outlives_the_order_it_was_for,
}

const COUNT: u64 = 40;

async fn load(shop: &Stage, stock: u64, credit: u64) {
    // Orders first: an order that is in flight would hold stock and credit again.
    shop.init_orders(COUNT, COUNT, COUNT, 5).await.ok();
    shop.init_items(COUNT, stock, 5).await.ok();
    shop.init_users(COUNT, credit).await.ok();
}

async fn nothing_of_an_old_life_shows_after_loading_over_it(shop: &Stage) {
    load(shop, 50, 1000).await;
    for incarnation in 1..=3 {
        live(shop).await;
        load(shop, 50 + incarnation, 1000 + incarnation).await;
        is_new(shop, 50 + incarnation, 1000 + incarnation).await;
        // The second loading meets orders that the check has paid.
        load(shop, 50, 1000).await;
        is_new(shop, 50, 1000).await;
        load(shop, 50, 1000).await;
    }
}

async fn a_direct_payment_outlives_the_order_it_was_for(shop: &Stage) {
    load(shop, 50, 1000).await;
    let user = shop.order("7").await.user;
    shop.pay(&user, "7", 10).await.ok();
    shop.remove_order("7").await.ok();

    shop.pay(&user, "7", 10).await.ok();
    shop.pay(&user, "7", 11).await.is_problem(409, "already_paid");
    assert!(shop.has_payment(&user, "7").await);
    assert_eq!(shop.credit_of(&user).await, 990, "taken once");
    shop.cancel(&user, "7").await.ok();
    shop.cancel(&user, "7").await.ok();
    assert_eq!(shop.credit_of(&user).await, 1000, "given back once");

    // Another order of that name is another matter.
    load(shop, 50, 1000).await;
    let user = shop.order("7").await.user;
    assert!(!shop.has_payment(&user, "7").await);
    shop.checkout("7").await.ok();
}

/// Paid orders, direct payments, cancelled ones, refused attempts, and their tombstones.
async fn live(shop: &Stage) {
    for order in 0..COUNT {
        let name = order.to_string();
        let user = shop.order(&name).await.user;
        match order % 5 {
            0 => drop(shop.checkout(&name).await.ok()),
            1 => drop(shop.pay(&user, &name, 10).await.ok()),
            2 => {
                shop.pay(&user, &name, 10).await.ok();
                shop.cancel(&user, &name).await.ok();
            }
            3 => {
                shop.add_item(&name, "0", 100_000).await.ok();
                shop.checkout(&name).await.is_problem(409, "insufficient_stock");
            }
            _ => {
                let dear = shop.item_with(1, 1_000_000).await;
                shop.add_item(&name, &dear, 1).await.ok();
                shop.checkout(&name).await.is_problem(402, "insufficient_credit");
            }
        }
    }
}

/// Checks every loaded thing, then that each order can be paid as if it had never been there.
async fn is_new(shop: &Stage, stock: u64, credit: u64) {
    for number in 0..COUNT {
        let name = number.to_string();
        assert_eq!((shop.stock_of(&name).await, shop.credit_of(&name).await), (stock, credit));
        let order = shop.order(&name).await;
        assert_eq!((order.paid, order.total_cost, order.items.values().sum::<u64>()), (false, 10, 2));
    }
    let pairs = (0..COUNT).flat_map(|user| (0..COUNT).map(move |order| (user, order)));
    let statuses = shop
        .each(pairs, |(user, order)| async move {
            (user, order, shop.has_payment(&user.to_string(), &order.to_string()).await)
        })
        .await;
    let paid: Vec<_> = statuses.iter().filter(|(_, _, paid)| *paid).collect();
    assert!(paid.is_empty(), "payments of an old incarnation: {paid:?}");

    let mut spent = 0;
    for number in 0..COUNT {
        let name = number.to_string();
        let user = shop.order(&name).await.user;
        if number % 2 == 0 {
            shop.checkout(&name).await.ok();
            assert!(shop.is_paid(&name).await);
        } else {
            shop.pay(&user, &name, 10).await.ok();
            assert!(!shop.is_paid(&name).await);
        }
        assert!(shop.has_payment(&user, &name).await);
        spent += 10;
    }
    shop.data.settled(Duration::from_secs(10)).await;
    let loaded = shop.each(0..COUNT, |user| async move { shop.credit_of(&user.to_string()).await }).await;
    assert_eq!(loaded.iter().sum::<u64>(), COUNT * credit - spent);
    let loaded = shop.each(0..COUNT, |item| async move { shop.stock_of(&item.to_string()).await }).await;
    assert_eq!(loaded.iter().sum::<u64>(), COUNT * stock - COUNT);
}

async fn loading_between_checkouts_waits_for_them(shop: &Stage) {
    for _ in 0..5 {
        load(shop, 100, 1000).await;
        let orders: Vec<String> = (0..COUNT).map(|order| order.to_string()).collect();
        let statuses = shop.at_once(orders, |shop, order| async move { shop.checkout(&order).await.status }).await;
        assert_eq!(statuses, vec![200; statuses.len()]);
        // At once: what was just answered is not settled yet.
        load(shop, 100, 1000).await;
        shop.data.settled(Duration::from_secs(10)).await;
        for number in 0..COUNT {
            let name = number.to_string();
            assert_eq!((shop.stock_of(&name).await, shop.credit_of(&name).await), (100, 1000));
            assert!(!shop.is_paid(&name).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_while_something_is_held_or_in_flight_is_refused_after_a_wait() {
    let settings = Settings::none().with("BATCH_INIT_WAIT_MS", 700);
    let mut system = ShopOverRedis::start(1, &settings).await;
    let (shop, data) = (system.front(), system.data());
    shop.init_items(3, 10, 1).await.ok();
    shop.init_users(3, 10).await.ok();
    let order = shop.order_of("0", &[("0", 2)]).await;

    system.redis(Service::Payment, 0).pause();
    let (client, name) = (shop.clone(), order.clone());
    let attempt = tokio::spawn(async move { client.checkout_once(&name).await });
    data.order_becomes(&order, &["pending", "aborting"], Duration::from_secs(5)).await;

    let start = Instant::now();
    shop.init_orders(3, 3, 3, 1).await.is_problem(409, "in_use");
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(600), "refused after {waited:?} without the wait");
    assert!(waited < Duration::from_secs(5), "refused only after {waited:?}");

    system.redis(Service::Payment, 0).resume();
    let answer = attempt.await.expect("the client does not panic");
    assert!(answer.status == 200 || answer.status == 409, "{answer:?}");
    data.settled(Duration::from_secs(10)).await;
    shop.init_orders(3, 3, 3, 1).await.ok();
    shop.init_items(3, 11, 1).await.ok();
    shop.init_users(3, 11).await.ok();
    assert_eq!((shop.stock_of("0").await, shop.credit_of("0").await), (11, 11));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_items_or_users_while_a_checkout_holds_some_is_refused_after_a_wait() {
    let settings = Settings::none()
        .with("BATCH_INIT_WAIT_MS", 500)
        .with("SETTLE_LINGER_MS", 60_000)
        .with("CHECKOUT_LEASE_MS", 4_000);
    let system = ShopOverRedis::start(1, &settings).await;
    let shop = system.front();
    shop.init_items(3, 10, 1).await.ok();
    shop.init_users(3, 10).await.ok();
    let order = shop.order_of("0", &[("0", 2)]).await;
    shop.checkout(&order).await.ok();

    shop.init_items(3, 11, 1).await.is_problem(409, "in_use");
    shop.init_users(3, 11).await.is_problem(409, "in_use");
    shop.init_orders(3, 3, 3, 1).await.is_problem(409, "in_use");
    assert_eq!((shop.stock_of("0").await, shop.credit_of("0").await), (8, 8));

    // The lease runs out, and recovery settles what nobody did.
    system.data().settled(Duration::from_secs(15)).await;
    shop.init_items(3, 11, 1).await.ok();
    shop.init_users(3, 11).await.ok();
    shop.init_orders(3, 3, 3, 1).await.ok();
    assert_eq!((shop.stock_of("0").await, shop.credit_of("0").await), (11, 11));
}
