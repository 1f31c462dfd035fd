//! `shop audit`: clean where everything adds up, at rest and under load, and what it cannot do.

use std::time::Duration;

use shardcart_harness::redis::record;
use shardcart_harness::{Cluster, ClusterOptions, Front, Service, Settings, Shop, ShopOptions};
use shardcart_test::auditor::{Audit, addresses};
use shardcart_test::buyers::Buyers;
use shardcart_test::{Stage, on_systems_of_their_own};

/// How soon what was decided must be settled.
const SETTLED: Duration = Duration::from_secs(20);

on_systems_of_their_own! {
    a_system_that_was_used_is_clean_and_exact_at_rest,
    loads_over_a_used_system_in_any_order_leave_it_clean,
}

/// Paid orders, refused ones, direct payments, cancelled ones, and a few that are open.
async fn use_system(shop: &Front, orders: impl Iterator<Item = String>) {
    for (number, order) in orders.enumerate() {
        let user = shop.order(&order).await.user;
        match number % 5 {
            0 | 1 => drop(shop.checkout(&order).await.ok()),
            2 => drop(shop.pay(&user, &order, 10).await.ok()),
            3 => {
                shop.pay(&user, &order, 10).await.ok();
                shop.cancel(&user, &order).await.ok();
                shop.checkout(&order).await.ok();
            }
            _ => {
                shop.add_item(&order, "0", 1_000_000).await.ok();
                shop.checkout(&order).await.is_problem(409, "insufficient_stock");
            }
        }
    }
}

async fn a_system_that_was_used_is_clean_and_exact_at_rest(shop: &Stage) {
    Audit::of(&shop.data).await.clean();
    let (user, item) = (shop.user_with(100).await, shop.item_with(50, 3).await);
    for units in 1..=4 {
        let order = shop.order_of(&user, &[(&item, units)]).await;
        shop.checkout(&order).await.ok();
    }
    shop.order_of(&user, &[(&item, 9)]).await;
    shop.pay_without_order(&user, 7).await.ok();
    shop.create_order("nobody").await.ok();
    shop.subtract_stock(&item, 5).await.ok();
    shop.data.settled(SETTLED).await;

    let report = Audit::of(&shop.data).await.clean();
    assert_eq!(report["at_rest"], true, "{report}");
    for (path, value) in [
        ("/orders/paid", 4),
        ("/orders/open", 2),
        ("/items/count", 1),
        ("/items/net", 45),
        ("/items/stock", 35),
        ("/items/sold", 10),
        ("/users/net", 93),
        ("/users/credit", 63),
        ("/users/charged", 30),
        ("/payments/checkout", 4),
        ("/in_flight", 0),
        ("/held", 0),
        ("/width/units", 0),
        ("/width/credit", 0),
    ] {
        assert_eq!(report.pointer(path), Some(&value.into()), "{path} in {report}");
    }
}

