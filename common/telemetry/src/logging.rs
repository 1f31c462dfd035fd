//! The log: to stderr, one line each, as text with `key=value` or as JSON. Lines of a request's task say whose they are.

use std::io::{self, Write};

use clap::ValueEnum;
use env_logger::fmt::Formatter;
use log::kv::{self, Key, Source, Value, VisitSource};
use log::{Level, Record};
use serde_json::Map;

use crate::log_limit::Limited;
use crate::trace::About;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: text, with fields as `key=value`.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Starts the log. `RUST_LOG` chooses what is written, `default` where it is not set.
pub fn start(format: LogFormat, default: &str) {
    let environment = env_logger::Env::default().default_filter_or(default);
    let mut builder = env_logger::Builder::from_env(environment);
    // An empty variable counts as unset.
    if std::env::var_os(env_logger::DEFAULT_FILTER_ENV).is_some_and(|filter| filter.is_empty()) {
        builder.parse_filters(default);
    }
    match format {
        LogFormat::Text => builder.format_timestamp_millis().format_key_values(text),
        LogFormat::Json => builder.format(json),
    };
    let logger = builder.build();
    let level = logger.filter();
    // A second start in one process (tests) keeps the first.
    if log::set_boxed_logger(Box::new(Limited::new(logger))).is_ok() {
        log::set_max_level(level);
    }
}

/// The fields of a line, and behind them those of its task that it does not name itself.
fn text(formatter: &mut Formatter, fields: &dyn Source) -> io::Result<()> {
    env_logger::fmt::default_kv_format(formatter, fields)?;
    for (name, value) in About::now().fields().filter(|(name, _)| fields.get(Key::from_str(name)).is_none()) {
        write!(formatter, " {name}={value}")?;
    }
    Ok(())
}

fn json(formatter: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let mut line = Map::new();
    line.insert("time".to_owned(), formatter.timestamp_millis().to_string().into());
    line.insert("level".to_owned(), record.level().as_str().into());
    line.insert("severity".to_owned(), severity(record.level()).into());
    line.insert("target".to_owned(), record.target().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    for (name, value) in About::now().fields() {
        line.insert(name.to_owned(), value.into());
    }
    record.key_values().visit(&mut Fields(&mut line)).map_err(io::Error::other)?;
    serde_json::to_writer(&mut *formatter, &line)?;
    formatter.write_all(b"\n")
}

/// The level as Google's Cloud Logging names it, which reads this field alone.
fn severity(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

struct Fields<'a>(&'a mut Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = match (value.to_bool(), value.to_i64(), value.to_u64(), value.to_f64()) {
            (Some(value), ..) => value.into(),
            (_, Some(value), ..) => value.into(),
            (_, _, Some(value), _) => value.into(),
            (_, _, _, Some(value)) => value.into(),
            _ => value.to_string().into(),
        };
        self.0.insert(key.as_str().to_owned(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_a_severity_that_cloud_logging_knows() {
        let severities = Level::iter().map(severity).collect::<Vec<_>>();
        assert_eq!(severities, ["ERROR", "WARNING", "INFO", "DEBUG", "DEBUG"]);
    }
}
