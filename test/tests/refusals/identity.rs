//! A machine knows its data: what is not in order is refused at start, in one clear line.

use std::time::Duration;

use hyper::Method;
use shardcart_harness::network::ports;
use shardcart_harness::processes::process::{Process, Refusal};
use shardcart_harness::redis::Fsync;
use shardcart_harness::systems::cluster::TOKEN;
use shardcart_harness::systems::lone::LoneMachine;
use shardcart_harness::{RedisServer, Service, Settings};

/// How soon a running machine must stop itself once it has met data that is not its own.
const STOPPED: Duration = Duration::from_secs(10);

/// Checks how a machine refused: with code 1, a last line that tells about `words`, and no secret.
#[track_caller]
fn tells(refusal: &Refusal, words: &[&str]) {
    assert_eq!(refusal.code, 1, "{}", refusal.stderr);
    tells_without_secrets(refusal);
    let last = refusal.stderr.lines().last().unwrap_or_default().to_lowercase();
    for word in words {
        assert!(last.contains(&word.to_lowercase()), "{word:?} is not in {last:?}");
    }
}

#[track_caller]
fn tells_without_secrets(refusal: &Refusal) {
    for secret in [TOKEN, "hunter2"] {
        assert!(!refusal.stderr.contains(secret), "tells a secret: {}", refusal.stderr);
    }
    assert!(!refusal.stderr.contains("panicked"), "{}", refusal.stderr);
}

