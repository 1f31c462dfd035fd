//! Many checkouts at once: what is sold, what is paid and what clients were told agree to the unit.

use std::time::Duration;

use futures_util::future::join_all;
use shardcart_harness::{Service, lease_is_short};
use shardcart_test::thousand::{self, check_out_at_once};
use shardcart_test::{Stage, on_systems_of_their_own};

on_systems_of_their_own! {
    of_1000_users_with_one_credit_exactly_100_get_one_of_100_units,
    of_1000_orders_of_users_drawn_at_random_exactly_100_are_paid_after_one_repeat,
    fifty_clients_that_check_out_one_order_all_succeed_and_it_is_charged_once,
    users_that_buy_with_all_their_orders_at_once_never_spend_more_than_they_have,
    carts_that_want_each_others_items_in_every_order_all_succeed,
    a_cart_over_all_shards_with_one_line_short_takes_nothing_anywhere,
    a_cart_of_1000_lines_over_all_shards_is_taken_at_once,
}

const RUNS: usize = 10;
const SETTLED: Duration = Duration::from_secs(15);

async fn of_1000_users_with_one_credit_exactly_100_get_one_of_100_units(shop: &Stage) {
    for _ in 0..RUNS {
        thousand::exactly_100_are_sold(shop).await;
    }
}

async fn of_1000_orders_of_users_drawn_at_random_exactly_100_are_paid_after_one_repeat(shop: &Stage) {
    for _ in 0..RUNS {
        thousand::users_drawn_at_random_get_what_they_can_pay(shop).await;
    }
}

async fn fifty_clients_that_check_out_one_order_all_succeed_and_it_is_charged_once(shop: &Stage) {
    let (user, item) = (shop.user_with(1000).await, shop.item_with(1000, 7).await);
    for run in 1..=10 {
        let order = shop.order_of(&user, &[(&item, 3)]).await;
        let orders = vec![order; 50];
        let statuses = shop.at_once(orders, |shop, order| async move { shop.checkout(&order).await.status }).await;
        assert_eq!(statuses, [200; 50]);
        assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (1000 - run * 3, 1000 - run * 21));
    }
}

async fn users_that_buy_with_all_their_orders_at_once_never_spend_more_than_they_have(shop: &Stage) {
    let item = shop.item_with(1000, 3).await;
    let users = shop.each(0..20, |_| shop.user_with(10)).await;
    let mut orders = Vec::new();
    for user in &users {
        orders.extend(shop.each(0..10, |_| async { shop.order_of(user, &[(&item, 1)]).await }).await);
    }
    let refused = check_out_at_once(shop, &orders).await;
    let mut sold = 0;
    for user in &users {
        let credit = shop.credit_of(user).await;
        assert!(credit <= 10 && credit % 3 == 1, "{credit} left of 10 after purchases at 3");
        sold += (10 - credit) / 3;
    }
    assert_eq!(shop.stock_of(&item).await, 1000 - sold);
    assert_eq!(orders.len() - refused.len(), usize::try_from(sold).expect("a count fits"));

    // What was refused because others held the credit for a moment can be had now.
    for order in &refused {
        shop.checkout(order).await;
    }
    for user in &users {
        assert_eq!(shop.credit_of(user).await, 1, "three of ten orders are paid");
    }
}

async fn carts_that_want_each_others_items_in_every_order_all_succeed(shop: &Stage) {
    let count = 60;
    let user = shop.user_with(count * 6).await;
    let items = shop.items_on_all_shards(shop.shard_count(), 2, count, 1).await;
    let mut orders = Vec::new();
    for turn in 0..count {
        let mut cart: Vec<(&str, u64)> = items.iter().map(|item| (item.as_str(), 1)).collect();
        let middle = usize::try_from(turn).expect("a count fits") % cart.len();
        cart.rotate_left(middle);
        orders.push(shop.order_of(&user, &cart).await);
    }
    shop.add_funds(&user, count * u64::try_from(items.len()).expect("a count fits")).await.ok();
    let refused = check_out_at_once(shop, &orders).await;
    assert!(refused.is_empty(), "there is exactly enough for all: {refused:?}");
    for item in &items {
        assert_eq!(shop.stock_of(item).await, 0);
    }
}

async fn a_cart_over_all_shards_with_one_line_short_takes_nothing_anywhere(shop: &Stage) {
    let items = shop.items_on_all_shards(shop.shard_count(), 2, 10, 2).await;
    let count = u64::try_from(items.len()).expect("a count fits");
    for short in &items {
        let user = shop.user_with(count * 6).await;
        let cart: Vec<(&str, u64)> = items.iter().map(|item| (item.as_str(), 3)).collect();
        let order = shop.order_of(&user, &cart).await;
        let before = shop.each(&items, |item| shop.stock_of(item)).await;
        let taken = shop.stock_of(short).await - 2;
        shop.subtract_stock(short, taken).await.ok();

        let refused = shop.checkout(&order).await;
        refused.is_problem(409, "insufficient_stock");
        assert!(refused.http.text.contains(short.as_str()), "names the short item: {refused:?}");
        for (item, before) in items.iter().zip(&before) {
            let expected = if item == short { 2 } else { *before };
            assert_eq!(shop.stock_of(item).await, expected, "nothing was taken of {item}");
        }
        assert_eq!(shop.credit_of(&user).await, count * 6);

        shop.add_stock(short, taken).await.ok();
        shop.checkout(&order).await.ok();
        for (item, before) in items.iter().zip(&before) {
            assert_eq!(shop.stock_of(item).await, before - 3);
            shop.add_stock(item, 3).await.ok();
        }
        assert_eq!(shop.credit_of(&user).await, 0);
    }
    shop.data.settled(SETTLED).await;
}

async fn a_cart_of_1000_lines_over_all_shards_is_taken_at_once(shop: &Stage) {
    shop.init_items(1000, 2, 1).await.ok();
    let user = shop.user_with(1500).await;
    let order = shop.order_of(&user, &[]).await;
    let item = |item: u64| item.to_string();
    let add = async |name: String| shop.add_one(&order, &name).await.ok();
    shop.each((0..1000).map(item), &add).await;
    for shard in 0..shop.shard_count() {
        assert!(!shop.data.keys(Service::Stock, shard, "*:item:*").await.is_empty());
    }

    shop.subtract_stock("777", 2).await.ok();
    shop.checkout(&order).await.is_problem(409, "insufficient_stock");
    assert_eq!(shop.data.units_in_all().await.free, 1998);
    shop.add_stock("777", 1).await.ok();
    shop.checkout(&order).await.ok();
    assert_eq!(shop.credit_of(&user).await, 500);
    let left = shop.each((0..1000).map(item), async |name: String| shop.stock_of(&name).await).await;
    assert_eq!(left.iter().sum::<u64>(), 999);

    let answers = join_all((0..5).map(|_| shop.checkout(&order))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(shop.credit_of(&user).await, 500);
    if !lease_is_short() {
        shop.data.settled(SETTLED).await;
    }
}
