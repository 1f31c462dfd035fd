//! Lua: makes the text that reaches Redis out of a script's file.
//!
//! A line `-- @include name` stands for the file `name.lua`: one that all scripts may use, from `lua/` here, or one
//! beside the script, which its module hands in. What is included once is not included again.
//!
//! Two names in capitals with a dot between them are a constant: `ORDER.STATUS_AT` is put in as `27`. See
//! [`crate::constants`].

use std::collections::BTreeSet;

use crate::constants;

/// What several scripts have in common, by name: one function a file.
const SHARED: &[(&str, &str)] = &[
    ("counted", include_str!("lua/counted.lua")),
    ("fields", include_str!("lua/fields.lua")),
    ("hour", include_str!("lua/hour.lua")),
    ("known", include_str!("lua/known.lua")),
    ("layout", include_str!("lua/layout.lua")),
    ("legible", include_str!("lua/legible.lua")),
    ("minted_ms", include_str!("lua/minted_ms.lua")),
    ("now_ms", include_str!("lua/now_ms.lua")),
    ("numbers", include_str!("lua/numbers.lua")),
    ("orders", include_str!("lua/orders.lua")),
    ("parse", include_str!("lua/parse.lua")),
    ("pick", include_str!("lua/pick.lua")),
    ("record", include_str!("lua/record.lua")),
    ("set", include_str!("lua/set.lua")),
    ("shortcuts", include_str!("lua/shortcuts.lua")),
    ("told", include_str!("lua/told.lua")),
    ("tombstones_of", include_str!("lua/tombstones_of.lua")),
    ("write", include_str!("lua/write.lua")),
    ("write_orders", include_str!("lua/write_orders.lua")),
    ("write_record", include_str!("lua/write_record.lua")),
];

/// What is put around a script that is run with an idempotency key; it includes the script.
const IDEMPOTENCY: &str = include_str!("lua/idempotency.lua");

const INCLUDE: &str = "-- @include ";
/// What stands before the flags in a script's first line, which are separated by commas.
const FLAGS: &str = " flags=";
/// The flag of a script that runs when Redis is full.
const ALLOW_OOM: &str = "allow-oom";

/// Why a script cannot be loaded. All scripts are tried by a test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LuaError {
    /// No file of this name is shared or handed in.
    #[error("nothing is called {0}: a file to be included is in common/schema/src/lua, or stands beside the script")]
    UnknownInclude(String),
    /// No constant has this name.
    #[error("there is no constant {0}: see common/schema/src/constants.rs")]
    UnknownConstant(String),
}

/// The text of a script, from that of its file. `parts` are the files beside it that it includes, by their names
/// without `.lua`.
///
/// # Errors
/// See [`LuaError`].
pub fn expand(code: &str, parts: &[(&str, &str)]) -> Result<String, LuaError> {
    let mut text = String::with_capacity(2 * code.len());
    include(code, parts, &mut BTreeSet::new(), &mut text)?;
    put_in_constants(&text)
}

/// The text of a script that is run with an idempotency key, from its text without: `idempotency.lua` around it, under
/// the flags of the script's own first line. Only `allow-oom` is not among them: the record of a key takes memory,
/// whatever the script does.
///
/// # Errors
/// See [`LuaError`].
pub fn with_key(text: &str) -> Result<String, LuaError> {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    Ok(format!("{}\n{}", without_allow_oom(first), expand(IDEMPOTENCY, &[("script", body)])?))
}

/// The first line of a script, without the permission to run when Redis is full.
fn without_allow_oom(line: &str) -> String {
    let Some((engine, flags)) = line.split_once(FLAGS) else { return line.to_owned() };
    let kept: Vec<&str> = flags.split(',').filter(|flag| *flag != ALLOW_OOM).collect();
    if kept.is_empty() { engine.to_owned() } else { format!("{engine}{FLAGS}{}", kept.join(",")) }
}

