//! Every problem code has a heading in the page of errors, with its meaning, its cause and what to do.

use crate::page::Page;
use crate::repository;

const ERRORS: &str = "docs/use/errors.md";

/// What the page says of each code.
const PARTS: [&str; 3] = ["- **Meaning:**", "- **Cause:**", "- **What to do:**"];

#[test]
fn every_problem_code_has_its_heading_and_every_heading_its_code() {
    let codes: Vec<String> = codes().into_iter().map(|code| code.name).collect();
    let headings = Page::read(ERRORS).headings(3);
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

#[test]
fn every_problem_code_stands_under_its_status() {
    let page = Page::read(ERRORS);
    let (mut status, mut complaints) = (String::new(), Vec::new());
    let codes = codes();
    for line in page.lines().iter().filter(|line| line.fence.is_none()) {
        if let Some(heading) = line.text.strip_prefix("## ") {
            heading.split(':').next().unwrap_or_default().clone_into(&mut status);
        } else if let Some(heading) = line.text.strip_prefix("### ") {
            for code in codes.iter().filter(|code| code.name == heading && code.status != status) {
                complaints.push(format!("{ERRORS}:{}: {heading} has status {}", line.number, code.status));
            }
        }
    }
    repository::none(&complaints);
}

/// A problem code.
#[derive(Debug)]
struct Code {
    status: String,
    name: String,
}

/// The codes, from the list that the services make their answers from: `InvalidId = 400 "invalid_id" "…";`.
fn codes() -> Vec<Code> {
    let files = repository::files().into_iter().filter(|path| path.starts_with("common/") && path.ends_with(".rs"));
    let text = files.filter_map(|path| repository::text(&path)).find(|text| text.contains("    InvalidId = "));
    text.expect("there is a list of codes").lines().filter_map(code).collect()
}

fn code(line: &str) -> Option<Code> {
    let (name, rest) = line.trim().split_once(" = ")?;
    let (status, rest) = rest.split_once(" \"")?;
    let (code, _) = rest.split_once('"')?;
    let listed = name.chars().all(|letter| letter.is_ascii_alphabetic())
        && status.len() == 3
        && status.chars().all(|letter| letter.is_ascii_digit());
    listed.then(|| Code { status: status.to_owned(), name: code.to_owned() })
}
