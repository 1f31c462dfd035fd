//! Every row of the HTTP contract, in both vintages, with the exact shape of each answer.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use shardcart_harness::http::raw;
use shardcart_harness::{Service, eventually, ids};
use shardcart_test::{Stage, on_shop_and_cluster, on_systems_of_their_own};

on_shop_and_cluster! {
    a_new_order_is_empty_and_unpaid,
    a_new_item_has_its_price_and_no_stock,
    a_new_user_has_no_credit,
    minted_ids_are_uuids_that_name_a_shard,
    an_item_can_be_added_to_an_order_in_both_vintages,
    an_order_can_be_found_with_its_items_listed_unit_by_unit,
    taking_an_item_off_takes_one_and_the_line_goes_at_zero,
    an_order_keeps_the_price_that_was_quoted_when_a_unit_was_added,
    adding_an_unknown_item_is_refused_at_once,
    a_removed_order_is_unknown,
    a_checkout_takes_stock_and_credit_and_marks_the_order_paid,
    a_repeated_checkout_of_a_paid_order_succeeds_and_takes_nothing,
    an_empty_cart_of_a_known_user_checks_out_for_nothing,
    a_checkout_for_an_unknown_user_is_refused,
    a_checkout_of_an_unknown_order_is_refused,
    a_checkout_with_too_little_stock_names_the_item_and_takes_nothing,
    a_checkout_with_too_little_credit_takes_nothing_and_can_be_repeated,
    a_checkout_reports_stock_before_payment,
    stock_can_be_added_and_subtracted_but_not_below_zero,
    funds_can_be_added,
    a_payment_for_an_order_is_taken_once,
    a_payment_without_an_order_is_taken_each_time,
    a_cancelled_payment_is_given_back_once,
    a_cancelled_payment_is_not_taken_again,
    a_payment_of_a_checkout_is_not_cancelled_here,
    a_payment_of_a_checkout_is_not_cancelled_by_repeating_the_cancel_of_a_direct_one,
    an_order_paid_by_checkout_is_not_paid_again,
    an_order_paid_directly_is_not_checked_out,
    a_payment_status_is_true_from_the_checkout_on,
    an_order_that_nobody_paid_has_a_status_of_not_paid,
    every_service_and_the_whole_tell_their_health,
}

on_systems_of_their_own! {
    items_can_be_loaded_in_bulk,
    users_can_be_loaded_in_bulk,
    orders_can_be_loaded_in_bulk_and_checked_out,
    loading_in_bulk_replaces_what_was_loaded_before,
}

const SETTLED: Duration = Duration::from_secs(10);

/// Checks the exact fields of a JSON object.
#[track_caller]
fn has_fields(body: &Value, fields: &[&str]) {
    let mut found: Vec<&str> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut fields = fields.to_vec();
    found.sort_unstable();
    fields.sort_unstable();
    assert_eq!(found, fields, "{body}");
}

async fn a_new_order_is_empty_and_unpaid(shop: &Stage) {
    let user = shop.user_with(0).await;
    let created = shop.create_order(&user).await.ok();
    has_fields(&created, &["order_id"]);
    let order = created["order_id"].as_str().expect("an id");

    let found = shop.find_order(order).await.ok();
    let expected = json!({"order_id": order, "paid": false, "items": [], "user_id": user, "total_cost": 0});
    assert_eq!(found, expected);
}

async fn a_new_item_has_its_price_and_no_stock(shop: &Stage) {
    let created = shop.create_item(7).await.ok();
    has_fields(&created, &["item_id"]);

    let found = shop.find_item(created["item_id"].as_str().expect("an id")).await.ok();
    assert_eq!(found, json!({"stock": 0, "price": 7}));
}

async fn a_new_user_has_no_credit(shop: &Stage) {
    let created = shop.create_user().await.ok();
    has_fields(&created, &["user_id"]);
    let user = created["user_id"].as_str().expect("an id");

    let found = shop.find_user(user).await.ok();
    assert_eq!(found, json!({"user_id": user, "credit": 0}));
}

async fn minted_ids_are_uuids_that_name_a_shard(shop: &Stage) {
    for _ in 0..10 {
        let user = shop.create_user().await.text("user_id");
        let item = shop.create_item(1).await.text("item_id");
        let order = shop.create_order(&user).await.text("order_id");
        for (service, kind, id) in
            [(Service::Payment, "user", &user), (Service::Stock, "item", &item), (Service::Order, "order", &order)]
        {
            let key = ids::key(service, id, kind, id);
            let found = shop.data.all_keys(service, &format!("*:{kind}:{id}")).await;
            assert_eq!(found, [(ids::shard(id), key)]);
        }
    }
}