fn include<'a>(
    code: &'a str,
    parts: &[(&str, &'a str)],
    included: &mut BTreeSet<&'a str>,
    text: &mut String,
) -> Result<(), LuaError> {
    for line in code.split_inclusive('\n') {
        let Some(name) = line.strip_prefix(INCLUDE).map(str::trim_end) else {
            text.push_str(line);
            continue;
        };
        if included.insert(name) {
            let part = parts.iter().chain(SHARED).find(|(of, _)| *of == name);
            let (_, part) = part.ok_or_else(|| LuaError::UnknownInclude(name.to_owned()))?;
            include(part, parts, included, text)?;
        }
    }
    Ok(())
}

fn put_in_constants(code: &str) -> Result<String, LuaError> {
    let mut text = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(is_of_name) {
        let (before, from) = rest.split_at(start);
        let (name, after) = from.split_at(length(from));
        text.push_str(before);
        text.push_str(if is_constant(name) { value_of(name)? } else { name });
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// How long the name is with which `code` begins: `table`, or `table.field`.
fn length(code: &str) -> usize {
    let name = |code: &str| code.find(|at| !is_of_name(at)).unwrap_or(code.len());
    let first = name(code);
    match code[first..].strip_prefix('.').map(name) {
        None | Some(0) => first,
        Some(second) => first + 1 + second,
    }
}

fn is_of_name(at: char) -> bool {
    at.is_ascii_alphanumeric() || at == '_'
}

fn is_constant(name: &str) -> bool {
    let is_capitals = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    name.split_once('.').is_some_and(|(of, name)| is_capitals(of) && is_capitals(name))
}

fn value_of(name: &str) -> Result<&'static str, LuaError> {
    let value = constants::all().get(name).map(String::as_str);
    value.ok_or_else(|| LuaError::UnknownConstant(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_included_once() {
        let parts = [("one", "-- one\n-- @include two\n"), ("two", "-- two\n-- @include one\n")];
        let text = expand("#!lua\n-- @include one\n-- @include two\nreturn 1\n", &parts);
        assert_eq!(text.as_deref(), Ok("#!lua\n-- one\n-- two\nreturn 1\n"));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        assert_eq!(expand("-- @include none\n", &[]), Err(LuaError::UnknownInclude("none".to_owned())));
    }

    #[test]
    fn a_constant_is_put_in() {
        let code =
            "return read('<Bc0', KEYS[1], ORDER.STATUS_AT) == STATUS.PAID..REPLY.BUSY_WITH, X, a.B, A.b, 1..'A.'";
        let text = "return read('<Bc0', KEYS[1], 27) == 'paid'..'BUSY ', X, a.B, A.b, 1..'A.'";
        assert_eq!(expand(code, &[]).as_deref(), Ok(text));
    }

    #[test]
    fn a_constant_that_is_not_there_is_an_error() {
        let unknown = expand("return ORDER.STATUS_OF\n", &[]);
        assert_eq!(unknown, Err(LuaError::UnknownConstant("ORDER.STATUS_OF".to_owned())));
    }

    #[test]
    fn a_script_with_a_key_is_put_into_another() {
        let text = with_key("#!lua flags=no-writes\nreturn 'NONE'\n").unwrap();
        assert!(text.starts_with("#!lua flags=no-writes\n-- Makes a script safe to repeat"), "{text}");
        assert!(text.contains("\nlocal function run()\nreturn 'NONE'\nend\n"), "{text}");
    }

    #[test]
    fn a_script_with_a_key_never_runs_when_redis_is_full() {
        for (first, with_a_key) in [
            ("#!lua", "#!lua"),
            ("#!lua flags=allow-oom", "#!lua"),
            ("#!lua flags=no-writes", "#!lua flags=no-writes"),
            ("#!lua flags=no-writes,allow-oom", "#!lua flags=no-writes"),
            ("#!lua flags=allow-oom,no-cluster,allow-stale", "#!lua flags=no-cluster,allow-stale"),
        ] {
            let text = with_key(&format!("{first}\nreturn 'DONE'\n")).unwrap();
            assert_eq!(text.lines().next(), Some(with_a_key), "{first}");
        }
    }
}
