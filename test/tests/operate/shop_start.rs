//! Starting a shop: what it says, what survives its end, and what it refuses without touching
//! anything.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use shardcart_harness::network::ports;
use shardcart_harness::processes::process::Refusal;
use shardcart_harness::{Front, Settings, Shop, ShopOptions};
use tempfile::TempDir;

/// The settings of a shop that could start, over a data directory that is not there yet.
fn settings(data: &Path) -> Settings {
    Settings::usual().with("PORT", ports::free()).with("DATA_DIR", data.display()).with("RUST_LOG", "warn")
}

/// Checks that a start was refused with code 1 and one line that tells about `words`.
#[track_caller]
fn in_one_line(refusal: &Refusal, words: &[&str]) {
    let lines: Vec<&str> = refusal.stderr.lines().collect();
    assert_eq!((refusal.code, lines.len()), (1, 1), "one clear line: {}", refusal.stderr);
    for word in words {
        assert!(lines[0].to_lowercase().contains(&word.to_lowercase()), "{word:?} is not in {:?}", lines[0]);
    }
}

/// Every file below a directory, with its length and when it was changed.
fn files_below(dir: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(dir).expect("the directory can be listed");
    for entry in entries {
        let entry = entry.expect("an entry can be read");
        let about = entry.metadata().expect("an entry that nobody removes has metadata");
        if about.is_dir() {
            files.extend(files_below(&entry.path()));
        }
        files.insert(entry.path(), (about.len(), about.modified().expect("Linux keeps this time")));
    }
    files
}

/// Something of everything, to be found again.
struct Memory {
    user: String,
    item: String,
    open: String,
    paid: Vec<String>,
}

impl Memory {
    async fn make(front: &Front) -> Memory {
        let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
        let open = front.order_of(&user, &[(&item, 2)]).await;
        let mut paid = Vec::new();
        for _ in 0..3 {
            let order = front.order_of(&user, &[(&item, 1)]).await;
            front.checkout(&order).await.ok();
            paid.push(order);
        }
        Memory { user, item, open, paid }
    }