async fn an_item_can_be_added_to_an_order_in_both_vintages(shop: &Stage) {
    let (user, item) = (shop.user_with(0).await, shop.item_with(0, 3).await);
    let order = shop.order_of(&user, &[]).await;

    shop.add_one(&order, &item).await.ok();
    shop.add_item(&order, &item, 4).await.ok();

    let found = shop.find_order(&order).await.ok();
    let expected = json!({"order_id": order, "paid": false, "items": [[item, 5]], "user_id": user, "total_cost": 15});
    assert_eq!(found, expected);
}

async fn an_order_can_be_found_with_its_items_listed_unit_by_unit(shop: &Stage) {
    let (user, some, other) = (shop.user_with(0).await, shop.item_with(0, 3).await, shop.item_with(0, 10).await);
    let order = shop.order_of(&user, &[(&some, 2), (&other, 1)]).await;

    let found = shop.find_order_flat(&order).await.ok();
    has_fields(&found, &["order_id", "paid", "items", "user_id", "total_cost"]);
    let mut items: Vec<&str> =
        found["items"].as_array().expect("a list").iter().map(|item| item.as_str().expect("an id")).collect();
    let mut expected = vec![some.as_str(), some.as_str(), other.as_str()];
    items.sort_unstable();
    expected.sort_unstable();
    assert_eq!(items, expected);
    assert_eq!(found["total_cost"], 16);
}

async fn taking_an_item_off_takes_one_and_the_line_goes_at_zero(shop: &Stage) {
    let (user, item) = (shop.user_with(0).await, shop.item_with(0, 3).await);
    let order = shop.order_of(&user, &[(&item, 2)]).await;

    shop.remove_item(&order, &item).await.ok();
    let found = shop.order(&order).await;
    assert_eq!((found.items, found.total_cost), (BTreeMap::from([(item.clone(), 1)]), 3));

    shop.remove_item(&order, &item).await.ok();
    let found = shop.order(&order).await;
    assert_eq!((found.items, found.total_cost), (BTreeMap::new(), 0));

    shop.remove_item(&order, &item).await.is_problem(404, "unknown_item");
}

async fn an_order_keeps_the_price_that_was_quoted_when_a_unit_was_added(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(10, 7).await);
    let order = shop.order_of(&user, &[(&item, 3)]).await;

    assert_eq!(shop.order(&order).await.total_cost, 21);
    shop.checkout(&order).await.ok();
    assert_eq!(shop.credit_of(&user).await, 79);
}

async fn adding_an_unknown_item_is_refused_at_once(shop: &Stage) {
    let order = shop.order_of(&shop.user_with(0).await, &[]).await;
    shop.add_item(&order, "no-such-item", 1).await.is_problem(404, "unknown_item");
    shop.add_one(&order, "no-such-item").await.is_problem(404, "unknown_item");
    assert!(shop.order(&order).await.items.is_empty());
}

async fn a_removed_order_is_unknown(shop: &Stage) {
    let (user, item) = (shop.user_with(9).await, shop.item_with(9, 1).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;

    shop.remove_order(&order).await.ok();

    shop.find_order(&order).await.is_problem(404, "unknown_order");
    shop.add_one(&order, &item).await.is_problem(404, "unknown_order");
    shop.remove_item(&order, &item).await.is_problem(404, "unknown_order");
    shop.checkout(&order).await.is_problem(404, "unknown_order");
    shop.remove_order(&order).await.is_problem(404, "unknown_order");
}

async fn a_checkout_takes_stock_and_credit_and_marks_the_order_paid(shop: &Stage) {
    let user = shop.user_with(100).await;
    let (some, other) = (shop.item_with(10, 7).await, shop.item_with(10, 20).await);
    let order = shop.order_of(&user, &[(&some, 2), (&other, 1)]).await;

    shop.checkout(&order).await.ok();

    assert!(shop.is_paid(&order).await);
    assert_eq!((shop.stock_of(&some).await, shop.stock_of(&other).await), (8, 9));
    assert_eq!(shop.credit_of(&user).await, 66);
}

async fn a_repeated_checkout_of_a_paid_order_succeeds_and_takes_nothing(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(10, 1).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    for _ in 0..5 {
        shop.checkout(&order).await.ok();
    }
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (9, 9));
}

