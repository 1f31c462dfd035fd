//! Items, users, payments and orders as they lie in Redis, by the names of their fields: read and written past the
//! services, with the snippet that their scripts use.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::redis::aio::ConnectionLike;
use ::redis::{FromRedisValue, cmd};
use shardcart_schema::lua;

/// A record's fields.
pub type Fields = BTreeMap<String, String>;

/// What scripts know of records: Lua functions that read and write them by the names of their fields.
pub static SNIPPET: LazyLock<String> =
    LazyLock::new(|| lua::expand("-- @include fields\n-- @include set\n", &[]).expect("the shared file is there"));

/// Gives all fields of each record, flat; of one of a later release only `v`, its version.
const READ: &str = "
local answer = {}
for place, key in ipairs(KEYS) do
  local flat = {}
  for name, value in pairs(record(key) or {}) do
    flat[#flat + 1] = name
    flat[#flat + 1] = type(value) == 'number' and string.format('%.0f', value) or value
  end
  answer[place] = flat
end
return answer";

/// Reads records by their keys; one that is not there has no fields.
pub async fn read(connection: &mut impl ConnectionLike, keys: &[String]) -> Vec<Fields> {
    if keys.is_empty() {
        return Vec::new();
    }
    ask(connection, READ, keys, &[]).await
}

/// Writes fields of a record, which is made if it is not there; an empty text takes a field out.
pub async fn set(connection: &mut impl ConnectionLike, key: &str, fields: &[(&str, &str)]) {
    let flat: Vec<&str> = fields.iter().flat_map(|(name, value)| [*name, *value]).collect();
    ask::<()>(connection, "set(KEYS[1], unpack(ARGV))", &[key.to_owned()], &flat).await;
}

/// Adds to a number of a record, which has to be there.
pub async fn add(connection: &mut impl ConnectionLike, key: &str, field: &str, by: i64) {
    let code = "set(KEYS[1], ARGV[1], fields(KEYS[1], ARGV[1])[1] + ARGV[2])";
    ask::<()>(connection, code, &[key.to_owned()], &[field, &by.to_string()]).await;
}

/// Makes a record one of another release (1 is this one's), without changing anything else of it.
pub async fn set_version(connection: &mut impl ConnectionLike, key: &str, version: u8) {
    let code = "redis.call('SETRANGE', KEYS[1], 0, string.char(ARGV[1]))";
    ask::<()>(connection, code, &[key.to_owned()], &[&version.to_string()]).await;
}

async fn ask<T: FromRedisValue>(
    connection: &mut impl ConnectionLike,
    code: &str,
    keys: &[String],
    arguments: &[&str],
) -> T {
    let mut eval = cmd("EVAL");
    eval.arg(format!("{}{code}", *SNIPPET)).arg(keys.len()).arg(keys).arg(arguments);
    eval.query_async(connection).await.unwrap_or_else(|error| panic!("{keys:?} {arguments:?}: {error}"))
}
