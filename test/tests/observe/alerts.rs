//! Each alert of the real rule file, in a system that has its fault, and afterwards.
//!
//! Only the durations are shortened: `alerts.test.yml` tries the real ones. Two shops are scraped. The faults of the
//! first are those of its shards; the second is too small, and is killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use redis::{AsyncTypedCommands, pipe};
use shardcart_harness::http::raw;
use shardcart_harness::observers::prometheus::Prometheus;
use shardcart_harness::redis::clock::Clock;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Data, Front, Fsync, RedisServer, Service, Settings, Shop, ShopOptions, eventually, ids};
use shardcart_test::scrape::Scrape;
use tokio::time::sleep;

use crate::files::alerts;

const RULES: &str = include_str!("../../../observability/alerts.yml");
/// How long an alert may take to fire or to clear. Clocks are compared every ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often Prometheus is asked.
const LOOK: Duration = Duration::from_millis(200);
/// Requests at once that the small shop takes.
const SMALL: usize = 4;
/// Alerts of a machine that dies; all others are of the first part.
const OF_DEATHS: [&str; 3] = ["ShardcartMachineDown", "ShardcartMachineRestarts", "ShardcartServiceMissing"];

/// The rules with windows and waits of seconds, and two thresholds that a test has no time for.
fn shortened() -> String {
    let windows = [("5m", "4s"), ("10m", "5s"), ("15m", "15s"), ("30m", "5s"), ("1h", "6s"), ("6h", "7s")];
    let waits = [("30s", "0s"), ("1m", "1s"), ("2m", "1s"), ("5m", "1s")];
    let mut rules = RULES.to_owned();
    for (real, short) in windows {
        rules = rules.replace(&format!("[{real}]"), &format!("[{short}]"));
    }
    for (real, short) in waits {
        rules = rules.replace(&format!("for: {real}\n"), &format!("for: {short}\n"));
    }
    for (real, short) in [("_age_seconds) > 30\n", "_age_seconds) > 3\n"), ("[4s]))) > 1\n", "[4s]))) > 0.2\n")] {
        assert!(rules.contains(real), "{real}");
        rules = rules.replace(real, short);
    }
    rules
}

/// The shop with faulty shards: two for orders, four for items, two for users.
struct Faulty {
    shop: ShopOverRedis,
    front: Front,
    /// On stock shard 1, which stays well.
    item: String,
    /// Users on each payment shard.
    users: Vec<String>,
    /// A paid order on each order shard.
    paid: Vec<String>,
    /// Orders of a user whose shard dies.
    stuck: Vec<String>,
    /// Orders on shard 0 that nobody else pays.
    left: Vec<String>,
    /// The tombstone that is not true: the key of its hash, and its attempt.
    contradiction: (String, String),
}

impl Faulty {
    async fn start() -> Faulty {
        let plain = async || RedisServer::start_with(Fsync::No, "noeviction").await;
        let order = vec![plain().await, plain().await];
        let skewed = RedisServer::start_by(Clock::default(), Fsync::No).await;
        let stock = vec![plain().await, plain().await, plain().await, skewed];
        let payment = vec![plain().await, plain().await];
        // A lease of its own, in a run with a short one, too: recovery is a fault here.
        let settings = Settings::none().with("METRICS_INTERVAL_MS", 200).with("CHECKOUT_LEASE_MS", 1500);
        let shop = ShopOverRedis::start_over([order, stock, payment], &settings).await;
        let front = shop.front();
        let item = front.items_on_all_shards(4, 1, 1_000_000, 1).await.swap_remove(1);
        let contradiction = Default::default();
        let (users, paid, stuck, left) = Default::default();
        let mut faulty = Faulty { shop, front, item, users, paid, stuck, left, contradiction };
        for shard in 0..2 {
            let user = faulty.made_on(shard, async || faulty.front.user_with(1_000_000).await).await;
            faulty.users.push(user);
        }
        for shard in 0..2 {
            let order = faulty.made_on(shard, async || faulty.order_of(&faulty.users[0]).await).await;
            faulty.front.checkout_until_definite(&order, false).await.ok();
            faulty.paid.push(order);
        }
        for _ in 0..8 {
            let order = faulty.made_on(0, async || faulty.order_of(&faulty.users[1]).await).await;
            faulty.stuck.push(order);
            let order = faulty.made_on(0, async || faulty.order_of(&faulty.users[0]).await).await;
            faulty.left.push(order);
        }
        faulty
    }

