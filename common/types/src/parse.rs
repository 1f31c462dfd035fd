//! How programs read their settings, and parsers of values that several of them have.

use std::time::Duration;

use clap::builder::Resettable;
use clap::{Command, Parser};
use url::Url;

/// A program's settings, from its arguments and environment; ends the process where they are wrong. An empty variable
/// counts as unset: a deployment may pass on a variable that nobody has set.
pub fn settings<T: Parser>() -> T {
    let mut command = without_empty_variables(T::command());
    let mut matches = command.get_matches_mut();
    T::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

fn without_empty_variables(command: Command) -> Command {
    let is_empty = |variable: &std::ffi::OsStr| std::env::var_os(variable).is_some_and(|value| value.is_empty());
    command.mut_subcommands(without_empty_variables).mut_args(|argument| match argument.get_env() {
        Some(variable) if is_empty(variable) => argument.env(Resettable::Reset),
        _ => argument,
    })
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
        Ok(url) if url.scheme() == "http" && url.has_host() && url.username().is_empty() => Ok(url),
        _ => Err("expected http://host:port, comma-separated for several machines".to_owned()),
    }
}
