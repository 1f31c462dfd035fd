//! Scripts: the atomic steps, each one Lua file that runs on one shard.

use redis::{Cmd, FromRedisValue, ToRedisArgs, Value};

/// A Lua script, known by its file name. Redis keeps it by its SHA-1.
#[derive(Debug)]
pub struct Script {
    name: &'static str,
    code: &'static str,
    sha1: String,
}

impl Script {
    /// A script from its source text; `name` is its file's, for messages.
    pub fn new(name: &'static str, code: &'static str) -> Self {
        Script { name, code, sha1: redis::Script::new(code).get_hash().to_owned() }
    }

    /// The file name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The command that makes Redis keep the script.
    pub(crate) fn load(&self) -> Cmd {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(self.code);
        load
    }

    /// A call with its keys; arguments follow with [`Call::arg`].
    pub fn keys<K: ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.sha1.as_str()).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        // Redis holds such a script to its word.
        let repeatable = self.code.starts_with("#!lua flags=no-writes");
        Call { script: Some(self), command, repeatable }
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

    /// The script's file name, or `read`.
    pub fn name(&self) -> &'static str {
        self.script.map_or("read", Script::name)
    }
}

/// A reply as words: a script answers with one word, or with several.
///
/// Anything that is no text (a script never answers so) becomes no words, which no caller takes for an answer.
pub fn words(reply: Value) -> Vec<String> {
    match reply {
        Value::Array(values) => values.into_iter().map(|value| word(value).unwrap_or_default()).collect(),
        other => word(other).into_iter().collect(),
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
}
