//! Parsers of values that settings of several programs have.

use std::time::Duration;

use url::Url;

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
