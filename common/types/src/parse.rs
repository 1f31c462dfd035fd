//! How programs read their settings, and parsers of values that several of them have.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, Error, Parser};
use url::Url;

/// Words in the names of settings whose values may carry a password, where it belongs or not.
const GUARDED: [&str; 7] = ["_REDIS", "ADDR", "URL", "ENDPOINT", "HEADERS", "PASSWORD", "TOKEN"];
/// Stands for a value that is not shown.
const NOT_SHOWN: &str = "(not shown)";

/// A program's settings, from its arguments and environment; ends the process where they are wrong. An empty variable
/// counts as unset: a deployment may pass on a variable that nobody has set. What may carry a password is shown neither in
/// an error nor in `--help`.
pub fn settings<T: Parser>() -> T {
    read(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

fn read<T: Parser>(words: impl Iterator<Item = OsString>) -> Result<T, Error> {
    let mut command = guarded(T::command());
    let parsed = command
        .try_get_matches_from_mut(words)
        .and_then(|mut matches| T::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command)));
    parsed.map_err(without_secrets)
}

fn guarded(command: Command) -> Command {
    let is_empty = |variable: &OsStr| std::env::var_os(variable).is_some_and(|value| value.is_empty());
    command.mut_subcommands(guarded).mut_args(|argument| match argument.get_env() {
        Some(variable) if is_empty(variable) => argument.env(Resettable::Reset),
        Some(variable) if is_guarded(&variable.to_string_lossy()) || is_guarded(argument.get_id().as_str()) => {
            argument.hide_env_values(true)
        }
        _ => argument,
    })
}

fn is_guarded(name: &str) -> bool {
    let name = name.to_uppercase();
    GUARDED.iter().any(|word| name.contains(word))
}

/// The same error without what may be a secret: the value of a guarded setting, and whatever looks like an address with one.
fn without_secrets(mut error: Error) -> Error {
    let is_guarded = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if is_guarded(name));
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        let Some(ContextValue::String(text)) = error.get(kind) else { continue };
        if kind == ContextKind::InvalidValue && is_guarded || text.contains('@') || text.contains("://") {
            error.insert(kind, ContextValue::String(NOT_SHOWN.to_owned()));
        }
    }
    error
}

/// Parses milliseconds, for clap.
///
/// # Errors
/// A text that says what was expected.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(ms) if ms <= 86_400_000 => Ok(Duration::from_millis(ms)),
        _ => Err("expected whole milliseconds, from 0 to 86400000".to_owned()),
    }
}

/// Parses one base URL of a setting, for clap.
///
/// # Errors
/// A text that says what was expected.
pub fn base_url(text: &str) -> Result<Url, String> {
    let slashed = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    match Url::parse(&slashed) {
        Ok(url) if url.scheme() == "http" && url.has_host() && is_bare(&url) => Ok(url),
        _ => Err("expected http://host:port, comma-separated for several machines".to_owned()),
    }
}

/// Nothing in it that may be a secret: the URL is shown where its machine does not answer.
fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::secret::Secret;

    #[derive(Debug, Parser)]
    struct Settings {
        #[arg(long, value_delimiter = ',')]
        redis_addrs: Vec<Address>,
        #[arg(long, value_parser = base_url)]
        order_service_url: Option<Url>,
        #[arg(long)]
        redis_password: Option<Secret>,
        #[arg(long, value_parser = milliseconds)]
        wait_ms: Option<Duration>,
        /// Stands for any address: this variable is always set.
        #[arg(long, env = "PATH")]
        some_url: Option<String>,
    }

    fn refused(words: &[&str]) -> String {
        let words = std::iter::once("program").chain(words.iter().copied()).map(OsString::from);
        read::<Settings>(words).expect_err("a refusal").to_string()
    }

    #[test]
    fn no_refusal_shows_a_secret() {
        for words in [
            &["--redis-addrs", "redis://:hunter2@redis-0:6379"][..],
            &["--redis-addrs", "default:hunter2,more@redis-0:6379"],
            &["--redis-addrs", "redis-0:6379,hunter2"],
            &["--redis-addrs", "default:hunter2:6379"],
            &["--order-service-url", "http://user:hunter2@order:9001"],
            &["--order-service-url", "http://:hunter2@order:9001"],
            &["--order-service-url", "http://order:9001?token=hunter2"],
            &["--order-service-url", "hunter2"],
            &["redis://:hunter2@redis-0:6379"],
            &["--wait-ms", "http://:hunter2@order"],
        ] {
            let said = refused(words);
            assert!(!said.contains("hunter2") && said.contains(NOT_SHOWN), "{words:?}: {said}");
        }
        let said = refused(&["--redis-addrs", "redis"]);
        assert!(said.contains("--redis-addrs") && said.contains("expected host:port"), "{said}");
        let said = refused(&["--wait-ms", "soon"]);
        assert!(said.contains("'soon'"), "what cannot be a secret is shown: {said}");
    }

    #[test]
    fn neither_help_nor_debug_shows_a_secret() {
        let help = refused(&["--help"]);
        assert!(help.contains("[env: PATH]"), "{help}");
        let words = ["program", "--redis-password", "hunter2"].map(OsString::from);
        let settings = read::<Settings>(words.into_iter()).expect("good settings");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
