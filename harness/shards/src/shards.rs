//! Shards on real Redis servers of a test's own, and a view of what lies there that goes past the code under test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use shardcart_harness::redis::record;
use shardcart_harness::{Fsync, RedisServer, eventually};
use shardcart_schema::tag::Tag;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::address::Address;

/// Longer than anything takes that is waited for, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How shards are reached in tests: with far more patience than a service has.
pub fn settings() -> RedisSettings {
    RedisSettings {
        redis_password: None,
        redis_db: 0,
        redis_timeout_ms: PATIENCE,
        redis_connect_timeout_ms: PATIENCE,
        redis_connections: 1,
        redis_wait_replicas: 0,
        redis_wait_timeout_ms: PATIENCE / 2,
        redis_wait_connections: 2,
        start_timeout_ms: PATIENCE,
        mint_shards: None,
        idempotency_records_max: 1_000_000,
        currency: "EUR".to_owned(),
    }
}

/// An empty server that evicts nothing. What it acknowledged outlives its process, though not a power failure.
pub async fn server() -> RedisServer {
    loop {
        let server = RedisServer::start_with(Fsync::No, "noeviction").await;
        if is_ours(&server).await {
            return server;
        }
    }
}

/// Whether this process started what answers there: another test process may have taken the same port in that moment.
async fn is_ours(server: &RedisServer) -> bool {
    let info: String = Raw::of(server).await.ask(&["INFO", "server"]).await;
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).map(str::trim);
    let status = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok()).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim);
    parent == Some(std::process::id().to_string().as_str())
}

/// The addresses of servers, in shard order.
pub fn addresses<'a>(servers: impl IntoIterator<Item = &'a RedisServer>) -> Vec<Address> {
    let parse = |server: &RedisServer| server.address().parse().expect("a server's address is an address");
    servers.into_iter().map(parse).collect()
}

/// Joins the data set on these servers, as a machine of `service` does when it starts.
pub async fn join(
    service: &'static str,
    servers: &[RedisServer],
    settings: &RedisSettings,
) -> Result<Arc<Membership>, String> {
    Membership::establish(service, addresses(servers), None, settings, Fatal::default()).await
}

/// A new data set on servers of its own; they end with the test.
pub struct TestShards {
    /// Its shards as one worker thread sees them.
    pub shards: Arc<Shards>,
    /// What lies on shard 0.
    pub raw: Raw,
    /// The servers, in shard order.
    pub servers: Vec<RedisServer>,
}

impl TestShards {
    /// One shard.
    pub async fn start(service: &'static str) -> Self {
        TestShards::start_many(service, 1).await
    }

    /// Several shards.
    pub async fn start_many(service: &'static str, count: usize) -> Self {
        let servers = futures_util::future::join_all((0..count).map(|_| server())).await;
        TestShards::on(service, servers, &settings()).await
    }

    /// A data set on servers that run already.
    pub async fn on(service: &'static str, servers: Vec<RedisServer>, settings: &RedisSettings) -> Self {
        let membership = join(service, &servers, settings).await.expect("empty servers take a data set");
        TestShards {
            shards: Arc::new(Shards::new(&membership).expect("the settings made shards before")),
            raw: Raw::of(&servers[0]).await,
            servers,
        }
    }

    /// The first shard.
    pub fn first(&self) -> &Shard {
        self.shards.shard(0).expect("there is a shard 0")
    }

    /// The tag of the first shard.
    pub fn tag(&self) -> Tag {
        self.first().tag()
    }

    /// A key of the first shard: `{s0…}:item:<id>`.
    pub fn key_of(&self, kind: &str, id: &str) -> String {
        format!("{{{}}}:{kind}:{id}", self.tag())
    }
}

/// What lies on one server, seen through a connection of the test's own.
#[derive(Clone)]
pub struct Raw(MultiplexedConnection);

impl Raw {
    /// Looks at a server.
    pub async fn of(server: &RedisServer) -> Self {
        Raw(server.connection().await)
    }

    /// Sends a command and takes its reply.
    pub async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut call = redis::cmd(command[0]);
        call.arg(&command[1..]);
        let reply = call.query_async(&mut self.0.clone()).await;
        reply.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Sends a command whose reply does not matter.
    pub async fn tell(&self, command: &[&str]) {
        self.ask::<redis::Value>(command).await;
    }

    /// Runs a script from its source text.
    pub async fn eval(&self, code: &str, keys: &[&str], arguments: &[&str]) -> String {
        let count = keys.len().to_string();
        self.ask(&[&["EVAL", code, &count], keys, arguments].concat()).await
    }

    /// The server's clock, in Unix milliseconds.
    pub async fn now_ms(&self) -> u64 {
        let (seconds, micros): (u64, u64) = self.ask(&["TIME"]).await;
        seconds * 1000 + micros / 1000
    }

