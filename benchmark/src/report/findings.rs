//! What several runs together have shown: tables, charts, and the runs themselves.

use std::fmt::{Display, Formatter, Result as Written};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::load::answers::Kind;
use crate::report::chart::{self, Chart};
use crate::report::outcome::Report;
use crate::report::table::Table;

/// When and on what figures were taken.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// UTC, to the minute.
    pub at: String,
    /// Name of the processor, where the system tells.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Processes that were running or waiting for a core, on average over the minute before; where the system tells.
    pub load_before: Option<f64>,
}

/// One run, by name.
#[derive(Debug, Serialize)]
pub struct Named {
    /// What was different in it.
    pub name: String,
    /// What it found.
    pub report: Report,
}

/// Several runs and what they show.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// What was looked at.
    pub title: String,
    /// When and where.
    pub made: Made,
    /// The figures.
    pub tables: Vec<Table>,
    /// The same to look at.
    pub charts: Vec<Chart>,
    /// What a reader must know to judge them.
    pub notes: Vec<String>,
    /// Why they are not what they have to be. Empty: they are.
    pub failures: Vec<String>,
    /// The runs in full.
    pub runs: Vec<Named>,
}

impl Findings {
    /// Nothing yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            made: Made::now(),
            tables: Vec::new(),
            charts: Vec::new(),
            notes: Vec::new(),
            failures: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Keeps a run. What makes its figures worthless becomes a failure.
    pub fn keep(&mut self, name: impl Into<String>, report: Report) -> &Report {
        let name = name.into();
        if let Err(why) = report.verdict() {
            self.failures.push(format!("{name}: {why}"));
        }
        for Kind { answer, count, first } in &report.answers {
            self.notes.push(format!("{name}: {count} × {answer}, first: {first}"));
        }
        self.runs.push(Named { name, report });
        &self.runs[self.runs.len() - 1].report
    }

    /// Whether all is as it has to be.
    ///
    /// # Errors
    /// Everything that is not.
    pub fn verdict(&self) -> Result<(), String> {
        if self.failures.is_empty() { Ok(()) } else { Err(self.failures.join("; ")) }
    }

    /// Writes each chart into a file of its own, named after its title.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn write_charts(&self, directory: &Path) -> Result<(), String> {
        std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        for chart in &self.charts {
            let name: String = chart
                .title
                .to_lowercase()
                .chars()
                .map(|char| if char.is_ascii_alphanumeric() { char } else { '-' })
                .collect();
            let file = directory.join(format!("{name}.svg"));
            std::fs::write(&file, chart::file(&chart.svg())).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    }
}

impl Display for Findings {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        writeln!(out, "## {}\n\n{}\n", self.title, self.made)?;
        for table in &self.tables {
            writeln!(out, "{table}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(out, "- FAILED: {failure}"))
    }
}

impl Made {
    fn now() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Self {
            at: minute(seconds),
            processor: processor.map_or_else(String::new, |name| name.trim_start_matches(['\t', ' ', ':']).to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: load.and_then(|load| load.split_whitespace().next()?.parse().ok()),
        }
    }
}

impl Display for Made {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        write!(out, "{}, {} cores", self.at, self.cores)?;
        if !self.processor.is_empty() {
            write!(out, " of {}", self.processor)?;
        }
        match self.load_before {
            Some(load) => write!(out, ", load {load} before"),
            None => Ok(()),
        }
    }
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
}
