//! Tables that fit the terminal.

use console::{Alignment, Term, measure_text_width, pad_str, style, truncate_str};

use crate::terminal::harmless;

/// The width of a table where there is no terminal.
const WIDTH: usize = 100;
/// What stands between columns.
const GAP: usize = 2;
/// No column is made narrower.
const NARROWEST: usize = 8;

/// The form of a column.
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// Whether it holds numbers.
    pub is_number: bool,
}

/// A table as text: the widest columns give way until it fits `width`, or the terminal's.
pub fn table(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let width = width.unwrap_or_else(|| Term::stdout().size_checked().map_or(WIDTH, |(_, width)| usize::from(width)));
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
    let widest = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(|cell| measure_text_width(cell)).max();
    let mut widths: Vec<usize> = columns.iter().map(|column| measure_text_width(column.head)).collect();
    for (place, known) in widths.iter_mut().enumerate() {
        *known = (*known).max(widest(place).unwrap_or_default());
    }
    let gaps = GAP * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(most) = widths.iter_mut().max() else { break };
        if *most <= NARROWEST {
            break;
        }
        *most -= 1;
    }
    let line = |cells: Vec<&str>| {
        let cells = columns.iter().zip(&widths).zip(cells).map(|((column, width), cell)| {
            let side = if column.is_number { Alignment::Right } else { Alignment::Left };
            pad_str(&truncate_str(cell, *width, "…"), *width, side, None).into_owned()
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    // Bold only where stdout is a terminal, and nobody has said NO_COLOR.
    let head = style(line(columns.iter().map(|column| column.head).collect())).bold().to_string();
    let lines = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_no_wider_than_its_terminal_and_obeys_no_control_character() {
        let columns = [Column { head: "id", is_number: false }, Column { head: "price", is_number: true }];
        let rows = [vec!["x".repeat(90), "5".to_owned()], vec!["a\u{1b}[31m".to_owned(), "1,000".to_owned()]];
        let text = console::strip_ansi_codes(&table(&columns, &rows, Some(40))).into_owned();
        assert!(text.lines().all(|line| measure_text_width(line) <= 40), "{text}");
        assert!(text.contains('…') && text.lines().nth(2).is_some_and(|line| line.ends_with("  1,000")), "{text}");
        assert!(text.contains("a?[31m"), "{text}");
    }
}
