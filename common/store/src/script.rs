//! Scripts: the atomic steps, each one Lua file that runs on one shard.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::OnceLock;

use redis::{Cmd, FromRedisValue, RedisWrite, ToRedisArgs, Value};
use shardcart_schema::{limit, lua};
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::ID_LENGTH_MAX;

use crate::once::Once;

// What is counted on in records and scripts is what is checked at the door.
const _: () = assert!(AMOUNT_MAX == limit::AMOUNT_MAX && ID_LENGTH_MAX == limit::ID_LENGTH_MAX);

/// A Lua script, known by its file name. Redis keeps it by its SHA-1.
#[derive(Debug)]
pub struct Script {
    name: Cow<'static, str>,
    code: String,
    sha1: String,
    keyed: OnceLock<Box<Script>>,
}

impl Script {
    /// A script from the text of its file; `name` is the file's, for messages.
    ///
    /// # Panics
    /// When it includes what is not there: `common/schema/tests/scripts.rs` tries all scripts.
    pub fn new(name: impl Into<Cow<'static, str>>, code: &str) -> Self {
        Script::with_parts(name, code, &[])
    }

    /// A script that includes files beside its own, because others do, too: their names without `.lua`, and their
    /// texts.
    ///
    /// # Panics
    /// See [`Script::new`].
    pub fn with_parts(name: impl Into<Cow<'static, str>>, code: &str, parts: &[(&str, &str)]) -> Self {
        let name = name.into();
        let code = lua::expand(code, parts).unwrap_or_else(|error| panic!("{name}: {error}"));
        Script::of_text(name, code)
    }

    fn of_text(name: Cow<'static, str>, code: String) -> Self {
        let sha1 = redis::Script::new(&code).get_hash().to_owned();
        Script { name, code, sha1, keyed: OnceLock::new() }
    }

    /// The file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same script with `idempotency.lua` around it. Another script to Redis: one that is called without a key runs
    /// as it is written.
    fn keyed(&self) -> &Script {
        self.keyed.get_or_init(|| {
            let name = format!("{} with a key", self.name);
            let code = lua::with_key(&self.code).unwrap_or_else(|error| panic!("{name}: {error}"));
            Box::new(Script::of_text(name.into(), code))
        })
    }

    /// The command that makes Redis keep the script.
    pub(crate) fn load(&self) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.code.as_str());
        load
    }

    /// A call with its keys; arguments follow with [`Call::arg`].
    pub fn keys<K: ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let mut call = self.with_keys(keys.len());
        for key in keys {
            call.command.arg(key);
        }
        call
    }

    /// A call with so many keys: [`Call::key`] adds them, before any argument.
    pub fn with_keys(&'static self, count: usize) -> Call {
        let mut command = Cmd::with_capacity(3 + 3 * count, 64 * (1 + count));
        command.arg("EVALSHA").arg(self.sha1.as_str()).arg(count);
        // Redis holds such a script to its word.
        let repeatable = self.code.starts_with("#!lua flags=no-writes");
        Call { script: Some(self), command, repeatable }
    }

    /// A call with its keys that is carried out once for an idempotency key, if there is one: then it may be repeated.
    /// The first of the keys is what the script changes; the others, and the record, are on its shard.
    ///
    /// The reply may then be `REPLAYED <answer>`, `REUSED`, `TOO_MANY_KEYS` or `NEWER` as well: see `idempotency.lua` of
    /// `shardcart-schema`.
    pub fn once(&'static self, once: Option<Once>, keys: &[String]) -> Call {
        let Some(once) = once else { return self.keys(keys) };
        let keys: Vec<&str> =
            keys.iter().map(String::as_str).chain([once.counts.as_str(), once.record.as_str()]).collect();
        let max = once.records_max.map_or_else(String::new, |max| max.to_string());
        let call = self.keyed().keys(&keys).arg(once.request).arg(once.answer).arg(once.order_incarnation);
        call.arg(max).repeatable()
    }
}

/// One command for a shard: a script with its keys and arguments, or a plain command that only reads.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) script: Option<&'static Script>,
    pub(crate) command: Cmd,
    pub(crate) repeatable: bool,
}

impl Call {
    /// A plain command. It must only read: writes go through scripts.
    pub fn read(command: Cmd) -> Self {
        Call { script: None, command, repeatable: true }
    }

    /// Reads what lies under a key.
    pub fn get(key: impl Display) -> Self {
        let mut command = redis::cmd("GET");
        command.write_arg_fmt(key);
        Call::read(command)
    }

