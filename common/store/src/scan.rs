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

use crate::script::{Call, words};
use crate::shard::Shard;
use crate::shard_error::ShardError;

crate::scripts! {
    RECORDS = "records.lua";
    HOLDINGS = "holdings.lua";
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
        let (next, found) = <(String, Vec<String>)>::from_redis_value(reply)
            .map_err(|error| unexpected_reply(shard, "SCAN", &error.to_string()))?;
        keys.extend(found);
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

/// The same fields of many records, in the order of the keys; a field that is not there is `None`.
///
/// # Errors
/// The shard's.
pub async fn fields(shard: &Shard, keys: &[String], fields: &[&str]) -> Result<Vec<Vec<Option<String>>>, ShardError> {
    let reply = shard.ask_bulk(&RECORDS.keys(keys).arg(fields)).await?;
    rows(shard, &RECORDS, reply)
}

/// The raw rows of a script's reply: for each a list of texts, `None` for what is not there.
///
/// # Errors
/// The reply is not built like that.
pub fn rows(
    shard: &Shard,
    script: &crate::script::Script,
    reply: Value,
) -> Result<Vec<Vec<Option<String>>>, ShardError> {
    let Value::Array(rows) = reply else {
        return Err(unexpected_reply(shard, script.name(), "no list"));
    };
    rows.into_iter()
        .map(|row| match row {
            Value::Array(fields) => Ok(fields.into_iter().map(text).collect()),
            _ => Err(unexpected_reply(shard, script.name(), "a row is no list")),
        })
        .collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
        Value::Nil => None,
        other => String::from_redis_value(other).ok(),
    }
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
    /// The wanted fields of the records that this names, and of those that were asked for besides, by key.
    pub records: Vec<(String, Vec<Option<String>>)>,
}

/// Reads all that a shard holds, and fields of the records that it concerns, at one moment. `besides` are the keys of
/// other records to be read with it.
///
/// # Errors
/// The shard's.
pub async fn holdings(shard: &Shard, besides: &[String], fields: &[&str]) -> Result<Holdings, ShardError> {
    let mut keys = vec![held_key(shard)];
    keys.extend_from_slice(besides);
    let reply = shard.ask_bulk(&HOLDINGS.keys(&keys).arg(fields)).await?;
    let Value::Array(mut answer) = reply else { return Err(unexpected_reply(shard, HOLDINGS.name(), "no list")) };
    if answer.is_empty() {
        return Err(unexpected_reply(shard, HOLDINGS.name(), "an empty list"));
    }
    let named = rows(shard, &HOLDINGS, Value::Array(answer.split_off(1)))?;
    let records =
        named.into_iter().map(|mut row| (row.first_mut().and_then(Option::take).unwrap_or_default(), row.split_off(1)));
    let records = records.collect();
    let held =
        answer.pop().map(reservations).transpose().map_err(|error| unexpected_reply(shard, HOLDINGS.name(), &error))?;
    Ok(Holdings { reservations: held.unwrap_or_default(), records })
}

/// Reads `tx, what is held, tx, what is held, …`.
///
/// # Errors
/// A text: it has another form.
pub fn reservations(reply: Value) -> Result<Vec<Reservation>, String> {
    let held = Vec::<(String, Vec<u8>)>::from_redis_value(reply).map_err(|error| error.to_string())?;
    Ok(held.into_iter().map(|(tx, bytes)| Reservation { tx, bytes }).collect())
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
