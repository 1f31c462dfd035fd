//! What is refused, and how: every problem has its parts, its code, and tells nothing of the inside.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::Method;
use hyper::body::Bytes;
use shardcart_harness::data::Data;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::wait::PAUSE;
use shardcart_harness::{
    Answer, Cluster, ClusterOptions, Front, Service, Settings, Shop, ShopOptions, eventually, ids,
};
use shardcart_test::{Stage, on_shop_and_cluster};

on_shop_and_cluster! {
    what_is_unknown_is_404_on_every_endpoint,
    a_path_without_an_endpoint_is_no_route,
    a_wrong_method_is_405_and_names_the_right_one,
    an_id_of_64_characters_is_fine_and_one_of_65_is_not,
    an_id_with_other_characters_is_refused_on_every_endpoint,
    percent_encoded_rubbish_is_refused_and_harms_nothing,
    an_id_may_be_percent_encoded,
    an_amount_that_is_no_whole_number_in_range_is_refused_on_every_endpoint,
    a_quantity_starts_at_one,
    an_amount_may_be_zero_and_changes_nothing,
    the_largest_amount_is_exact,
    a_sum_beyond_the_largest_amount_is_refused_and_changes_nothing,
    a_total_beyond_the_largest_amount_is_refused_and_changes_nothing,
    a_body_that_says_something_is_refused_and_one_that_says_nothing_is_welcome,
    a_body_over_the_limit_is_refused,
    an_order_has_at_most_1000_lines,
    a_unit_by_unit_list_of_more_than_1000_units_is_refused,
    a_paid_order_cannot_be_changed_or_removed,
    bulk_loads_beyond_ten_million_are_refused,
}

const LARGEST: u64 = (1 << 53) - 1;

/// Every endpoint that names things, with `ID` in each place of an id.
const WITH_IDS: &[(Method, Service, &str)] = &[
    (Method::POST, Service::Order, "/create/ID"),
    (Method::POST, Service::Order, "/addItem/ID/item"),
    (Method::POST, Service::Order, "/addItem/order/ID"),
    (Method::POST, Service::Order, "/addItem/ID/item/1"),
    (Method::POST, Service::Order, "/addItem/order/ID/1"),
    (Method::DELETE, Service::Order, "/removeItem/ID/item"),
    (Method::DELETE, Service::Order, "/removeItem/order/ID"),
    (Method::DELETE, Service::Order, "/remove/ID"),
    (Method::GET, Service::Order, "/find/ID"),
    (Method::GET, Service::Order, "/find/ID?items=flat"),
    (Method::POST, Service::Order, "/checkout/ID"),
    (Method::GET, Service::Stock, "/find/ID"),
    (Method::POST, Service::Stock, "/add/ID/1"),
    (Method::POST, Service::Stock, "/subtract/ID/1"),
    (Method::GET, Service::Payment, "/find_user/ID"),
    (Method::POST, Service::Payment, "/add_funds/ID/1"),
    (Method::POST, Service::Payment, "/pay/ID/order/1"),
    (Method::POST, Service::Payment, "/pay/user/ID/1"),
    (Method::POST, Service::Payment, "/pay/ID/1"),
    (Method::POST, Service::Payment, "/cancel/ID/order"),
    (Method::POST, Service::Payment, "/cancel/user/ID"),
    (Method::GET, Service::Payment, "/status/ID/order"),
    (Method::GET, Service::Payment, "/status/user/ID"),
];

/// Every endpoint that takes an amount, with `AMOUNT` in each place of one. Not the bulk loads,
/// which would disturb the other tests.
const WITH_AMOUNTS: &[(Service, &str)] = &[
    (Service::Order, "/addItem/order/item/AMOUNT"),
    (Service::Stock, "/item/create/AMOUNT"),
    (Service::Stock, "/add/item/AMOUNT"),
    (Service::Stock, "/subtract/item/AMOUNT"),
    (Service::Payment, "/add_funds/user/AMOUNT"),
    (Service::Payment, "/pay/user/order/AMOUNT"),
    (Service::Payment, "/pay/user/AMOUNT"),
];