    async fn made_on(&self, shard: usize, make: impl AsyncFn() -> String) -> String {
        for _ in 0..100 {
            let made = make().await;
            if ids::shard(&made) == shard {
                return made;
            }
        }
        panic!("nothing is made on shard {shard}");
    }

    async fn order_of(&self, user: &str) -> String {
        self.front.order_of(user, &[(&self.item, 1)]).await
    }

    /// What clients do all the time; some of it is refused while there are faults.
    async fn load(front: Front, item: String, user: String, paid: Vec<String>) {
        loop {
            for order in &paid {
                front.checkout(order).await;
            }
            front.create_item(1).await;
            let made = front.create_order(&user).await;
            if made.status == 200 {
                let order = made.text("order_id");
                front.add_item(&order, &item, 1).await;
                front.checkout(&order).await;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every fault of a shard that has an alert.
    async fn break_shards(&mut self) {
        // Attempts that cannot be ended; a tombstone of one of them says what it must not.
        self.shop.redis(Service::Payment, 1).kill9();
        for order in &self.stuck {
            let (front, order) = (self.front.clone(), order.clone());
            tokio::spawn(async move { front.checkout(&order).await });
        }
        self.contradict().await;
        self.shop.redis(Service::Order, 1).kill9();
        // Another machine, that of the small shop, has a stock shard 0 that answers.
        self.shop.redis(Service::Stock, 0).kill9();
        self.shop.redis(Service::Stock, 2).limit_file(Some(1));
        self.shop.redis(Service::Stock, 3).clock().set_ahead(Duration::from_secs(7));
    }

    /// Has the stock shard say of the first of the stuck attempts that it was confirmed.
    async fn contradict(&mut self) {
        let (order, data) = (self.stuck[0].clone(), self.shop.data());
        let held = ids::own_key(Service::Stock, 1, "held");
        let mut shard = data.shard(Service::Stock, 1).await;
        let (tx, deadline_ms) = eventually("stock knows the attempt", PATIENCE, async || {
            let mut order = data.record(Service::Order, "order", &order).await;
            let (tx, deadline_ms) = (order.remove("tx")?, order.remove("deadline")?);
            let is_held = shard.hexists(&held, &tx).await.expect("a running Redis answers");
            is_held.then_some((tx, deadline_ms.parse::<u64>().expect("a moment")))
        })
        .await;
        let ended = ids::own_key(Service::Stock, 1, &format!("ended:{}", deadline_ms / 1_000));
        let mut change = pipe();
        change.atomic().hdel(&held, &tx).hset(&ended, &tx, "CONFIRMED");
        change.exec_async(&mut shard).await.expect("a running Redis takes it");
        self.contradiction = (ended, tx);
    }

    async fn mend_shards(&mut self) {
        self.shop.redis(Service::Stock, 3).clock().set_ahead(Duration::ZERO);
        self.shop.redis(Service::Stock, 2).limit_file(None);
        // The attempt was given up.
        let (ended, tx) = &self.contradiction;
        let mut shard = self.shop.data().shard(Service::Stock, 1).await;
        shard.hset(ended, tx, "CANCELLED").await.expect("a running Redis takes it");
        for (service, shard) in [(Service::Stock, 0), (Service::Order, 1), (Service::Payment, 1)] {
            self.shop.redis(service, shard).restart().await;
        }
    }

    /// Coordinators die all the time, and each leaves an attempt behind.
    async fn die(data: Data, left: Vec<String>) {
        loop {
            for order in &left {
                data.abandon(0, order).await;
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Makes the shard of the paying user slow, for as long as it is polled: it says nothing most of the time.
    async fn slow(redis: &str) {
        let mut shard = shardcart_harness::redis::connect(redis).await;
        loop {
            let mut pause = redis::cmd("CLIENT");
            pause.arg("PAUSE").arg(350);
            let _: Result<(), _> = pause.query_async(&mut shard).await;
            sleep(Duration::from_millis(450)).await;
        }
    }
}

/// What the small shop's own shards are told.
async fn tell(shop: &Shop, service: Service, setting: &str, value: &str) {
    let mut shard = shop.data().shard(service, 0).await;
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg(setting).arg(value);
    set.exec_async(&mut shard).await.expect("a running Redis takes a setting");
}

/// Waits until each of these has fired at some moment.
async fn firing(prometheus: &Prometheus, expected: &BTreeSet<String>) {
    let (start, mut missing) = (Instant::now(), expected.clone());
    while !missing.is_empty() {
        assert!(start.elapsed() < PATIENCE, "these do not fire: {missing:?}");
        sleep(LOOK).await;
        for fired in prometheus.firing().await {
            missing.remove(&fired);
        }
    }
}

/// Waits until none fires.
async fn clear(prometheus: &Prometheus, when: &str) {
    let start = Instant::now();
    loop {
        let left = prometheus.firing().await;
        if left.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{when} these still fire: {left:?}");
        sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_fires_when_its_fault_is_there_and_clears_when_it_is_gone() {
    let mut faulty = Faulty::start().await;
    let patient = Settings::none().with("METRICS_INTERVAL_MS", 200).with("CLIENT_TIMEOUT_MS", 600_000);
    let settings = patient.with("REQUESTS_MAX", SMALL).with("FSYNC", "no").with("IDEMPOTENCY_RECORDS_MAX", 3);
    let mut small = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let prometheus = Prometheus::start(&[faulty.shop.shop().port(), small.port()], &shortened()).await;
    let load = Faulty::load(faulty.front.clone(), faulty.item.clone(), faulty.users[0].clone(), faulty.paid.clone());
    let load = tokio::spawn(load);
    let front = small.front();
    let knocking = tokio::spawn(async move {
        loop {
            // While the shop is away there is no answer.
            let _ = front.try_call(hyper::Method::POST, Service::Payment, "/create_user").await;
            sleep(Duration::from_millis(50)).await;
        }
    });
    eventually("both are scraped under load", PATIENCE, async || {
        let rates = prometheus.query("rate(shardcart_requests_total{code=\"ok\"}[4s]) > 0").await;
        (rates.len() >= 2).then_some(())
    })
    .await;
    clear(&prometheus, "before any fault").await;

    let slow = faulty.shop.redis(Service::Payment, 0).url();
    let slow = tokio::spawn(async move { Faulty::slow(&slow).await });
    let dying = tokio::spawn(Faulty::die(faulty.shop.data(), faulty.left.clone()));
    faulty.break_shards().await;
    for key in ["a", "b", "c"] {
        small.front().with_key(key).create_order("user").await.ok();
    }
    let open = raw::requests_without_end(small.port(), SMALL).await;
    let used = Scrape::of(small.port()).await.value("shardcart_shard_memory_used_bytes{service=\"stock\"");
    // Before the memory: a full server keeps what it has, and refuses to read its clients.
    tell(&small, Service::Payment, "appendonly", "no").await;
    tell(&small, Service::Stock, "maxmemory", &format!("{:.0}", used.expect("it was told") * 1.01)).await;
    let files = Scrape::of(small.port()).await.value("process_open_fds").expect("Linux tells");
    let limit = small.process().limit_files(Some((files * 1.15) as u64));
    let all: BTreeSet<String> = alerts().into_iter().map(|(name, _)| name).collect();
    let of_faults = all.iter().filter(|name| !OF_DEATHS.contains(&name.as_str())).cloned().collect();
    firing(&prometheus, &of_faults).await;

    small.process().limit_files(Some(limit));
    tell(&small, Service::Stock, "maxmemory", "0").await;
    tell(&small, Service::Payment, "appendonly", "yes").await;
    // A day later they have gone.
    let mut orders = small.data().shard(Service::Order, 0).await;
    orders.del(ids::own_key(Service::Order, 0, "keyed")).await.expect("a running Redis deletes");
    drop(open);
    slow.abort();
    dying.abort();
    faulty.mend_shards().await;
    clear(&prometheus, "after the faults").await;

    small.process().kill9();
    firing(&prometheus, &BTreeSet::from(["ShardcartMachineDown".to_owned()])).await;
    for _ in 0..3 {
        small.start_again().await;
        let started = Scrape::of(small.port()).await.value("process_start_time_seconds").expect("Linux tells");
        eventually("the new start is seen", PATIENCE, async || {
            let seen = prometheus.query("process_start_time_seconds").await;
            seen.iter().any(|(_, value)| (value - started).abs() < 0.001).then_some(())
        })
        .await;
        small.process().kill9();
    }
    load.abort();
    faulty.shop.shop().process().kill9();
    let gone = ["ShardcartMachineRestarts", "ShardcartServiceMissing"].map(str::to_owned);
    firing(&prometheus, &gone.into()).await;
    faulty.shop.shop().start_again().await;
    small.start_again().await;
    clear(&prometheus, "after the deaths").await;
    knocking.abort();
}
