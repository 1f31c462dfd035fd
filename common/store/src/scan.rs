//! Reading a shard from end to end without writing: its keys in large steps, and what lies under them, many at once.
//!
//! The audit is built on this. All calls go over the connections for bulk work, so that no request waits behind them, and
//! none waits for replicas: they read what this server has.

use std::future::Future;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::{FromRedisValue, Value};
use shardcart_schema::key;
use shardcart_schema::reservation_record;

use crate::script::{Call, Script, words};
use crate::shard::Shard;
use crate::shard_error::ShardError;

crate::scripts! {
    RECORDS = "records.lua";
    HOLDINGS = "holdings.lua";
    TIMED = "timed.lua";
}

/// Places of the keyspace that one `SCAN` looks at: about a quarter of a millisecond of Redis.
const STEP: usize = 1000;
/// Keys that are read at once: one to two milliseconds of Redis.
const BATCH: usize = 500;
/// Batches of one shard that are read at a time.
const ABREAST: usize = 3;

/// A number that tells one run of the shard's server from another. A scan of a server that was started anew
/// meanwhile has missed keys.
///
/// # Errors
/// The shard does not answer.
pub async fn run_id(shard: &Shard) -> Result<String, ShardError> {
    let mut info = redis::cmd("INFO");
    info.arg("server");
    let info = words(shard.ask_bulk(&Call::read(info)).await?).join("\n");
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    id.map(|id| id.trim().to_owned()).ok_or_else(|| unexpected_reply(shard, "INFO", "no run_id"))
}

/// How many keys a shard has.
///
/// # Errors
/// The shard does not answer.
pub async fn size(shard: &Shard) -> Result<u64, ShardError> {
    let reply = shard.ask_bulk(&Call::read(redis::cmd("DBSIZE"))).await?;
    u64::from_redis_value(reply).map_err(|error| unexpected_reply(shard, "DBSIZE", &error.to_string()))
}

/// Goes through all keys that match a glob pattern and hands them to `read` in batches, a few at a time.
///
/// A key that is there from the first to the last moment is handed out at least once. It may be more often, and keys
/// that come or go meanwhile may be among them or not.
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan<R>(shard: &Shard, pattern: &str, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    let (mut cursor, mut keys) = (String::from("0"), Vec::with_capacity(2 * BATCH));
    let mut under_way = FuturesUnordered::new();
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        let reply = shard.ask_bulk(&Call::read(scan)).await?;
        let (next, found) = <(String, Vec<Vec<u8>>)>::from_redis_value(reply)
            .map_err(|error| unexpected_reply(shard, "SCAN", &error.to_string()))?;
        keys.extend(found.into_iter().map(text));
        cursor = next;
        let is_last = cursor == "0";
        while keys.len() >= BATCH || is_last && !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(BATCH));
            under_way.push(read(std::mem::replace(&mut keys, rest)));
            if under_way.len() >= ABREAST {
                under_way.next().await.transpose()?;
            }
        }
        if is_last {
            break;
        }
    }
    while let Some(done) = under_way.next().await {
        done?;
    }
    Ok(())
}

/// Many records, in the order of their keys; one that is not there is `None`, a key of another type has no bytes.
///
/// # Errors
/// The shard's.
pub async fn records(shard: &Shard, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, ShardError> {
    let reply = shard.ask_bulk(&RECORDS.keys(keys)).await?;
    raw_rows(shard, &RECORDS, Value::Array(vec![reply])).map(|mut rows| rows.pop().unwrap_or_default())
}

/// The rows of a script's reply: for each a list of texts, `None` for what is not there.
///
/// # Errors
/// The reply is not built like that.
pub fn rows(shard: &Shard, script: &Script, reply: Value) -> Result<Vec<Vec<Option<String>>>, ShardError> {
    let rows = raw_rows(shard, script, reply)?.into_iter();
    Ok(rows.map(|row| row.into_iter().map(|value| value.map(text)).collect()).collect())
}

/// The same, byte by byte.
///
/// # Errors
/// The reply is not built like that.
pub fn raw_rows(shard: &Shard, script: &Script, reply: Value) -> Result<Vec<Vec<Option<Vec<u8>>>>, ShardError> {
    let Value::Array(rows) = reply else {
        return Err(unexpected_reply(shard, script.name(), "no list"));
    };
    rows.into_iter()
        .map(|row| match row {
            Value::Array(fields) => Ok(fields.into_iter().map(raw).collect()),
            _ => Err(unexpected_reply(shard, script.name(), "a row is no list")),
        })
        .collect()
}

fn raw(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::Nil => None,
        other => String::from_redis_value(other).ok().map(String::into_bytes),
    }
}

/// What lies in Redis as a text; what is none shows where it is not.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// A reservation as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its attempt.
    pub tx: String,
    /// What is held for it, as it lies there.
    pub bytes: Vec<u8>,
}

impl Reservation {
    /// What is held; `None` if that cannot be read.
    pub fn held(&self) -> Option<reservation_record::Reservation<'_>> {
        reservation_record::Reservation::read(&self.bytes)
    }
}

