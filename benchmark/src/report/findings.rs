//! What several runs together have shown: tables, charts, and the runs themselves.

use std::fmt::{Display, Formatter, Result as Written};

use serde::Serialize;

use crate::load::answers::Kind;
use crate::report::chart::{Bars, Chart};
use crate::report::made::Made;
use crate::report::outcome::Report;
use crate::report::table::Table;

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
    /// What is no line.
    pub bars: Vec<Bars>,
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
            bars: Vec::new(),
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
}

impl Display for Findings {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        writeln!(out, "## {}\n\n{}\n`{}`\n", self.title, self.made, self.made.command)?;
        for table in &self.tables {
            writeln!(out, "{table}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(out, "- FAILED: {failure}"))
    }
}