    async fn is_there(&self, front: &Front) {
        assert_eq!((front.stock_of(&self.item).await, front.credit_of(&self.user).await), (7, 85));
        let open = front.order(&self.open).await;
        assert_eq!((open.paid, open.items[&self.item], open.total_cost), (false, 2, 10));
        for order in &self.paid {
            assert!(front.is_paid(order).await && front.has_payment(&self.user, order).await);
            front.checkout(order).await.ok();
        }
        assert_eq!((front.stock_of(&self.item).await, front.credit_of(&self.user).await), (7, 85));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_says_where_it_is_and_where_its_data_lies() {
    let mut shop = Shop::start().await;
    let said = shop.process().stdout() + &shop.process().stderr();
    let here = ["127.0.0.1", "localhost"].map(|host| format!("http://{host}:{}", shop.port()));
    assert!(here.iter().any(|url| said.contains(url)), "{here:?} is not in {said}");
    let data = shop.data_dir().display().to_string();
    assert!(said.contains(&data), "{data} is not in {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_shop_was_ended_and_started_again() {
    let mut shop = Shop::start_with(ShopOptions { shards: 2, settings: Settings::none() }).await;
    let memory = Memory::make(&shop.front()).await;
    for _ in 0..2 {
        shop.stop().await;
        shop.start_again().await;
        memory.is_there(&shop.front()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_shop_was_killed_and_started_again() {
    let mut shop = Shop::start_with(ShopOptions { shards: 2, settings: Settings::none() }).await;
    let memory = Memory::make(&shop.front()).await;
    for _ in 0..3 {
        shop.process().kill9();
        shop.start_again().await;
        memory.is_there(&shop.front()).await;
    }
    shop.data().settled(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_killed_under_load_keeps_every_promise() {
    let mut shop = Shop::start().await;
    let front = shop.front();
    let (user, item) = (front.user_with(1000).await, front.item_with(1000, 1).await);
    let orders = front.each(0..200, |_| async { front.order_of(&user, &[(&item, 1)]).await }).await;
    let load = front.at_once(orders.clone(), |front, order| async move {
        front.try_checkout(&order).await.is_ok_and(|answer| answer.status == 200)
    });
    let kill = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        shop.process().kill9();
    };
    let (promised, ()) = tokio::join!(load, kill);
    shop.start_again().await;

    let front = shop.front();
    for (order, promised) in orders.iter().zip(promised) {
        assert!(!promised || front.is_paid(order).await, "{order} was answered 200");
        front.checkout_until_definite(order, true).await.ok();
    }
    shop.data().settled(Duration::from_secs(10)).await;
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (800, 800));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redis_server_is_left_when_a_shop_has_ended() {
    let mut shop = Shop::start().await;
    let sockets: Vec<PathBuf> = ["order", "stock", "payment"]
        .iter()
        .map(|service| shop.data_dir().join(format!("{service}-0/redis.sock")))
        .collect();
    let connects = |path: &PathBuf| std::os::unix::net::UnixStream::connect(path).is_ok();
    assert!(sockets.iter().all(connects), "{sockets:?}");
    shop.stop().await;
    assert!(!sockets.iter().any(connects), "a Redis server outlived its shop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_refused_before_anything_is_made() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
    let port = taken.local_addr().expect("a bound listener has an address").port();
    let refusal = Shop::refused(&settings(&dir.path().join("data")).with("PORT", port)).await;
    in_one_line(&refusal, &[&port.to_string(), "in use"]);
    assert_eq!(files_below(dir.path()).len(), 0, "something was touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_redis_server_is_refused_with_a_hint() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let missing = "/there/is/no/redis-server";
    let refusal = Shop::refused(&settings(&dir.path().join("data")).with("REDIS_SERVER", missing)).await;
    in_one_line(&refusal, &[missing, "redis"]);

    let without_path = settings(&dir.path().join("data")).with("PATH", dir.path().display());
    in_one_line(&Shop::refused(&without_path).await, &["redis-server"]);
    assert_eq!(files_below(dir.path()).len(), 0, "something was touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_that_cannot_be_written_is_refused() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let file = dir.path().join("a-file");
    fs::write(&file, "not a directory").expect("a file can be written");
    let before = files_below(dir.path());
    let below = file.join("data");
    in_one_line(&Shop::refused(&settings(&below)).await, &[&file.display().to_string()]);
    in_one_line(&Shop::refused(&settings(&file)).await, &[&file.display().to_string()]);
    assert_eq!(files_below(dir.path()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_in_use_is_refused_and_its_shop_goes_on() {
    let shop = Shop::start().await;
    let memory = Memory::make(&shop.front()).await;
    shop.data().settled(Duration::from_secs(10)).await;
    let before = files_below(shop.data_dir());

    let refusal = Shop::refused(&settings(shop.data_dir())).await;
    in_one_line(&refusal, &[&shop.data_dir().display().to_string(), "in use"]);

    assert_eq!(files_below(shop.data_dir()), before, "something was touched");
    memory.is_there(&shop.front()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_shards_than_the_data_was_made_with_are_refused() {
    let mut shop = Shop::start_with(ShopOptions { shards: 2, settings: Settings::none() }).await;
    let memory = Memory::make(&shop.front()).await;
    shop.stop().await;
    let before = files_below(shop.data_dir());

    let refusal = Shop::refused(&settings(shop.data_dir()).with("SHARDS", 1)).await;
    in_one_line(&refusal, &["shard", "2"]);

    let contents = |files: BTreeMap<PathBuf, (u64, SystemTime)>| files.into_keys().collect::<Vec<_>>();
    assert_eq!(contents(files_below(shop.data_dir())), contents(before), "something was touched");
    shop.start_again().await;
    memory.is_there(&shop.front()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_shards_than_the_data_was_made_with_are_added() {
    let mut shop = Shop::start().await;
    let memory = Memory::make(&shop.front()).await;
    shop.stop().await;
    let settings = shop.settings().clone().with("SHARDS", 3);
    let mut grown = shardcart_harness::processes::process::Process::start("shop", &settings);
    grown.ready(shop.port()).await;
    memory.is_there(&shop.front()).await;
    grown.end_within(Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_is_refused_by_name() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    for (name, value) in
        [("PORT", "abc"), ("SHARDS", "0"), ("SHARDS", "many"), ("FSYNC", "sometimes"), ("CHECKOUT_LEASE_MS", "long")]
    {
        let refusal = Shop::refused(&settings(&dir.path().join("data")).with(name, value)).await;
        let told = refusal.stderr.replace('-', "_").to_uppercase();
        assert!(told.contains(name) && refusal.stderr.contains(value), "{name}={value}: {}", refusal.stderr);
    }
    let some = settings(&dir.path().join("data")).with("ORDER_REDIS_ADDRS", "127.0.0.1:1");
    let refusal = Shop::refused(&some).await;
    let told = refusal.stderr.replace('-', "_").to_uppercase();
    assert!(told.contains("STOCK_REDIS"), "all three or none: {}", refusal.stderr);
    assert_eq!(files_below(dir.path()).len(), 0, "something was touched");
}