/// The bulk loads, with `AMOUNT` where something that is no amount stops them.
const BULK_LOADS: &[(Service, &str)] = &[
    (Service::Order, "/batch_init/AMOUNT/1/1/1"),
    (Service::Order, "/batch_init/1/AMOUNT/1/1"),
    (Service::Order, "/batch_init/1/1/AMOUNT/1"),
    (Service::Order, "/batch_init/1/1/1/AMOUNT"),
    (Service::Stock, "/batch_init/AMOUNT/1/1"),
    (Service::Stock, "/batch_init/1/AMOUNT/1"),
    (Service::Stock, "/batch_init/1/1/AMOUNT"),
    (Service::Payment, "/batch_init/AMOUNT/1"),
    (Service::Payment, "/batch_init/1/AMOUNT"),
];

/// Checks that something malformed was refused as such, by whatever looked at it first.
#[track_caller]
fn is_malformed(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {answer:?}");
    assert!(matches!(answer.code(), "invalid_id" | "invalid_amount" | "invalid_path"), "{what}: {answer:?}");
    answer.is_well_formed_problem();
}

async fn what_is_unknown_is_404_on_every_endpoint(shop: &Stage) {
    let (user, item) = (shop.user_with(5).await, shop.item_with(5, 1).await);
    let order = shop.order_of(&user, &[]).await;
    let none = "there-is-none";

    for answer in [
        shop.add_one(none, &item).await,
        shop.add_item(none, &item, 1).await,
        shop.remove_item(none, &item).await,
        shop.remove_order(none).await,
        shop.find_order(none).await,
        shop.find_order_flat(none).await,
        shop.checkout(none).await,
    ] {
        answer.is_problem(404, "unknown_order");
    }
    for answer in [
        shop.add_one(&order, none).await,
        shop.add_item(&order, none, 1).await,
        shop.remove_item(&order, none).await,
        shop.remove_item(&order, &item).await,
        shop.find_item(none).await,
        shop.add_stock(none, 1).await,
        shop.subtract_stock(none, 1).await,
    ] {
        answer.is_problem(404, "unknown_item");
    }
    for answer in [
        shop.find_user(none).await,
        shop.add_funds(none, 1).await,
        shop.pay(none, &order, 1).await,
        shop.pay_without_order(none, 1).await,
    ] {
        answer.is_problem(404, "unknown_user");
    }
    shop.cancel(&user, none).await.is_problem(404, "unknown_payment");
}

async fn a_path_without_an_endpoint_is_no_route(shop: &Stage) {
    for service in Service::ALL {
        for path in ["/nothing", "/find", "/find/a/b/c", "/internal", "/internal/v1/reserve", "/checkout"] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                shop.call(method, service, path).await.is_problem(404, "no_route");
            }
        }
    }
}

async fn a_wrong_method_is_405_and_names_the_right_one(shop: &Stage) {
    for (right, service, path) in WITH_IDS {
        for wrong in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            if wrong != right {
                let answer = shop.call(wrong.clone(), *service, &path.replace("ID", "id")).await;
                answer.is_problem(405, "method_not_allowed");
                let allow = answer.http.header("allow").unwrap_or_default();
                let allowed: Vec<&str> = allow.split(',').map(str::trim).collect();
                assert!(allowed.contains(&right.as_str()), "{wrong} {path}: {answer:?}");
                assert!(!allowed.contains(&wrong.as_str()), "{wrong} {path}: {answer:?}");
            }
        }
    }
}

async fn an_id_of_64_characters_is_fine_and_one_of_65_is_not(shop: &Stage) {
    let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
    for (method, service, path) in WITH_IDS {
        let answer = shop.call(method.clone(), *service, &path.replace("ID", &too_long)).await;
        answer.is_problem(400, "invalid_id");
    }
    let order = shop.order_of(&longest, &[]).await;
    assert_eq!(shop.order(&order).await.user, longest);
    shop.find_item(&longest).await.is_problem(404, "unknown_item");
    shop.find_user(&longest).await.is_problem(404, "unknown_user");
    shop.find_order(&longest).await.is_problem(404, "unknown_order");
}

async fn an_id_with_other_characters_is_refused_on_every_endpoint(shop: &Stage) {
    for (method, service, path) in WITH_IDS {
        for id in ["a:b", "a*b", "a@b", "~", "a,b", "a;b", "(a)", "a+b", "a=b", "a$b", "a'b"] {
            let answer = shop.call(method.clone(), *service, &path.replace("ID", id)).await;
            answer.is_problem(400, "invalid_id");
        }
    }
    for fine in ["A-z_0.9", ".", "-", "_", "...."] {
        shop.find_item(fine).await.is_problem(404, "unknown_item");
    }
}