async fn an_empty_cart_of_a_known_user_checks_out_for_nothing(shop: &Stage) {
    let user = shop.user_with(0).await;
    let order = shop.order_of(&user, &[]).await;
    shop.checkout(&order).await.ok();
    assert!(shop.is_paid(&order).await);
    assert!(shop.has_payment(&user, &order).await);
}

async fn a_checkout_for_an_unknown_user_is_refused(shop: &Stage) {
    let item = shop.item_with(5, 1).await;
    let order = shop.order_of("no-such-user", &[(&item, 1)]).await;
    shop.checkout(&order).await.is_problem(404, "unknown_user");
    assert_eq!(shop.stock_of(&item).await, 5);

    let empty = shop.order_of("no-such-user", &[]).await;
    shop.checkout(&empty).await.is_problem(404, "unknown_user");
    assert!(!shop.is_paid(&empty).await);
}

async fn a_checkout_of_an_unknown_order_is_refused(shop: &Stage) {
    shop.checkout("no-such-order").await.is_problem(404, "unknown_order");
}

async fn a_checkout_with_too_little_stock_names_the_item_and_takes_nothing(shop: &Stage) {
    let user = shop.user_with(100).await;
    let (plenty, short) = (shop.item_with(10, 1).await, shop.item_with(1, 1).await);
    let order = shop.order_of(&user, &[(&plenty, 5), (&short, 2)]).await;

    let refused = shop.checkout(&order).await;
    refused.is_problem(409, "insufficient_stock");
    assert!(refused.http.text.contains(&short), "names the item: {refused:?}");
    assert_eq!((shop.stock_of(&plenty).await, shop.stock_of(&short).await), (10, 1));
    assert_eq!(shop.credit_of(&user).await, 100);
    assert!(!shop.is_paid(&order).await);

    shop.add_stock(&short, 1).await.ok();
    shop.checkout(&order).await.ok();
    assert_eq!((shop.stock_of(&plenty).await, shop.stock_of(&short).await), (5, 0));
}

async fn a_checkout_with_too_little_credit_takes_nothing_and_can_be_repeated(shop: &Stage) {
    let (user, item) = (shop.user_with(9).await, shop.item_with(10, 5).await);
    let order = shop.order_of(&user, &[(&item, 2)]).await;

    shop.checkout(&order).await.is_problem(402, "insufficient_credit");
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (10, 9));
    assert!(!shop.has_payment(&user, &order).await);

    shop.add_funds(&user, 1).await.ok();
    shop.checkout(&order).await.ok();
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (8, 0));
}

async fn a_checkout_reports_stock_before_payment(shop: &Stage) {
    let (poor, item) = (shop.user_with(0).await, shop.item_with(1, 5).await);
    let order = shop.order_of(&poor, &[(&item, 2)]).await;
    shop.checkout(&order).await.is_problem(409, "insufficient_stock");

    let order = shop.order_of("no-such-user", &[(&item, 2)]).await;
    shop.checkout(&order).await.is_problem(409, "insufficient_stock");
}

async fn stock_can_be_added_and_subtracted_but_not_below_zero(shop: &Stage) {
    let item = shop.create_item(1).await.text("item_id");
    shop.add_stock(&item, 10).await.ok();
    shop.subtract_stock(&item, 4).await.ok();
    assert_eq!(shop.stock_of(&item).await, 6);

    shop.subtract_stock(&item, 7).await.is_problem(409, "insufficient_stock");
    assert_eq!(shop.stock_of(&item).await, 6);
    shop.subtract_stock(&item, 6).await.ok();
    assert_eq!(shop.stock_of(&item).await, 0);
}

async fn funds_can_be_added(shop: &Stage) {
    let user = shop.create_user().await.text("user_id");
    assert_eq!(shop.add_funds(&user, 12).await.ok(), json!({"done": true}));
    assert_eq!(shop.credit_of(&user).await, 12);
}

async fn a_payment_for_an_order_is_taken_once(shop: &Stage) {
    let user = shop.user_with(10).await;
    let order = shop.order_of(&user, &[]).await;
    for _ in 0..3 {
        shop.pay(&user, &order, 4).await.ok();
    }
    assert_eq!(shop.credit_of(&user).await, 6);
    assert!(shop.has_payment(&user, &order).await);

    shop.pay(&user, &order, 5).await.is_problem(409, "already_paid");
    assert_eq!(shop.credit_of(&user).await, 6);

    let dear = shop.order_of(&user, &[]).await;
    shop.pay(&user, &dear, 7).await.is_problem(402, "insufficient_credit");
    assert!(!shop.has_payment(&user, &dear).await);
}

