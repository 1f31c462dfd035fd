//! Every problem code has a heading in the page of errors, with its meaning, its cause and what to do.

use crate::page::Page;
use crate::repository;

const ERRORS: &str = "docs/use/errors.md";

/// What the page says of each code.
const PARTS: [&str; 3] = ["- **Meaning:**", "- **Cause:**", "- **What to do:**"];

#[test]
fn every_problem_code_has_its_heading_and_every_heading_its_code() {
    let (codes, headings) = (codes(), Page::read(ERRORS).headings(3));
    assert!(codes.len() > 20, "the list of codes is found: {codes:?}");
    let missing = codes.iter().filter(|code| !headings.contains(code)).map(|code| format!("{code}: no heading"));
    let gone = headings.iter().filter(|heading| !codes.contains(heading)).map(|heading| format!("{heading}: no code"));
    repository::none(&missing.chain(gone).collect::<Vec<_>>());
}

#[test]
fn every_problem_code_has_meaning_cause_and_what_to_do() {
    let text = repository::text(ERRORS).expect("the page can be read");
    let mut complaints = Vec::new();
    for section in text.split("\n### ").skip(1) {
        let code = section.lines().next().unwrap_or_default();
        for part in PARTS.iter().filter(|part| !section.contains(*part)) {
            complaints.push(format!("{code}: {part}"));
        }
    }
    repository::none(&complaints);
}

/// The codes, from the list that the services make their answers from: `InvalidId = BAD_REQUEST "invalid_id" "…";`.
fn codes() -> Vec<String> {
    let files = repository::files().into_iter().filter(|path| path.starts_with("common/") && path.ends_with(".rs"));
    let text = files.filter_map(|path| repository::text(&path)).find(|text| text.contains("InvalidId = BAD_REQUEST"));
    let text = text.expect("there is a list of codes");
    text.lines().filter_map(code).collect()
}

fn code(line: &str) -> Option<String> {
    let (name, rest) = line.trim().split_once(" = ")?;
    let (status, rest) = rest.split_once(" \"")?;
    let (code, _) = rest.split_once('"')?;
    let listed = name.chars().all(|letter| letter.is_ascii_alphabetic())
        && status.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    listed.then(|| code.to_owned())
}
