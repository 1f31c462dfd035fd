//! `shop status` and `shop inspect`: what they say of a running system, and how they end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use shardcart_harness::processes::binaries;
use shardcart_harness::processes::child::Child;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Cluster, ClusterOptions, Service, Settings, Shop, ShopOptions, ids};
use shardcart_test::auditor::addresses;
use shardcart_test::console::{Console, Looked};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Settings for a busy machine: only a shard that is gone does not answer.
fn patient() -> Settings {
    Settings::none().with("REDIS_TIMEOUT_MS", 10_000).with("PARTICIPANT_TIMEOUT_MS", 10_000)
}

/// Settings of a command that looks at a shop's data directory.
fn beside(shop: &Shop) -> Settings {
    Settings::none().with("DATA_DIR", shop.data_dir().display())
}

fn kinds(found: &Looked) -> Vec<String> {
    let things = found.json()["things"].as_array().cloned().expect("a list");
    things.iter().map(|thing| format!("{} {}", thing["kind"], thing["state"]).replace('"', "")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_tells_how_the_shop_on_a_data_directory_is() {
    let shop = Shop::start_with(ShopOptions { shards: 2, settings: patient() }).await;
    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    for _ in 0..3 {
        let order = front.order_of(&user, &[(&item, 1)]).await;
        front.checkout(&order).await.ok();
    }
    let said = Looked::run(&beside(&shop), &["status"]).await;
    said.says(0, &["all is well", "order 0", "order 1", "stock 1", "payment 1", "a second paid", "in flight"]);
    let told = Looked::run(&beside(&shop), &["status", "--json"]).await.json();
    assert_eq!(told["shards"].as_array().map(Vec::len), Some(6), "{told}");
    assert!(told["throughput"]["per_second"]["paid"].is_number(), "{told}");
    assert_eq!(told["alarms"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_reads_the_shards_of_a_shop_that_keeps_its_token_to_itself() {
    let settings = patient().with("CONSOLE_TOKEN", "0123456789abcdef");
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    Looked::run(&beside(&shop), &["status"]).await.says(0, &["all is well", "not told by shards"]);
    let url = Console::on(shop.port()).url().to_owned();
    let refused = Looked::run(&Settings::none(), &["status", "--url", &url]).await;
    assert!(refused.code == 2 && refused.stderr.contains("CONSOLE_TOKEN"), "{refused:?}");
    let knows = Settings::none().with("CONSOLE_TOKEN", "0123456789abcdef");
    Looked::run(&knows, &["status", "--url", &url]).await.says(0, &["all is well", "a second paid"]);
    let order = shop.front().order_of("7", &[]).await;
    Looked::run(&knows, &["inspect", &order, "--url", &url]).await.says(0, &["nobody has tried to pay it"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_ends_with_1_when_a_shard_is_dead_and_names_it() {
    let mut shop = ShopOverRedis::start(2, &patient()).await;
    let by_address = addresses(&shop.data());
    let url = Console::on(shop.shop().port()).url().to_owned();
    let by_url = Settings::none().with("SHOP_URL", &url);
    for settings in [&by_address, &by_url] {
        Looked::run(settings, &["status"]).await.says(0, &["all is well"]);
    }
    shop.redis(Service::Stock, 1).kill9();
    for settings in [&by_address, &by_url] {
        let said = Looked::run(settings, &["status"]).await;
        said.says(1, &["stock shard 1 does not answer", "DOES NOT ANSWER"]);
        let told = Looked::run(settings, &["status", "--json"]).await;
        assert_eq!((told.code, &told.json()["alarms"][0]["level"]), (1, &json!("alarm")), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_where_there_is_nobody_to_ask() {
    let empty = TempDir::new().expect("a temporary directory can be made");
    let nowhere = empty.path().join("nowhere").display().to_string();
    let closed = format!("http://127.0.0.1:{}", shardcart_harness::network::ports::free());
    for (arguments, code, words) in [
        (&["status", "--data-dir", &nowhere][..], 3, "no shop runs"),
        (&["status", "--url", &closed], 3, "does not answer"),
        (&["status", "--url", "localhost:8000"], 2, "http://host:port"),
        (&["status", "--url", "https://shop.example"], 2, "https is not spoken"),
        (&["status", "--order-redis", "127.0.0.1:1"], 2, "--stock-redis"),
        (&["status", "--nonsense"], 2, "--nonsense"),
        (&["inspect", "7", "--data-dir", &nowhere], 2, "no shop's data"),
        (&["inspect", "a b"], 2, "1 to 64 characters"),
        (&["inspect"], 2, "<ID>"),
    ] {
        let said = Looked::run(&Settings::none(), arguments).await;
        assert!(said.code == code && said.stderr.contains(words), "{arguments:?} ends with {code}: {said:?}");
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
    assert!(!empty.path().join("nowhere").exists(), "looking makes nothing");
    // A port on which something else speaks.
    let redis = shardcart_harness::RedisServer::start().await;
    let other = format!("http://127.0.0.1:{}", redis.port());
    assert_eq!(Looked::run(&Settings::none(), &["status", "--url", &other]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_status_goes_on_until_it_is_told_to_stop() {
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: patient() }).await;
    let mut command = Command::new(binaries::path("shop"));
    beside(&shop).apply(&mut command);
    command.args(["status", "--watch", "--json"]).stdout(Stdio::piped());
    let mut watch = Child::start(command, Signal::SIGKILL);
    let output = BufReader::new(watch.take_stdout().expect("it was asked for"));
    let looks = tokio::task::spawn_blocking(move || {
        output.lines().take(3).map(|line| line.expect("a line")).collect::<Vec<String>>()
    });
    let looks = tokio::time::timeout(PATIENCE, looks).await.expect("one a second").expect("reading does not panic");
    let moments = looks.iter().map(|line| {
        let told: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        told["now_ms"].as_u64().expect("when it was")
    });
    let moments: Vec<u64> = moments.collect();
    assert!(moments.is_sorted() && moments[0] < moments[2], "{moments:?}");
    // Its stdout is closed by now: that is no reason to complain, and it is ended like any other program.
    watch.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_tells_of_an_order_before_and_after_its_checkout() {
    let shop = Shop::start_with(ShopOptions { shards: 2, settings: patient() }).await;
    let (front, here) = (shop.front(), beside(&shop));
    let (user, item) = (front.user_with(20).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    let place = format!("on order shard {}", ids::shard(&order));
    let before = Looked::run(&here, &["inspect", &order]).await;
    before.says(0, &["open", &place, "nobody has tried to pay it yet", "no payment", &user, &item, "quoted at 15"]);

    front.checkout(&order).await.ok();
    shop.data().settled(PATIENCE).await;
    let after = Looked::run(&here, &["inspect", &order]).await;
    after.says(0, &["paid", "Paid and settled.", "has charged 15", "last attempts", "paid in"]);
    let told = Looked::run(&here, &["inspect", &order, "--json"]).await.json();
    let thing = &told["things"][0];
    assert_eq!(
        thing["payment"],
        json!({"state": "charged", "by": "checkout", "amount": 15, "incarnation": "/"}),
        "{told}"
    );
    assert_eq!((&thing["lines"][0]["units"], &thing["lines"][0]["stock"]), (&json!(3), &json!(7)), "{told}");
    assert_eq!(thing["place"], json!({"service": "order", "shard": ids::shard(&order)}));

    let tx = thing["attempts"][0]["tx"].as_str().expect("an attempt").to_owned();
    Looked::run(&here, &["inspect", &tx]).await.says(0, &["attempt", "latest attempt to pay order", &order]);
    Looked::run(&here, &["inspect", &item]).await.says(0, &["item", "7 can be bought now", "3 have been sold"]);
    Looked::run(&here, &["inspect", &user]).await.says(0, &["user", "Can spend 5", "have charged 15"]);

    // One that is refused: the reason stays on record, also for those who ask the shards.
    let poor = front.order_of(&user, &[(&item, 2)]).await;
    assert_eq!(front.checkout(&poor).await.status, 402);
    Looked::run(&here, &["inspect", &poor]).await.says(0, &["open", "given up", "too little credit", "took nothing"]);
    let by_address = addresses(&shop.data());
    for id in [&order, &tx, &item, &user, &poor] {
        let asked = Looked::run(&here, &["inspect", id, "--json"]).await;
        let read = Looked::run(&by_address, &["inspect", id, "--json"]).await;
        assert_eq!(kinds(&asked), kinds(&read), "the shards say the same as the shop");
        assert_eq!((asked.code, read.code), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_tells_how_an_attempt_ended_at_each_participant_however_long_its_deadline_is() {
    for deadline_ms in [5_000, 220_000] {
        let settings =
            patient().with("CHECKOUT_DEADLINE_MS", deadline_ms).with("CHECKOUT_WAIT_MS", deadline_ms + 10_000);
        let shop = Shop::start_with(ShopOptions { shards: 2, settings }).await;
        let (front, here) = (shop.front(), beside(&shop));
        let (user, item) = (front.user_with(20).await, front.item_with(10, 5).await);
        let (paid, refused) = (front.order_of(&user, &[(&item, 3)]).await, front.order_of(&user, &[(&item, 4)]).await);
        front.checkout(&paid).await.ok();
        assert_eq!(front.checkout(&refused).await.status, 402);
        shop.data().settled(PATIENCE).await;
        for (order, at_stock, at_payment) in
            [(&paid, "confirmed", "confirmed"), (&refused, "cancelled", "insufficient")]
        {
            let tx = shop.data().record(Service::Order, "order", order).await.remove("tx").expect("an attempt");
            let told = Looked::run(&here, &["inspect", &tx, "--json"]).await.json();
            let told = told["things"][0]["reservations"].as_array().cloned().expect("a list");
            let mut states = told.iter().map(|told| (told["service"].as_str(), told["record"]["state"].as_str()));
            let (stock, payment) = (states.next(), states.next());
            assert_eq!(stock, Some((Some("stock"), Some(at_stock))), "{told:?}");
            assert_eq!((payment, states.next()), (Some((Some("payment"), Some(at_payment))), None), "{told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_tells_of_everything_that_has_a_foreign_id() {
    let shop = Shop::start_with(ShopOptions { shards: 2, settings: patient() }).await;
    let (front, here) = (shop.front(), beside(&shop));
    front.init_orders(10, 10, 10, 5).await.ok();
    front.init_items(10, 100, 5).await.ok();
    front.init_users(10, 1000).await.ok();
    let found = Looked::run(&here, &["inspect", "7"]).await;
    found.says(0, &["order 7: open", "item 7: on sale", "user 7: has credit", "by the hash of its id"]);
    front.checkout("7").await.ok();
    shop.data().settled(PATIENCE).await;
    Looked::run(&here, &["inspect", "7"]).await.says(0, &["order 7: paid", "has charged 10"]);
    // A second load is another incarnation: what was charged in the first says nothing about it.
    front.init_orders(10, 10, 10, 5).await.ok();
    Looked::run(&here, &["inspect", "7"]).await.says(0, &["order 7: open", "no payment"]);
    let nothing = Looked::run(&here, &["inspect", "nobody-has-this-id"]).await;
    nothing.says(1, &["nothing is known"]);
    Looked::run(&here, &["inspect", "018f3e2a-0000-8000-8400-000000000000"]).await.says(1, &["nothing is known"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_reads_the_data_of_a_shop_that_does_not_run() {
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings: patient() }).await;
    let front = shop.front();
    let (user, item) = (front.user_with(20).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    shop.stop().await;
    assert!(!shop.data_dir().join("url").exists(), "a shop that is closed is open nowhere");
    Looked::run(&beside(&shop), &["inspect", &order]).await.says(0, &["paid", "has charged 15"]);
    let status = Looked::run(&beside(&shop), &["status"]).await;
    assert!(status.code == 3 && status.stderr.contains("no shop runs"), "{status:?}");
    shop.start_again().await;
    Looked::run(&beside(&shop), &["status"]).await.says(0, &["all is well"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inspect_names_who_does_not_answer_and_tells_the_rest() {
    let mut shop = ShopOverRedis::start(2, &patient()).await;
    let front = shop.front();
    let items = front.items_on_all_shards(2, 1, 10, 5).await;
    let user = front.user_with(100).await;
    let order = front.order_of(&user, &[(&items[0], 1), (&items[1], 1)]).await;
    shop.redis(Service::Stock, 1).kill9();
    let settings = Settings::none().with("SHOP_URL", Console::on(shop.shop().port()).url());
    let said = Looked::run(&settings, &["inspect", &order]).await;
    said.says(3, &["order", "open", &items[0], &items[1]]);
    assert!(said.stderr.contains("stock shard 1 does not answer"), "{said:?}");
    assert_eq!(Looked::run(&settings, &["inspect", &items[0]]).await.code, 3, "its attempts could be there");
    assert_eq!(Looked::run(&settings, &["inspect", &items[1]]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_looked_at_through_an_order_machine_and_through_its_shards() {
    let cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 2, settings: patient() }).await;
    let front = cluster.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    cluster.data().settled(PATIENCE).await;
    let url = Console::on(cluster.machine(Service::Order, 0).internal_port).url().to_owned();
    for settings in [Settings::none().with("SHOP_URL", url), addresses(&cluster.data())] {
        Looked::run(&settings, &["status"]).await.says(0, &["all is well", "payment 1"]);
        Looked::run(&settings, &["inspect", &order]).await.says(0, &["paid", "has charged 15", &item]);
        Looked::run(&settings, &["inspect", &item]).await.says(0, &["3 have been sold"]);
    }
}