async fn a_payment_without_an_order_is_taken_each_time(shop: &Stage) {
    let user = shop.user_with(10).await;
    shop.pay_without_order(&user, 4).await.ok();
    shop.pay_without_order(&user, 4).await.ok();
    assert_eq!(shop.credit_of(&user).await, 2);
    shop.pay_without_order(&user, 4).await.is_problem(402, "insufficient_credit");
    assert_eq!(shop.credit_of(&user).await, 2);
}

async fn a_cancelled_payment_is_given_back_once(shop: &Stage) {
    let user = shop.user_with(10).await;
    let order = shop.order_of(&user, &[]).await;
    shop.cancel(&user, &order).await.is_problem(404, "unknown_payment");

    shop.pay(&user, &order, 4).await.ok();
    for _ in 0..3 {
        shop.cancel(&user, &order).await.ok();
    }
    assert_eq!(shop.credit_of(&user).await, 10);
    assert!(!shop.has_payment(&user, &order).await);
}

async fn a_cancelled_payment_is_not_taken_again(shop: &Stage) {
    let user = shop.user_with(10).await;
    let order = shop.order_of(&user, &[]).await;
    shop.pay(&user, &order, 4).await.ok();
    shop.cancel(&user, &order).await.ok();

    shop.pay(&user, &order, 4).await.is_problem(409, "already_paid");
    assert_eq!(shop.credit_of(&user).await, 10);
}

async fn a_payment_of_a_checkout_is_not_cancelled_here(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(1, 4).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    shop.checkout(&order).await.ok();

    let refused = shop.cancel(&user, &order).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    refused.is_well_formed_problem();
    assert_eq!(shop.credit_of(&user).await, 6);
    assert!(shop.has_payment(&user, &order).await);
}

async fn a_payment_of_a_checkout_is_not_cancelled_by_repeating_the_cancel_of_a_direct_one(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(1, 4).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    shop.pay(&user, &order, 3).await.ok();
    shop.cancel(&user, &order).await.ok();
    shop.checkout(&order).await.ok();

    // The same before and after the checkout is settled: what is paid is not given back.
    shop.cancel(&user, &order).await.is_problem(409, "order_paid");
    shop.data.order_settles(&order, SETTLED).await;
    shop.cancel(&user, &order).await.is_problem(409, "order_paid");
    assert_eq!(shop.credit_of(&user).await, 6);
}

async fn an_order_paid_by_checkout_is_not_paid_again(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(1, 4).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    shop.checkout(&order).await.ok();

    // The same before and after the checkout is settled.
    shop.pay(&user, &order, 4).await.is_problem(409, "already_paid");
    shop.data.order_settles(&order, SETTLED).await;
    shop.pay(&user, &order, 4).await.is_problem(409, "already_paid");
    assert_eq!(shop.credit_of(&user).await, 6);
}

async fn an_order_paid_directly_is_not_checked_out(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(1, 4).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    shop.pay(&user, &order, 4).await.ok();

    shop.checkout(&order).await.is_problem(409, "already_paid");
    assert_eq!((shop.credit_of(&user).await, shop.stock_of(&item).await), (6, 1));
    assert!(!shop.is_paid(&order).await);
}

async fn a_payment_status_is_true_from_the_checkout_on(shop: &Stage) {
    let (user, item) = (shop.user_with(100).await, shop.item_with(100, 1).await);
    for _ in 0..20 {
        let order = shop.order_of(&user, &[(&item, 1)]).await;
        assert_eq!(shop.status(&user, &order).await.ok(), json!({"paid": false}));
        shop.checkout(&order).await.ok();
        assert_eq!(shop.status(&user, &order).await.ok(), json!({"paid": true}));
    }
}

async fn an_order_that_nobody_paid_has_a_status_of_not_paid(shop: &Stage) {
    let user = shop.user_with(0).await;
    assert_eq!(shop.status(&user, "no-such-order").await.ok(), json!({"paid": false}));
}

async fn every_service_and_the_whole_tell_their_health(shop: &Stage) {
    for path in ["/health/live", "/health/ready"] {
        let (server, _) = shop.address(Service::Order);
        let request = raw::head("GET", path, &[]);
        // A machine with too much to do may answer its gateway too late for once.
        eventually(format!("{path} is 200"), SETTLED, async || {
            (raw::exchange(server, request.as_bytes()).await.status == 200).then_some(())
        })
        .await;
    }
    // A machine answers without a prefix; a shop is one machine, and answered above.
    if !shop.direct.base(Service::Order).ends_with("/orders") {
        for service in Service::ALL {
            for path in ["/health/live", "/health/ready"] {
                eventually(format!("{service} {path} is 200"), SETTLED, async || {
                    (shop.direct.call(Method::GET, service, path).await.status == 200).then_some(())
                })
                .await;
            }
        }
    }
}

