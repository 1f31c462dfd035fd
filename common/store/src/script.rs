//! Scripts: the atomic steps, each one Lua file that runs on one shard.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::OnceLock;

use redis::{Cmd, FromRedisValue, RedisWrite, ToRedisArgs, Value};

use crate::idempotency::Once;

/// What is put around a script that is run with an idempotency key.
const IDEMPOTENCY: &str = include_str!("scripts/idempotency.lua");
/// Where the script goes.
const PLACE: &str = "-- {script}\n";
/// What scripts have in common: where they want it, and what it is.
const COMMON: [(&str, &str); 2] =
    [("-- {together}\n", include_str!("scripts/together.lua")), ("-- {fields}\n", include_str!("scripts/fields.lua"))];

/// A Lua script, known by its file name. Redis keeps it by its SHA-1.
#[derive(Debug)]
pub struct Script {
    name: Cow<'static, str>,
    code: Cow<'static, str>,
    sha1: String,
    keyed: OnceLock<Box<Script>>,
}

impl Script {
    /// A script from its source text; `name` is its file's, for messages. The lines `-- {together}` and `-- {fields}` in
    /// it stand for `scripts/together.lua` and `scripts/fields.lua`.
    pub fn new(name: impl Into<Cow<'static, str>>, code: impl Into<Cow<'static, str>>) -> Self {
        let mut code = code.into();
        for (place, common) in COMMON {
            if code.contains(place) {
                code = code.replace(place, common).into();
            }
        }
        let sha1 = redis::Script::new(&code).get_hash().to_owned();
        Script { name: name.into(), code, sha1, keyed: OnceLock::new() }
    }

    /// A script of which a part stands in a file of its own, because others have it, too: where it says `-- {settle}`.
    pub fn settling(name: &'static str, code: &str, settle: &str) -> Self {
        Script::new(name, code.replace("-- {settle}\n", settle))
    }

    /// The file name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same script with `idempotency.lua` around it, under the flags of its own first line. Another script to Redis:
    /// one that is called without a key runs as it is written.
    fn keyed(&self) -> &Script {
        self.keyed.get_or_init(|| {
            let (flags, code) = self.code.split_once('\n').unwrap_or((&self.code, ""));
            let code = format!("{flags}\n{}", IDEMPOTENCY.replace(PLACE, code));
            Box::new(Script::new(format!("{} with a key", self.name), code))
        })
    }

    /// The command that makes Redis keep the script.
    pub(crate) fn load(&self) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.code.as_ref());
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
    /// The first of the keys is what the script changes; the others, and the record, are in its partition.
    ///
    /// The reply may then be `REPLAYED <answer>`, `REUSED` or `NEWER` as well: see `scripts/idempotency.lua`.
    pub fn once(&'static self, once: Option<Once>, keys: &[String]) -> Call {
        let Some(Once { record, request, answer, order_life }) = once else { return self.keys(keys) };
        let keys: Vec<&str> = keys.iter().map(String::as_str).chain([record.as_str()]).collect();
        self.keyed().keys(&keys).arg(request).arg(answer).arg(order_life).repeatable()
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

/// Declares the scripts of a module: `scripts! { RESERVE = "reserve.lua"; }` reads `scripts/reserve.lua`
/// beside the module.
#[macro_export]
macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        static $name: std::sync::LazyLock<$crate::script::Script> = std::sync::LazyLock::new(||
            $crate::script::Script::new($file, include_str!(concat!("scripts/", $file))));
    )*};
    ($($name:ident = $file:literal with $part:literal;)*) => {$(
        static $name: std::sync::LazyLock<$crate::script::Script> = std::sync::LazyLock::new(||
            $crate::script::Script::settling(
                $file, include_str!(concat!("scripts/", $file)), include_str!(concat!("scripts/", $part))));
    )*};
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::idempotency::IdempotencyKey;
    use shardcart_types::ids::Partition;

    static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new("a.lua", "#!lua flags=allow-oom\nreturn 'DONE'\n"));

    #[test]
    fn without_a_key_a_script_is_called_as_it_is_written() {
        let keys = ["{1}:item:7".to_owned()];
        let (plain, once) = (SCRIPT.keys(&keys).arg(5), SCRIPT.once(None, &keys).arg(5));
        assert_eq!(once.command.get_packed_command(), plain.command.get_packed_command());
        assert!(!once.repeatable);
    }

    #[test]
    fn with_a_key_a_script_is_put_into_another_under_its_own_flags() {
        let key = IdempotencyKey::parse(b"k").unwrap();
        let call = SCRIPT.once(Some(key.change(Partition(1), "7", "add 5")), &["{1}:item:7".to_owned()]).arg(5);
        let script = call.script.unwrap();
        assert!(script.code.starts_with("#!lua flags=allow-oom\n-- Makes a script safe to repeat"), "{}", script.code);
        assert!(script.code.contains("\nlocal function run()\nreturn 'DONE'\nend\n"), "{}", script.code);
        assert_ne!(script.sha1, SCRIPT.sha1);
        assert!(call.repeatable);
        let command = String::from_utf8(call.command.get_packed_command()).unwrap();
        let words: Vec<&str> = command.split("\r\n").skip(2).step_by(2).collect();
        let expected = ["EVALSHA", &script.sha1, "2", "{1}:item:7", "{1}:key:7:k", "add 5", "-", "", "5"];
        assert_eq!(words, expected);
    }
}