    /// Waits until the server's clock is past a moment.
    pub async fn wait_until_after(&self, moment_ms: u64) {
        eventually("the moment passes", PATIENCE, async || (self.now_ms().await > moment_ms).then_some(())).await;
    }

    /// A hash; empty when it does not exist.
    pub async fn hash(&self, key: &str) -> BTreeMap<String, String> {
        self.ask(&["HGETALL", key]).await
    }

    /// The fields of a record; none when it does not exist.
    pub async fn record(&self, key: &str) -> record::Fields {
        record::read(&mut self.0.clone(), &[key.to_owned()]).await.remove(0)
    }

    /// Writes fields of a record; an empty text takes a field out.
    pub async fn set(&self, key: &str, fields: &[(&str, &str)]) {
        record::set(&mut self.0.clone(), key, fields).await;
    }

    /// Makes a record one that a later release wrote.
    pub async fn make_newer(&self, key: &str) {
        record::set_version(&mut self.0.clone(), key, 2).await;
    }

    /// What a hash has under a field, byte by byte.
    pub async fn bytes(&self, key: &str, field: &str) -> Option<Vec<u8>> {
        self.ask(&["HGET", key, field]).await
    }

    /// A field of a record that must be a plain whole number.
    pub async fn number(&self, key: &str, field: &str) -> u64 {
        let text = self.record(key).await.remove(field);
        let text = text.unwrap_or_else(|| panic!("{key} has no field {field}"));
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| plain);
        number.unwrap_or_else(|| panic!("{field} of {key} is {text:?}, not a plain whole number"))
    }

    /// A string, if it exists.
    pub async fn text(&self, key: &str) -> Option<String> {
        self.ask(&["GET", key]).await
    }

    /// When a key goes by itself, in Unix milliseconds; `None` when it stays for ever.
    pub async fn expires_ms(&self, key: &str) -> Option<u64> {
        let moment: i64 = self.ask(&["PEXPIRETIME", key]).await;
        assert_ne!(moment, -2, "{key} does not exist");
        u64::try_from(moment).ok()
    }

    /// A sorted set of moments.
    pub async fn moments(&self, key: &str) -> BTreeMap<String, u64> {
        self.ask(&["ZRANGE", key, "0", "-1", "WITHSCORES"]).await
    }

    /// Everything but the identity record at one moment, as text: key -> what it holds, and when it goes if it does.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let entries: Vec<Vec<String>> = self.ask(&["EVAL", &format!("{}{EVERYTHING}", *record::SNIPPET), "0"]).await;
        let entries = entries.into_iter().map(|entry| {
            let [key, kind, end, values @ ..] = entry.as_slice() else {
                panic!("the script gives three words at the least: {entry:?}");
            };
            let mut text = if kind == "string" { values.concat() } else { pairs(values) };
            if end != "-1" {
                text = format!("{text} until {end}");
            }
            (key.clone(), text)
        });
        entries.collect()
    }

    /// Makes the server as full as its `maxmemory` allows: it refuses what needs memory.
    pub async fn fill(&self) {
        self.tell(&["CONFIG", "SET", "maxmemory", "1"]).await;
    }

    /// Gives the server room again.
    pub async fn make_room(&self) {
        self.tell(&["CONFIG", "SET", "maxmemory", "0"]).await;
    }

    /// Makes the server forget all scripts, as a restart does.
    pub async fn forget_scripts(&self) {
        self.tell(&["SCRIPT", "FLUSH"]).await;
    }
}

/// Fields and values, or members and scores, in the order of their names.
fn pairs(values: &[String]) -> String {
    let mut pairs: Vec<String> = values.chunks(2).map(|pair| pair.join("=")).collect();
    pairs.sort();
    pairs.join(" ")
}

/// For each key: its name, its type, when it goes (-1: never), and what it holds: a record by its fields, and bytes that are
/// no text escaped.
const EVERYTHING: &str = "
local read = { string = { 'GET' }, hash = { 'HGETALL' }, zset = { 'ZRANGE', 0, -1, 'WITHSCORES' } }
local function escaped(text)
  return (string.gsub(text, '[^ -~]', function(byte) return string.format('\\\\%02x', string.byte(byte)) end))
end
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if not string.find(key, '}:identity$') then
    local kind = redis.call('TYPE', key).ok
    local entry = { key, kind, tostring(redis.call('PEXPIRETIME', key)) }
    local found = {}
    if layout(key) then
      entry[2] = 'record'
      for name, value in pairs(record(key)) do
        found[#found + 1] = name
        found[#found + 1] = type(value) == 'number' and string.format('%.0f', value) or value
      end
    else
      local command = read[kind]
      found = redis.call(command[1], key, unpack(command, 2))
      if type(found) == 'string' then found = { found } end
    end
    for _, value in ipairs(found) do entry[#entry + 1] = escaped(value) end
    all[#all + 1] = entry
  end
end
return all";
