//! The form of documents: lengths of lines and of pages, and a list of pages that is complete.

use crate::page::{Line, Page};
use crate::repository;

/// Where a line ends.
const COLUMNS_MAX: usize = 120;
/// What a page that everybody reads first may have.
const LINES_MAX: usize = 200;

#[test]
fn lines_end_at_120_columns() {
    let mut complaints = Vec::new();
    for path in repository::documents() {
        for line in Page::read(&path).lines().iter().filter(|line| is_too_long(line)) {
            complaints.push(format!("{path}:{}: {} columns", line.number, line.text.chars().count()));
        }
    }
    repository::none(&complaints);
}

#[test]
fn front_pages_have_at_most_200_lines() {
    for path in ["README.md", "ARCHITECTURE.md"] {
        let lines = Page::read(path).lines().len();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
    }
}

#[test]
fn the_summary_lists_every_page_of_the_book() {
    let listed: Vec<String> = Page::read("docs/SUMMARY.md").links().into_iter().map(|(_, target)| target).collect();
    let pages = repository::documents().into_iter().filter_map(|path| path.strip_prefix("docs/").map(str::to_owned));
    let pages = pages.filter(|page| page != "SUMMARY.md");
    let missing: Vec<String> = pages.filter(|page| !listed.contains(page)).collect();
    repository::none(&missing);
}

/// Rows of tables, what a program prints, and a line that is one long word cannot be broken.
fn is_too_long(line: &Line) -> bool {
    let text = line.text.trim_start();
    let whole = text.starts_with('|') || !text.trim_start_matches(['-', '*', ' ']).contains(' ');
    let printed = line.fence.as_deref() == Some("text");
    line.text.chars().count() > COLUMNS_MAX && !whole && !printed
}