    /// Says that the call may run twice: then it is sent again when its connection breaks.
    #[must_use]
    pub fn repeatable(self) -> Self {
        Call { repeatable: true, ..self }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg<A: ToRedisArgs>(mut self, argument: A) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds a key of a call that was made with [`Script::with_keys`].
    pub fn key(&mut self, key: impl Display) {
        self.command.write_arg_fmt(key);
    }

    /// Adds an argument in place: for calls that have many.
    pub fn push<A: ToRedisArgs>(&mut self, argument: A) {
        self.command.arg(argument);
    }

    /// The script's file name, or `read`.
    pub fn name(&self) -> &'static str {
        self.script.map_or("read", Script::name)
    }
}

/// A reply as words: a script answers with one word, or with several, some of them perhaps in a list of their own.
///
/// Anything that is no text (a script never answers so) becomes no words, which no caller takes for an answer.
pub fn words(reply: Value) -> Vec<String> {
    let mut words = Vec::new();
    match reply {
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, &mut words)),
        other => words.extend(word(other)),
    }
    words
}

fn collect(value: Value, words: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, words)),
        other => words.push(word(other).unwrap_or_default()),
    }
}

/// The replies of a script that was asked `count` things together, or its one reply to all of them; `None`: it gave
/// another number of them.
pub fn each(reply: Value, count: usize) -> Option<Vec<Value>> {
    match reply {
        Value::Array(replies) if replies.len() == count => Some(replies),
        Value::BulkString(_) => Some(vec![reply; count]),
        _ => None,
    }
}

fn word(value: Value) -> Option<String> {
    match value {
        // The usual reply, taken over without a copy.
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::Nil => None,
        other => String::from_redis_value(other).ok(),
    }
}

/// Declares scripts: `scripts! { pub(crate) RESERVE = "reserve.lua"; }` reads `scripts/reserve.lua` beside the module.
/// A service does so once, in its `scripts.rs`. A file beside the script that it includes is named, too:
/// `CONFIRM = "confirm.lua" including "settle";`.
#[macro_export]
macro_rules! scripts {
    ($($(#[$doc:meta])* $vis:vis $name:ident = $file:literal $(including $part:literal)*;)*) => {$(
        $(#[$doc])*
        $vis static $name: std::sync::LazyLock<$crate::script::Script> = std::sync::LazyLock::new(||
            $crate::script::Script::with_parts($file, include_str!(concat!("scripts/", $file)),
                &[$(($part, include_str!(concat!("scripts/", $part, ".lua")))),*]));
    )*};
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use shardcart_schema::minted;
    use shardcart_types::ids::mint;

    use super::*;

    static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new("a.lua", "#!lua flags=allow-oom\nreturn 'DONE'\n"));

    #[test]
    fn scripts_find_the_milliseconds_of_a_minted_id() {
        let id = mint(113, 1_795_000_000_123);
        let (high, low) = (&id[..minted::MS_HIGH_DIGITS], &id[minted::MS_LOW_OFFSET..minted::REST_OFFSET]);
        assert_eq!(u64::from_str_radix(&format!("{high}{low}"), 16), Ok(1_795_000_000_123), "{id}");
    }

    #[test]
    fn without_a_key_a_script_is_called_as_it_is_written() {
        let keys = ["{s1hvf}:item:7".to_owned()];
        let (plain, once) = (SCRIPT.keys(&keys).arg(5), SCRIPT.once(None, &keys).arg(5));
        assert_eq!(once.command.get_packed_command(), plain.command.get_packed_command());
        assert!(!once.repeatable);
    }

    #[test]
    fn with_a_key_a_script_is_put_into_another_that_does_not_run_when_redis_is_full() {
        let once = Once {
            record: "{s1hvf}:key:k".to_owned(),
            request: "r".to_owned(),
            answer: "-".to_owned(),
            order_incarnation: String::new(),
            counts: "{s1hvf}:keyed".to_owned(),
            records_max: Some(9),
        };
        let call = SCRIPT.once(Some(once), &["{s1hvf}:item:7".to_owned()]).arg(5);
        let script = call.script.unwrap();
        assert!(script.code.starts_with("#!lua\n-- Makes a script safe to repeat"), "{}", script.code);
        assert!(script.code.contains("\nlocal function run()\nreturn 'DONE'\nend\n"), "{}", script.code);
        assert_ne!(script.sha1, SCRIPT.sha1);
        assert!(call.repeatable);
        let command = String::from_utf8(call.command.get_packed_command()).unwrap();
        let words: Vec<&str> = command.split("\r\n").skip(2).step_by(2).collect();
        let expected =
            ["EVALSHA", &script.sha1, "3", "{s1hvf}:item:7", "{s1hvf}:keyed", "{s1hvf}:key:k", "r", "-", "", "9", "5"];
        assert_eq!(words, expected);
    }
}
