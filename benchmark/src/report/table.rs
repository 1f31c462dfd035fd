//! A table of figures: Markdown, so that it reads well on a terminal and can be put into a document.

use std::fmt::{Display, Formatter, Result as Written};

use serde::Serialize;

/// Rows under a head. The first column is to the left, all others to the right.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// As many cells each as the head has.
    pub rows: Vec<Vec<String>>,
    /// What a reader must know to judge it.
    pub notes: Vec<String>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, head: &[&str]) -> Self {
        let head = head.iter().map(|name| (*name).to_owned()).collect();
        Self { title: title.into(), head, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.head.len(), "as many cells as columns");
        self.rows.push(cells);
    }
}

impl Display for Table {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        writeln!(out, "### {}\n", self.title)?;
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |out: &mut Formatter<'_>, cells: &[String]| {
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(out, "| {cell:<width$} ")?,
                    _ => write!(out, "| {cell:>width$} ")?,
                }
            }
            writeln!(out, "|")
        };
        line(out, &self.head)?;
        for (column, width) in widths.iter().enumerate() {
            let (dashes, end) = ("-".repeat(width + 1), if column == 0 { "-" } else { ":" });
            write!(out, "|{dashes}{end}")?;
        }
        writeln!(out, "|")?;
        self.rows.iter().try_for_each(|row| line(out, row))?;
        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))
    }
}

/// Microseconds or milliseconds, whichever is shorter to read.
pub fn time(us: f64) -> String {
    if us < 1000.0 {
        format!("{us:.0} µs")
    } else if us < 10_000.0 {
        format!("{:.2} ms", us / 1000.0)
    } else if us < 1_000_000.0 {
        format!("{:.1} ms", us / 1000.0)
    } else {
        format!("{:.2} s", us / 1_000_000.0)
    }
}

/// A part of a whole.
pub fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// A number with its thousands told apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number < -0.5 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_in_columns() {
        let mut table = Table::new("Cost", &["setting", "µs"]);
        table.row(vec!["A".to_owned(), "160".to_owned()]);
        table.notes.push("on one machine".to_owned());
        let wanted = "### Cost\n\n| setting |  µs |\n|---------|----:|\n| A       | 160 |\n\n- on one machine\n";
        assert_eq!(table.to_string(), wanted);
    }

    #[test]
    fn numbers_are_short_to_read() {
        assert_eq!([0.4, 999.0, 1000.0, -1_234_567.0].map(grouped), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!([7.4, 1234.0, 56_780.0, 2e6].map(time), ["7 µs", "1.23 ms", "56.8 ms", "2.00 s"]);
    }
}