async fn loads_over_a_used_system_in_any_order_leave_it_clean(shop: &Stage) {
    const COUNT: u64 = 15;
    let load = async |what: char| match what {
        'o' => drop(shop.init_orders(COUNT, 4, 3, 5).await.ok()),
        's' => drop(shop.init_items(4, 500, 5).await.ok()),
        _ => drop(shop.init_users(3, 100_000).await.ok()),
    };
    for what in ['s', 'p', 'o'] {
        load(what).await;
    }
    let orders = ["o", "s", "p", "op", "so", "ps", "osp", "pso", "spo", "pos", "sop", "ops"];
    for loads in orders {
        for what in loads.chars() {
            load(what).await;
        }
        let open = async |order: String| (!shop.is_paid(&order).await).then_some(order);
        let open = shop.each((0..COUNT).map(|order| order.to_string()), open).await;
        // What was paid directly in this incarnation stays refused.
        let mut fresh = Vec::new();
        for order in open.into_iter().flatten() {
            let user = shop.order(&order).await.user;
            if !shop.has_payment(&user, &order).await && shop.order(&order).await.items.values().sum::<u64>() < 10 {
                fresh.push(order);
            }
        }
        use_system(shop, fresh.into_iter()).await;
        shop.data.settled(SETTLED).await;
        let report = Audit::of(&shop.data).await.clean();
        assert_eq!(report["at_rest"], true, "after {loads}: {report}");
    }
    // One unit and one of credit, lost or doubled, show however often everything was overwritten.
    for (service, kind, field, wanted) in
        [(Service::Stock, "item", "stock", "item_units"), (Service::Payment, "user", "credit", "user_credit")]
    {
        let shard = shop.data.home(service, kind, "1").await.expect("it was loaded");
        let key = shop.data.keys(service, shard, &format!("*:{kind}:1")).await.pop_first().expect("it was loaded");
        let mut connection = shop.data.shard(service, shard).await;
        // The last change undoes the others.
        for (by, is_wrong) in [(1, true), (-2, true), (1, false)] {
            record::add(&mut connection, &key, field, by).await;
            let expected: Vec<_> = is_wrong.then(|| (wanted.to_owned(), "1".to_owned())).into_iter().collect();
            assert_eq!(Audit::of(&shop.data).await.disagreements(), expected, "{field} by {by}");
        }
    }
    let (report, passes) = (Audit::of(&shop.data).await.clean(), Audit::in_passes(&shop.data).await.clean());
    for sums in ["items", "users", "orders", "payments"] {
        assert_eq!(passes[sums], report[sums], "{sums} in several passes");
    }
    // Smaller loads remove what these have written, sold and paid or not.
    for what in ["users", "items", "orders"] {
        match what {
            "users" => drop(shop.init_users(1, 100_000).await.ok()),
            "items" => drop(shop.init_items(1, 500, 5).await.ok()),
            _ => drop(shop.init_orders(1, 1, 1, 5).await.ok()),
        }
        Audit::of(&shop.data).await.clean();
    }
    assert!(shop.data.home(Service::Payment, "user", "1").await.is_none(), "beyond the smaller load");
    assert!(shop.data.home(Service::Order, "order", "1").await.is_none(), "beyond the smaller load");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_under_load_is_clean_whenever_it_is_asked() {
    let cluster = Cluster::start().await;
    let (front, data) = (cluster.front(), cluster.data());
    let buyers = Buyers::prepare(&front, 2).await;
    let mut rested = 0;
    let told = buyers
        .shop_during(&front, async {
            for _ in 0..5 {
                let report = Audit::of(&data).await.clean();
                rested += usize::from(report["at_rest"] == true);
            }
        })
        .await;
    assert!(rested < 5, "nothing was under way in any of the audits");
    buyers.check(&front, &data, &told).await;
    let report = Audit::of(&data).await.clean();
    assert_eq!(report["at_rest"], true, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_is_audited_with_its_shop_running_and_without() {
    let mut shop = Shop::start_with(ShopOptions { shards: 2, settings: Settings::none() }).await;
    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 2)]).await;
    front.checkout(&order).await.ok();
    shop.data().settled(SETTLED).await;

    let directory = Settings::none().with("DATA_DIR", shop.data_dir().display());
    let running = Audit::run(&directory, &["--json"]).await.clean();
    shop.stop().await;
    let stopped = Audit::run(&directory, &["--json"]).await.clean();
    assert_eq!(running["items"], stopped["items"]);
    assert_eq!((&stopped["items"]["sold"], &stopped["shards"]), (&2.into(), &serde_json::json!([2, 2, 2])));
    let table = Audit::run(&directory, &[]).await;
    assert_eq!(table.code, 0, "{table:?}");
    for words in ["at rest: every sum is exact", "clean: 2 order, 2 stock and 2 payment shards"] {
        assert!(table.stdout.contains(words), "{words:?} is not in {}", table.stdout);
    }
    assert_eq!(table.stderr, "", "nothing is said where nobody looks at a terminal");

    shop.start_again().await;
    front.checkout(&order).await.ok();
    let path = shop.data_dir().display().to_string();
    let mut stock = shop.data().shard(Service::Stock, shardcart_harness::ids::shard(&item)).await;
    let key = shardcart_harness::ids::key(Service::Stock, &item, "item", &item);
    record::add(&mut stock, &key, "stock", -1).await;
    let table = Audit::run(&Settings::none(), &["--data-dir", &path]).await;
    assert_eq!(table.code, 1, "{table:?}");
    let line = table.stdout.lines().find(|line| line.contains(&item)).unwrap_or_default();
    assert!(line.contains("stock 7 + held 0 + sold 2: 1 lost"), "{}", table.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_writes_nothing() {
    let cluster = Cluster::start().await;
    let (front, data) = (cluster.front(), cluster.data());
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 2)]).await;
    front.checkout(&order).await.ok();
    data.settled(SETTLED).await;
    let changes = async || {
        let mut all = Vec::new();
        for service in Service::ALL {
            for shard in 0..data.shard_count(service) {
                let mut shard = data.shard(service, shard).await;
                let info: redis::InfoDict = redis::cmd("INFO").query_async(&mut shard).await.expect("Redis answers");
                all.push(info.get::<u64>("rdb_changes_since_last_save"));
            }
        }
        all
    };
    let before = changes().await;
    Audit::of(&data).await.clean();
    assert_eq!(changes().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_audited_is_said_in_a_line() {
    let mut cluster = Cluster::start_with(ClusterOptions::default()).await;
    let data = cluster.data();
    let refused = async |settings: Settings, code: i32, words: &[&str]| {
        let audit = Audit::run(&settings.with("START_TIMEOUT_MS", 300), &["--json"]).await;
        assert_eq!((audit.code, audit.stdout.as_str()), (code, ""), "{audit:?}");
        let last = audit.stderr.lines().last().unwrap_or_default();
        for word in words {
            assert!(last.contains(word), "{word:?} is not in {last:?}");
        }
    };
    let all = addresses(&data);
    let of = |service| data.addresses(service);
    let (stock, payment) = (of(Service::Stock), of(Service::Payment));
    refused(all.clone().with("STOCK_REDIS_ADDRS", payment.join(",")), 3, &["stock:", "belongs to the payment service"])
        .await;
    let reordered = format!("{},{}", stock[1], stock[0]);
    refused(all.clone().with("STOCK_REDIS_ADDRS", reordered), 3, &["stock:", "out of order"]).await;
    refused(all.clone().with("STOCK_REDIS_ADDRS", &stock[0]), 3, &["stock:", "2 shards", "1 addresses"]).await;
    refused(all.clone().with("STOCK_REDIS_ADDRS", "nonsense"), 2, &[]).await;
    refused(Settings::none().with("STOCK_REDIS_ADDRS", &stock[0]), 2, &[]).await;
    let nowhere = tempfile::TempDir::new().expect("a temporary directory can be made");
    let empty = Settings::none().with("DATA_DIR", nowhere.path().join("none").display());
    refused(empty, 2, &["no shop's data"]).await;

    let mut other = shardcart_harness::RedisServer::start().await;
    let with_other = format!("{},{}", stock[0], other.address());
    refused(all.clone().with("STOCK_REDIS_ADDRS", with_other), 3, &["stock:", "shard 1 came back empty"]).await;
    other.stop().await;
    cluster.redis(Service::Payment, 1).kill9();
    refused(all.clone(), 3, &["payment:", "shard 1 does not answer"]).await;
}