/// Starts a machine over these shards, lets it write something, and ends it.
async fn use_once(shards: &[&RedisServer]) {
    let mut machine = LoneMachine::start(shards, &Settings::none()).await;
    for _ in 0..4 {
        machine.front().item_with(3, 1).await;
    }
    machine.process().terminate();
    let status = machine.process().ended(STOPPED).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_list_is_accepted_again_and_a_reordered_one_is_refused() {
    let (first, second) = (RedisServer::start().await, RedisServer::start().await);
    use_once(&[&first, &second]).await;
    use_once(&[&first, &second]).await;
    tells(&LoneMachine::refused(&[&second, &first]).await, &["shard"]);
    tells(&LoneMachine::refused(&[&second]).await, &["shard"]);
    use_once(&[&first, &second]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_names_one_server_twice_is_refused() {
    let server = RedisServer::start().await;
    let refusal = LoneMachine::refused(&[&server, &server]).await;
    assert_ne!(refusal.code, 0);
    tells_without_secrets(&refusal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_of_another_service_is_refused() {
    let server = RedisServer::start().await;
    use_once(&[&server]).await;
    let refusal = Process::refused("payment", &LoneMachine::settings(&[&server])).await;
    tells(&refusal, &["stock", "payment"]);
    use_once(&[&server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_came_back_empty_is_refused_at_start() {
    let (first, mut second) = (RedisServer::start().await, RedisServer::start().await);
    use_once(&[&first, &second]).await;
    second.wipe();
    second.restart().await;
    tells(&LoneMachine::refused(&[&first, &second]).await, &["empty"]);
    assert_eq!(keys_of(&second).await, 0, "a refused start writes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_machine_stops_itself_when_a_redis_comes_back_empty() {
    let (first, mut second) = (RedisServer::start().await, RedisServer::start().await);
    let mut machine = LoneMachine::start(&[&first, &second], &Settings::none()).await;
    machine.front().item_with(3, 1).await;
    second.wipe();
    second.restart().await;

    let front = machine.front();
    let asking = tokio::spawn(async move {
        // The reconnection may wait for a request that needs the shard; it must not answer it.
        let mut created = Vec::new();
        while let Ok(answer) = front.try_call(Method::POST, Service::Stock, "/item/create/1").await {
            created.push(answer);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        created
    });
    tells(&machine.process().refusal(STOPPED).await, &["empty"]);
    asking.await.expect("the client does not panic");
    assert_eq!(keys_of(&second).await, 0, "nothing was written on the empty server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_data_sets_mixed_are_refused() {
    let servers = RedisServer::start_many(4).await;
    use_once(&[&servers[0], &servers[1]]).await;
    use_once(&[&servers[2], &servers[3]]).await;
    tells(&LoneMachine::refused(&[&servers[0], &servers[3]]).await, &["data set"]);
    tells(&LoneMachine::refused(&[&servers[2], &servers[1]]).await, &["data set"]);
    use_once(&[&servers[0], &servers[1]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_holds_something_else_is_refused() {
    let server = RedisServer::start().await;
    let mut connection = server.connection().await;
    let set: redis::RedisResult<()> = redis::cmd("SET").arg("somebody").arg("else").query_async(&mut connection).await;
    set.expect("an empty server takes a key");
    let refusal = LoneMachine::refused(&[&server]).await;
    tells(&refusal, &["redis"]);
    assert_eq!(keys_of(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_would_evict_keys_is_refused() {
    let server = RedisServer::start_with(Fsync::No, "allkeys-lru").await;
    tells(&LoneMachine::refused(&[&server]).await, &["maxmemory-policy", "allkeys-lru", "noeviction"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_is_named_after_the_start_timeout() {
    let address = format!("127.0.0.1:{}", ports::free());
    let here = RedisServer::start().await;
    let settings = LoneMachine::settings(&[&here]).with("REDIS_ADDRS", &address).with("START_TIMEOUT_MS", 1000);
    tells(&Process::refused("stock", &settings).await, &[&address]);
}

async fn keys_of(server: &RedisServer) -> u64 {
    let mut connection = server.connection().await;
    redis::cmd("DBSIZE").query_async(&mut connection).await.expect("a running Redis counts its keys")
}

/// A wrong setting is refused with its name, what it got, and something of what it expects. What may carry a password is
/// not shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_is_refused_by_name_with_what_it_got_and_what_it_expects() {
    let server = RedisServer::start().await;
    let good = LoneMachine::settings(&[&server]).with("REDIS_PASSWORD", "hunter2");
    for (name, value, got, expects) in [
        ("PORT", "abc", "abc", &["number", "digit", "65535"] as &[&str]),
        ("PORT", "65536", "65536", &["65535"]),
        ("PORT", "-1", "-1", &["65535", "digit"]),
        ("INTERNAL_PORT", "nine", "nine", &["number", "digit", "65535"]),
        ("BIND", "not an address", "not an address", &["address"]),
        // An empty variable counts as unset.
        ("REDIS_ADDRS", "", "", &["required"]),
        ("REDIS_ADDRS", ",", "(not shown)", &["host:port"]),
        ("REDIS_ADDRS", "one-without-port", "(not shown)", &["host:port"]),
        ("REDIS_ADDRS", "redis://:hunter2@redis-0:6379", "(not shown)", &["REDIS_PASSWORD"]),
        ("ORDER_SERVICE_URL", "http://:hunter2@order:9001", "(not shown)", &["http://"]),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:hunter2@collector:4318", "(not shown)", &["http://"]),
        ("REDIS_ADDRS", "host:notaport", "(not shown)", &["host:port"]),
        ("REDIS_ADDRS", "127.0.0.1:6379,,127.0.0.1:6380", "(not shown)", &["host:port"]),
        ("MACHINE_ID", "3/2", "3/2", &["k/N", "1"]),
        ("MACHINE_ID", "0/2", "0/2", &["k/N", "1"]),
        ("MACHINE_ID", "1/0", "1/0", &["k/N", "1"]),
        ("MACHINE_ID", "one", "one", &["k/N"]),
        ("MACHINE_ID", "1/2/3", "1/2/3", &["k/N"]),
        ("MINT_SHARDS", "0", "0", &["1", "shard"]),
        ("MINT_SHARDS", "2", "2", &["1", "shard"]),
        ("REDIS_TIMEOUT_MS", "soon", "soon", &["number", "digit", "milliseconds"]),
        ("REDIS_DB", "x", "x", &["number", "digit"]),
        ("CURRENCY", "dollars", "dollars", &["ISO 4217", "three"]),
        ("ORDER_SERVICE_URL", "order:9001", "(not shown)", &["http://"]),
        ("ALLOW_BATCH_INIT", "perhaps", "perhaps", &["true"]),
        ("WORKERS", "0", "0", &["1"]),
        ("BODY_MAX", "-5", "-5", &["number", "digit"]),
    ] {
        let refusal = Process::refused("stock", &good.clone().with(name, value)).await;
        tells_without_secrets(&refusal);
        let told = refusal.stderr.replace('-', "_").to_uppercase();
        assert!(told.contains(name), "does not name {name}={value:?}: {}", refusal.stderr);
        assert!(refusal.stderr.contains(got), "does not tell what {name} got, {got}: {}", refusal.stderr);
        assert!(
            expects.iter().any(|words| refusal.stderr.contains(words)),
            "does not tell what {name}={value:?} should be ({expects:?}): {}",
            refusal.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_setting_is_refused_by_name() {
    let server = RedisServer::start().await;
    for (program, name) in [
        ("stock", "INTERNAL_TOKEN"),
        ("stock", "REDIS_ADDRS"),
        ("stock", "ORDER_SERVICE_URL"),
        ("payment", "INTERNAL_TOKEN"),
        ("payment", "ORDER_SERVICE_URL"),
        ("order", "INTERNAL_TOKEN"),
        ("order", "STOCK_SERVICE_URL"),
        ("order", "PAYMENT_SERVICE_URL"),
    ] {
        let settings = LoneMachine::settings(&[&server])
            .with("STOCK_SERVICE_URL", "http://127.0.0.1:1")
            .with("PAYMENT_SERVICE_URL", "http://127.0.0.1:1")
            .without(name);
        let refusal = Process::refused(program, &settings).await;
        tells_without_secrets(&refusal);
        let told = refusal.stderr.replace('-', "_").to_uppercase();
        assert!(told.contains(name), "{program} does not name {name}: {}", refusal.stderr);
    }
    assert_eq!(keys_of(&server).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_ever_written_to_the_log() {
    let server = RedisServer::start().await;
    let settings = Settings::none().with("RUST_LOG", "debug");
    let mut machine = LoneMachine::start(&[&server], &settings).await;
    machine.front().item_with(1, 1).await;
    assert!(!machine.process().stderr().contains(TOKEN));
    assert!(!machine.process().stdout().contains(TOKEN));
}
