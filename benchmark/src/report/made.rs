//! When, on what, by which program and with which command figures were taken.

use std::fmt::{Display, Formatter, Result as Written};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What a reader must know to take the figures again.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// UTC, to the minute.
    pub at: String,
    /// Of this program.
    pub version: &'static str,
    /// From which this program was built, where that was known.
    pub commit: Option<&'static str>,
    /// As a shell would take it.
    pub command: String,
    /// Name of the processor, where the system tells.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Processes that were running or waiting for a core, on average over the minute before; where the system tells.
    pub load_before: Option<f64>,
}

impl Made {
    /// Here and now, by the command that is running.
    pub fn now() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Self {
            at: minute(seconds),
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("SHARDCART_COMMIT"),
            command: command(std::env::args().skip(1)),
            processor: processor.map_or_else(String::new, |name| name.trim_start_matches(['\t', ' ', ':']).to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: load.and_then(|load| load.split_whitespace().next()?.parse().ok()),
        }
    }

    /// Version and commit.
    pub fn program(&self) -> String {
        match self.commit {
            Some(commit) => format!("benchmark {}, commit {commit}", self.version),
            None => format!("benchmark {}, commit not known", self.version),
        }
    }
}

impl Display for Made {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        write!(out, "{}, {}, {} cores", self.at, self.program(), self.cores)?;
        if !self.processor.is_empty() {
            write!(out, " of {}", self.processor)?;
        }
        match self.load_before {
            Some(load) => write!(out, ", load {load} before"),
            None => Ok(()),
        }
    }
}

/// The command line, in quotation marks where a shell needs them.
fn command(words: impl Iterator<Item = String>) -> String {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|char| char.is_alphanumeric() || "-_=,./:".contains(char));
    let quoted = |word: String| if plain(&word) { word } else { format!("'{}'", word.replace('\'', r"'\''")) };
    std::iter::once("benchmark".to_owned()).chain(words.map(quoted)).collect::<Vec<_>>().join(" ")
}

/// A moment, in seconds since 1970, as `2026-11-20 14:05 UTC`.
///
/// The calendar is that of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn minute(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_by_the_calendar() {
        assert_eq!(minute(0), "1970-01-01 00:00 UTC");
        assert_eq!(minute(951_827_696), "2000-02-29 12:34 UTC");
        assert_eq!(minute(1_795_183_500), "2026-11-20 14:05 UTC");
    }

    #[test]
    fn a_command_can_be_given_to_a_shell_again() {
        let words = ["stress", "--mix", "checkout=1", "--html", "it's here.html"].map(str::to_owned);
        let wanted = r"benchmark stress --mix checkout=1 --html 'it'\''s here.html'";
        assert_eq!(command(words.into_iter()), wanted);
    }
}