/// All that a shard holds at one moment.
#[derive(Debug, Default)]
pub struct Holdings {
    /// What is held.
    pub reservations: Vec<Reservation>,
    /// The records that this names, and those that were asked for besides, by key.
    pub records: Vec<(String, Option<Vec<u8>>)>,
}

/// Reads all that a shard holds, and the records that it concerns, at one moment. `besides` are the keys of other
/// records to be read with it.
///
/// # Errors
/// The shard's.
pub async fn holdings(shard: &Shard, besides: &[String]) -> Result<Holdings, ShardError> {
    let mut keys = vec![held_key(shard)];
    keys.extend_from_slice(besides);
    let reply = shard.ask_bulk(&HOLDINGS.keys(&keys)).await?;
    let Value::Array(mut answer) = reply else { return Err(unexpected_reply(shard, HOLDINGS.name(), "no list")) };
    if answer.is_empty() {
        return Err(unexpected_reply(shard, HOLDINGS.name(), "an empty list"));
    }
    let named = raw_rows(shard, &HOLDINGS, Value::Array(answer.split_off(1)))?;
    let record = |mut row: Vec<Option<Vec<u8>>>| {
        let bytes = row.pop().flatten();
        (row.pop().flatten().map(text).unwrap_or_default(), bytes)
    };
    let records = named.into_iter().map(record).collect();
    let held =
        answer.pop().map(reservations).transpose().map_err(|error| unexpected_reply(shard, HOLDINGS.name(), &error))?;
    Ok(Holdings { reservations: held.unwrap_or_default(), records })
}

/// Reads `tx, what is held, tx, what is held, …`.
///
/// # Errors
/// A text: it has another form.
pub fn reservations(reply: Value) -> Result<Vec<Reservation>, String> {
    let held = Vec::<(Vec<u8>, Vec<u8>)>::from_redis_value(reply).map_err(|error| error.to_string())?;
    Ok(held.into_iter().map(|(tx, bytes)| Reservation { tx: text(tx), bytes }).collect())
}

/// What lies under each of these keys, and for how many milliseconds more: negative for ever. Nothing of a key that is
/// gone.
///
/// # Errors
/// The shard's.
pub async fn timed(shard: &Shard, keys: &[String]) -> Result<Vec<Option<(Vec<u8>, i64)>>, ShardError> {
    let reply = shard.ask_bulk(&TIMED.keys(keys)).await?;
    let row = |mut row: Vec<Option<Vec<u8>>>| {
        let left = row.pop().flatten().map(text).and_then(|left| left.parse().ok());
        row.pop().flatten().zip(left)
    };
    Ok(raw_rows(shard, &TIMED, reply)?.into_iter().map(row).collect())
}

/// When the tombstones of a second end, Unix ms: -1: never; -2: they are gone.
///
/// # Errors
/// The shard's.
pub async fn tombstones_end(shard: &Shard, second: u64) -> Result<i64, ShardError> {
    let mut ends = redis::cmd("PEXPIRETIME");
    ends.arg(key::ended(shard.tag(), second).to_string());
    let reply = shard.ask_bulk(&Call::read(ends)).await?;
    i64::from_redis_value(reply).map_err(|error| unexpected_reply(shard, "PEXPIRETIME", &error.to_string()))
}

/// Hands out the tombstones of a second, tx and answer, a step at a time.
///
/// # Errors
/// The shard's.
pub async fn tombstones(shard: &Shard, second: u64, mut each: impl FnMut(&str, &str)) -> Result<(), ShardError> {
    let (key, mut cursor) = (key::ended(shard.tag(), second).to_string(), String::from("0"));
    loop {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(&key).arg(&cursor).arg("COUNT").arg(STEP);
        let reply = shard.ask_bulk(&Call::read(scan)).await?;
        let (next, found) = <(String, Vec<(Vec<u8>, Vec<u8>)>)>::from_redis_value(reply)
            .map_err(|error| unexpected_reply(shard, "HSCAN", &error.to_string()))?;
        found.into_iter().for_each(|(tx, answer)| each(&text(tx), &text(answer)));
        cursor = next;
        if cursor == "0" {
            return Ok(());
        }
    }
}

/// The key of the hash in which a shard keeps what it holds.
pub fn held_key(shard: &Shard) -> String {
    key::held(shard.tag()).to_string()
}

/// Whether a shard holds something for an attempt.
///
/// # Errors
/// The shard's.
pub async fn is_held(shard: &Shard, tx: &str) -> Result<bool, ShardError> {
    let mut exists = redis::cmd("HEXISTS");
    exists.arg(held_key(shard)).arg(tx);
    let reply = shard.ask_bulk(&Call::read(exists)).await?;
    bool::from_redis_value(reply).map_err(|error| unexpected_reply(shard, "HEXISTS", &error.to_string()))
}

/// A reply that cannot be understood.
pub fn unexpected_reply(shard: &Shard, call: &str, what: &str) -> ShardError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{call}: {what}") }
}