async fn percent_encoded_rubbish_is_refused_and_harms_nothing(shop: &Stage) {
    let rubbish = [
        "%00",
        "a%00b",
        "%2F",
        "a%2Fb",
        "%2f..%2f",
        "%20",
        "a%20b",
        "%ff",
        "%C3%28",
        "%c3%a9",
        "%7B0%7D",
        "%0d%0a",
        "%3F",
        "%23",
        "%25",
        "%5C",
        "%22",
        "%E2%80%AE",
    ];
    for (method, service, path) in WITH_IDS {
        for id in rubbish {
            let path = path.replace("ID", id);
            let answer = shop.call(method.clone(), *service, &path).await;
            is_malformed(&answer, &path);
        }
    }
    for (service, path) in WITH_AMOUNTS {
        for amount in rubbish {
            let path = path.replace("AMOUNT", amount);
            let answer = shop.call(Method::POST, *service, &path).await;
            is_malformed(&answer, &path);
        }
    }
    // Not even percent-encoded: broken escapes and bytes that are no text at all.
    for path in ["/find/%", "/find/%1", "/find/%zz", "/find/%-1", "/find/a%"] {
        for service in [Service::Order, Service::Stock] {
            let answer = shop.direct.raw("GET", service, path, &[], b"").await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
        }
    }
    shop.user_with(1).await;
}

async fn an_id_may_be_percent_encoded(shop: &Stage) {
    let item = shop.item_with(3, 1).await;
    let encoded: String = item.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(shop.stock_of(&encoded).await, 3);
    shop.add_stock(&encoded, 2).await.ok();
    assert_eq!(shop.stock_of(&item).await, 5);
}

async fn an_amount_that_is_no_whole_number_in_range_is_refused_on_every_endpoint(shop: &Stage) {
    for amount in [
        "-1",
        "-0",
        "1.5",
        "1.0",
        "1e3",
        "0x10",
        "abc",
        "NaN",
        "inf",
        "1_000",
        "9007199254740992",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        for (service, path) in WITH_AMOUNTS.iter().chain(BULK_LOADS) {
            let answer = shop.call(Method::POST, *service, &path.replace("AMOUNT", amount)).await;
            answer.is_problem(400, "invalid_amount");
        }
    }
}

async fn a_quantity_starts_at_one(shop: &Stage) {
    let (user, item) = (shop.user_with(5).await, shop.item_with(5, 1).await);
    let order = shop.order_of(&user, &[(&item, 2)]).await;
    shop.add_item(&order, &item, 0).await.is_problem(400, "invalid_amount");
    assert_eq!(shop.order(&order).await.items[&item], 2);
}

async fn an_amount_may_be_zero_and_changes_nothing(shop: &Stage) {
    let (user, item) = (shop.user_with(5).await, shop.item_with(5, 0).await);
    let order = shop.order_of(&user, &[]).await;

    shop.add_stock(&item, 0).await.ok();
    shop.subtract_stock(&item, 0).await.ok();
    shop.add_funds(&user, 0).await.ok();
    shop.pay_without_order(&user, 0).await.ok();
    shop.pay(&user, &order, 0).await.ok();

    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (5, 5));
    assert!(shop.has_payment(&user, &order).await, "a payment of 0 is a payment");
}

async fn the_largest_amount_is_exact(shop: &Stage) {
    let (user, item) = (shop.user_with(LARGEST).await, shop.item_with(LARGEST, LARGEST).await);
    assert_eq!(shop.find_item(&item).await.number("price"), LARGEST);
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (LARGEST, LARGEST));

    shop.subtract_stock(&item, LARGEST - 1).await.ok();
    assert_eq!(shop.stock_of(&item).await, 1);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    assert_eq!(shop.order(&order).await.total_cost, LARGEST);
    shop.checkout(&order).await.ok();
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (0, 0));

    let free = shop.item_with(LARGEST, 0).await;
    let order = shop.order_of(&user, &[(&free, LARGEST)]).await;
    shop.checkout(&order).await.ok();
    assert_eq!(shop.stock_of(&free).await, 0);
}