async fn items_can_be_loaded_in_bulk(shop: &Stage) {
    let loaded = shop.init_items(2500, 17, 3).await.ok();
    has_fields(&loaded, &["msg"]);
    for item in ["0", "1", "1250", "2499"] {
        assert_eq!(shop.find_item(item).await.ok(), json!({"stock": 17, "price": 3}), "{item}");
    }
    shop.find_item("2500").await.is_problem(404, "unknown_item");
    assert_eq!(shop.data.all_keys(Service::Stock, "*:item:*").await.len(), 2500);
    spread_over_all_shards(shop, Service::Stock, "item").await;
}

async fn users_can_be_loaded_in_bulk(shop: &Stage) {
    let loaded = shop.init_users(2500, 9).await.ok();
    has_fields(&loaded, &["msg"]);
    for user in ["0", "1", "1250", "2499"] {
        assert_eq!(shop.find_user(user).await.ok(), json!({"user_id": user, "credit": 9}), "{user}");
    }
    shop.find_user("2500").await.is_problem(404, "unknown_user");
    assert_eq!(shop.data.all_keys(Service::Payment, "*:user:*").await.len(), 2500);
    spread_over_all_shards(shop, Service::Payment, "user").await;
}

async fn orders_can_be_loaded_in_bulk_and_checked_out(shop: &Stage) {
    let (items, users, price) = (10, 20, 5);
    shop.init_items(items, 1000, price).await.ok();
    shop.init_users(users, 1000).await.ok();
    let loaded = shop.init_orders(200, items, users, price).await.ok();
    has_fields(&loaded, &["msg"]);

    let mut drawn = [0, 0];
    for order in 0..200 {
        let found = shop.order(&order.to_string()).await;
        assert!(!found.paid);
        assert_eq!(found.total_cost, 2 * price);
        assert_eq!(found.items.values().sum::<u64>(), 2, "{found:?}");
        let below = |id: &str, limit| id.parse::<u64>().is_ok_and(|number| number < limit);
        assert!(found.items.keys().all(|item| below(item, items)), "{found:?}");
        assert!(below(&found.user, users), "{found:?}");
        drawn[0] |= found.items.keys().fold(0, |all, item| all | 1 << item.parse::<u64>().expect("checked"));
        drawn[1] |= 1_u64 << found.user.parse::<u64>().expect("checked");
    }
    // 400 draws of 10 items and 200 of 20 users leave none out, but once in a thousand runs.
    assert!(drawn[0].count_ones() >= 9 && drawn[1].count_ones() >= 18, "drawn at random: {drawn:?}");
    shop.find_order("200").await.is_problem(404, "unknown_order");
    spread_over_all_shards(shop, Service::Order, "order").await;

    let answers = shop.each(0..50, |order| async move { shop.checkout(&order.to_string()).await.status }).await;
    assert_eq!(answers, [200; 50]);
    shop.data.settled(SETTLED).await;
    assert_eq!(shop.data.units_in_all().await.free, items * 1000 - 100);
    assert_eq!(shop.data.credit_in_all().await.free, users * 1000 - 50 * 2 * price);
}

async fn loading_in_bulk_replaces_what_was_loaded_before(shop: &Stage) {
    shop.init_items(10, 5, 1).await.ok();
    shop.init_users(10, 5).await.ok();
    shop.subtract_stock("3", 2).await.ok();
    shop.pay_without_order("3", 2).await.ok();

    shop.init_items(4, 8, 2).await.ok();
    shop.init_users(4, 8).await.ok();

    assert_eq!(shop.find_item("3").await.ok(), json!({"stock": 8, "price": 2}));
    assert_eq!(shop.credit_of("3").await, 8);
    shop.find_item("4").await.is_problem(404, "unknown_item");
    shop.find_user("4").await.is_problem(404, "unknown_user");
}

async fn spread_over_all_shards(shop: &Stage, service: Service, kind: &str) {
    for shard in 0..shop.shard_count() {
        let keys = shop.data.keys(service, shard, &format!("*:{kind}:*")).await.len();
        assert!(keys > 0, "nothing of {service} on shard {shard}");
    }
}