async fn a_sum_beyond_the_largest_amount_is_refused_and_changes_nothing(shop: &Stage) {
    let (user, item) = (shop.user_with(LARGEST - 1).await, shop.item_with(LARGEST - 1, 1).await);
    for too_much in [2, 1000, LARGEST] {
        shop.add_stock(&item, too_much).await.is_problem(409, "out_of_range");
        shop.add_funds(&user, too_much).await.is_problem(409, "out_of_range");
    }
    assert_eq!((shop.stock_of(&item).await, shop.credit_of(&user).await), (LARGEST - 1, LARGEST - 1));
    shop.add_stock(&item, 1).await.ok();
    shop.add_funds(&user, 1).await.ok();
    // What is sold and spent counts as received for ever, and the answer says so.
    let order = shop.order_of(&user, &[(item.as_str(), 2)]).await;
    shop.checkout(&order).await.ok();
    for refused in [shop.add_stock(&item, 1).await, shop.add_funds(&user, 1).await] {
        assert_eq!((refused.status, refused.body["code"].as_str()), (409, Some("out_of_range")), "{refused:?}");
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("received more than 9007199254740991"), "{detail}");
    }
}

async fn a_total_beyond_the_largest_amount_is_refused_and_changes_nothing(shop: &Stage) {
    let (user, dear, cheap) = (shop.user_with(0).await, shop.item_with(1, LARGEST).await, shop.item_with(1, 1).await);
    let order = shop.order_of(&user, &[(&dear, 1)]).await;
    let before = shop.order(&order).await;
    shop.add_item(&order, &dear, 1).await.is_problem(409, "out_of_range");
    shop.add_item(&order, &dear, LARGEST).await.is_problem(409, "out_of_range");
    shop.add_item(&order, &cheap, 1).await.is_problem(409, "out_of_range");
    assert_eq!(shop.order(&order).await, before);

    let order = shop.order_of(&user, &[(&cheap, LARGEST)]).await;
    let before = shop.order(&order).await;
    shop.add_item(&order, &cheap, 1).await.is_problem(409, "out_of_range");
    assert_eq!(shop.order(&order).await, before);
}

async fn a_body_that_says_something_is_refused_and_one_that_says_nothing_is_welcome(shop: &Stage) {
    let (user, item) = (shop.user_with(5).await, shop.item_with(5, 1).await);
    let order = shop.order_of(&user, &[]).await;
    let add = format!("/addItem/{order}/{item}");
    for (method, service, path) in [
        (Method::POST, Service::Order, add.clone()),
        (Method::POST, Service::Stock, format!("/add/{item}/1")),
        (Method::GET, Service::Stock, format!("/find/{item}")),
        (Method::DELETE, Service::Order, format!("/remove/{order}")),
    ] {
        for body in ["{\"quantity\":3}", "[]", "3", "x=1", "nul"] {
            let answer = shop.call_with(method.clone(), service, &path, Bytes::from_static(body.as_bytes())).await;
            answer.is_problem(400, "invalid_body");
        }
    }
    let chunked = ["Transfer-Encoding: chunked"];
    let answer = shop.direct.raw("POST", Service::Order, &add, &chunked, b"5\r\nhello\r\n0\r\n\r\n").await;
    answer.is_problem(400, "invalid_body");
    assert!(shop.order(&order).await.items.is_empty(), "nothing was done");
    shop.call_with(Method::POST, Service::Stock, "/nowhere", Bytes::from_static(b"3"))
        .await
        .is_problem(404, "no_route");

    for body in ["", " \r\n", "{}", "{ }", "null"] {
        shop.call_with(Method::POST, Service::Order, &add, Bytes::from_static(body.as_bytes())).await.ok();
        let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        let body = format!("{chunk}0\r\n\r\n");
        shop.direct.raw("POST", Service::Order, &add, &chunked, body.as_bytes()).await.ok();
    }
    assert_eq!(shop.order(&order).await.items[&item], 10);
}

async fn a_body_over_the_limit_is_refused(shop: &Stage) {
    let item = shop.item_with(5, 1).await;
    let path = format!("/add/{item}/1");
    let too_large = vec![b'x'; 70_000];

    let length = format!("Content-Length: {}", too_large.len());
    let answer = shop.direct.raw("POST", Service::Stock, &path, &[&length], &too_large).await;
    answer.is_problem(413, "too_large");
    // Refused by its announcement alone: nothing of this body ever comes.
    let length = "Content-Length: 10000000000";
    let answer = shop.direct.raw("POST", Service::Stock, &path, &[length], b"").await;
    answer.is_problem(413, "too_large");

    let mut chunked = Vec::new();
    for _ in 0..70 {
        chunked.extend_from_slice(b"3e8\r\n");
        chunked.extend_from_slice(&too_large[..1000]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let field = "Transfer-Encoding: chunked";
    let answer = shop.direct.raw("POST", Service::Stock, &path, &[field], &chunked).await;
    answer.is_problem(413, "too_large");
    assert_eq!(shop.stock_of(&item).await, 5, "what is refused is not done");
}

async fn an_order_has_at_most_1000_lines(shop: &Stage) {
    let user = shop.user_with(0).await;
    let items = shop.each(0..1001, |_| async { shop.create_item(1).await.text("item_id") }).await;
    let order = shop.order_of(&user, &[]).await;
    let (last, first) = items.split_last().expect("there are 1001");
    shop.each(first, |item| async { shop.add_one(&order, item).await.ok() }).await;

    shop.add_one(&order, last).await.is_problem(413, "too_large");
    let found = shop.order(&order).await;
    assert_eq!((found.items.len(), found.total_cost), (1000, 1000));

    shop.add_one(&order, &first[0]).await.ok();
    shop.remove_item(&order, &first[1]).await.ok();
    shop.add_one(&order, last).await.ok();
    assert_eq!(shop.order(&order).await.items.len(), 1000);
}

async fn a_unit_by_unit_list_of_more_than_1000_units_is_refused(shop: &Stage) {
    let (user, item) = (shop.user_with(0).await, shop.item_with(0, 1).await);
    let order = shop.order_of(&user, &[(&item, 1000)]).await;
    assert_eq!(shop.find_order_flat(&order).await.ok()["items"].as_array().map(Vec::len), Some(1000));

    shop.add_one(&order, &item).await.ok();
    shop.find_order_flat(&order).await.is_problem(413, "too_large");
    assert_eq!(shop.order(&order).await.items[&item], 1001);
}

async fn a_paid_order_cannot_be_changed_or_removed(shop: &Stage) {
    let (user, item) = (shop.user_with(5).await, shop.item_with(5, 1).await);
    let order = shop.order_of(&user, &[(&item, 2)]).await;
    shop.checkout(&order).await.ok();
    let before = shop.order(&order).await;

    shop.add_one(&order, &item).await.is_problem(409, "order_paid");
    shop.add_item(&order, &item, 3).await.is_problem(409, "order_paid");
    shop.remove_item(&order, &item).await.is_problem(409, "order_paid");
    shop.remove_order(&order).await.is_problem(409, "order_paid");
    assert_eq!(shop.order(&order).await, before);
}

async fn bulk_loads_beyond_ten_million_are_refused(shop: &Stage) {
    for (service, path) in [
        (Service::Order, "/batch_init/10000001/1/1/1"),
        (Service::Stock, "/batch_init/10000001/1/1"),
        (Service::Payment, "/batch_init/10000001/1"),
    ] {
        is_malformed(&shop.call(Method::POST, service, path).await, path);
    }
}

/// Loads in bulk and checks that each is forbidden and does nothing.
async fn bulk_loads_are_forbidden(front: &Front) {
    for (service, path) in BULK_LOADS {
        let answer = front.call(Method::POST, *service, &path.replace("AMOUNT", "1")).await;
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        answer.is_well_formed_problem();
    }
    front.find_item("0").await.is_problem(404, "unknown_item");
    front.find_user("0").await.is_problem(404, "unknown_user");
    front.find_order("0").await.is_problem(404, "unknown_order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_loads_are_forbidden_on_a_cluster_unless_allowed() {
    let settings = Settings::none().without("ALLOW_BATCH_INIT");
    let cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 1, settings }).await;
    bulk_loads_are_forbidden(&cluster.front()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_loads_are_forbidden_in_a_shop_unless_allowed() {
    let settings = Settings::none().without("ALLOW_BATCH_INIT");
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    bulk_loads_are_forbidden(&shop.front()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_on_a_shard_that_nobody_has_is_404_and_503_once_somebody_may() {
    let system = ShopOverRedis::start(1, &Settings::none()).await;
    an_id_on_a_shard_that_nobody_has(&system.front(), &system.data()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_on_a_shard_that_no_machine_has_is_404_and_503_once_one_may() {
    let cluster = Cluster::start_with(ClusterOptions { machines: 2, shards: 1, settings: Settings::none() }).await;
    an_id_on_a_shard_that_nobody_has(&cluster.front(), &cluster.data()).await;
}

async fn an_id_on_a_shard_that_nobody_has(front: &Front, data: &Data) {
    let item = front.create_item(1).await.text("item_id");
    let order = front.create_order("somebody").await.text("order_id");
    // The same id with another shard, which nobody has.
    let elsewhere = format!("{}8fff-b{}", &item[..14], &item[20..]);
    assert!(ids::shard(&item) == 0 && ids::shard(&elsewhere) > 4095);
    let ask = async || {
        [
            (front.find_item(&elsewhere).await, "unknown_item"),
            (front.add_stock(&elsewhere, 1).await, "unknown_item"),
            (front.add_item(&order, &elsewhere, 1).await, "unknown_item"),
            (front.find_user(&elsewhere).await, "unknown_user"),
            (front.call(Method::POST, Service::Payment, &format!("/pay/{elsewhere}/{order}/1")).await, "unknown_user"),
            (front.find_order(&elsewhere).await, "unknown_order"),
            (front.checkout(&elsewhere).await, "unknown_order"),
            // An order of such a user could never be settled.
            (front.create_order(&elsewhere).await, "unknown_user"),
        ]
    };
    for (answer, code) in ask().await {
        answer.is_problem(404, code);
    }
    // From the moment that another machine has noted a new shard, it may have made ids there.
    for service in Service::ALL {
        let keys = data.keys(service, 0, "*:identity").await;
        let mut shard = data.shard(service, 0).await;
        for key in keys {
            let raised = redis::cmd("HSET").arg(key).arg("members").arg(2).exec_async(&mut shard).await;
            raised.expect("the shard answers");
        }
    }
    for (answer, _) in ask().await {
        answer.is_problem(503, "shard_unavailable");
    }
    front.create_order("elsewhere").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_a_machine_may_have_in_flight_are_refused_at_once() {
    let settings = Settings::none().with("REQUESTS_MAX", 5).with("REDIS_TIMEOUT_MS", 3_000);
    let mut system = ShopOverRedis::start(1, &settings).await;
    let front = system.front();
    let item = front.item_with(5, 1).await;
    system.redis(Service::Stock, 0).pause();
    // More than may be in flight: whoever is refused asks again, so that all places stay taken.
    let waiting = front.at_once(0..10, |front, _| async move {
        loop {
            let answer = front.find_item("x").await;
            if answer.status != 429 {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let refused = async {
        let refused = eventually("one is refused", Duration::from_secs(2), async || {
            Some(front.find_user("x").await).filter(|answer| answer.status == 429)
        });
        refused.await.is_problem(429, "overloaded");
        front.add_stock(&item, 1).await.is_problem(429, "overloaded");
        system.redis(Service::Stock, 0).resume();
    };
    let (waited, ()) = tokio::join!(waiting, refused);
    for answer in waited {
        answer.is_problem(404, "unknown_item");
    }
    assert_eq!(front.stock_of(&item).await, 5, "what is refused is not done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_gets_no_turn_in_time_does_nothing_and_can_be_repeated() {
    const CHECKOUTS: u64 = 5;
    let settings =
        Settings::none().with("CHECKOUTS_MAX", 1).with("CHECKOUT_QUEUE_MS", 100).with("REDIS_TIMEOUT_MS", 5_000);
    let mut system = ShopOverRedis::start(1, &settings).await;
    let front = system.front();
    let (item, user) = (front.item_with(CHECKOUTS, 1).await, front.user_with(CHECKOUTS).await);
    let lines = [(item.as_str(), 1)];
    let orders = front.each(0..CHECKOUTS, |_| front.order_of(&user, &lines)).await;
    system.redis(Service::Order, 0).pause();
    // One has the turn, and waits for its shard.
    let mut asked: FuturesUnordered<_> =
        orders.iter().map(async |order| (order, front.checkout(order).await)).collect();
    for _ in 1..CHECKOUTS {
        let (_, answer) = asked.next().await.expect("one is answered after the other");
        answer.is_problem(429, "overloaded");
    }
    system.redis(Service::Order, 0).resume();
    let (paid, answer) = asked.next().await.expect("the one that has the turn is answered");
    answer.ok();
    assert_eq!(front.stock_of(&item).await, CHECKOUTS - 1, "what is refused is not done");
    for order in orders.iter().filter(|order| *order != paid) {
        assert!(!front.is_paid(order).await);
        front.checkout(order).await.ok();
    }
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (0, 0));
}
