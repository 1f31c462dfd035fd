//! What a document names in backticks exists: files, tests, settings, codes, metrics, and names of the code.

use std::collections::{BTreeMap, BTreeSet};

use crate::page::Page;
use crate::repository;

/// Documents that tell of the past, and so name what is gone.
const OF_THE_PAST: [&str; 4] = ["CHANGELOG.md", "UPGRADING.md", "docs/decisions/", "docs/figures/"];

/// Endings by which a word without a slash is known for a file.
const FILES: [&str; 12] =
    [".rs", ".lua", ".md", ".toml", ".yaml", ".yml", ".sh", ".conf", ".json", ".svg", ".mjs", ".js"];

/// Where what is built or run puts its files, and names that a reader is to replace.
const NOT_HERE: [&str; 5] = ["target/", "data/", "appendonlydir/", "data.copy/", "HTTP/"];

#[test]
fn every_file_that_is_named_exists() {
    let files = Files::read();
    let mut complaints = Vec::new();
    each_name(|page, number, name| {
        for name in services(name) {
            if is_path(&name) && !files.has(page, &name) {
                complaints.push(format!("{}:{number}: `{name}`: there is no such file", page.path));
            }
        }
    });
    repository::none(&complaints);
}

#[test]
fn every_test_that_is_named_exists() {
    let files = Files::read();
    let mut complaints = Vec::new();
    each_name(|page, number, name| {
        let Some((file, function)) = name.split_once(".rs::") else { return };
        let wanted = format!("fn {function}(");
        let is_there = files.named(&format!("{file}.rs")).any(|text| text.contains(&wanted));
        if is_word(function) && !is_there {
            complaints.push(format!("{}:{number}: `{name}`: there is no such test", page.path));
        }
    });
    repository::none(&complaints);
}

#[test]
fn every_setting_code_metric_and_name_of_the_code_exists() {
    let words = words_of_the_code();
    let mut complaints = Vec::new();
    each_name(|page, number, name| {
        let name = name.split_once('=').map_or(name, |(name, _)| name);
        if is_name(name) && !words.contains(name) {
            complaints.push(format!("{}:{number}: `{name}`: nothing in the repository is called so", page.path));
        }
    });
    repository::none(&complaints);
}

fn each_name(mut found: impl FnMut(&Page, usize, &str)) {
    for path in repository::documents() {
        if OF_THE_PAST.iter().any(|past| path.starts_with(past)) {
            continue;
        }
        let page = Page::read(&path);
        for (number, name) in page.code() {
            // A mark of omission stands for what the reader can fill in.
            if !name.contains(['…', ' ']) {
                found(&page, number, &name);
            }
        }
    }
}

/// A name with a place for a service stands for three.
fn services(name: &str) -> Vec<String> {
    if name.contains("<service>") {
        ["order", "stock", "payment"].map(|service| name.replace("<service>", service)).to_vec()
    } else {
        vec![name.to_owned()]
    }
}

fn is_path(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/');
    let placeholder = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_uppercase());
    let here = !NOT_HERE.iter().any(|elsewhere| name.starts_with(elsewhere)) && !name.starts_with(['/', '.', '-']);
    let file = FILES.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len());
    let directory = name.contains('/') && (name.ends_with('/') || name.contains("/src/") || name.contains("/tests/"));
    here && name.chars().all(letters) && !name.split(['/', '.']).any(placeholder) && (file || directory)
}

/// A setting, a code, a metric, a field, a function or a type: nothing that could be a word of English.
fn is_name(name: &str) -> bool {
    let identifier = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let camel = name.chars().skip(1).any(|letter| letter.is_ascii_uppercase())
        && name.chars().any(|letter| letter.is_ascii_lowercase());
    let loud = name.len() > 2 && name.chars().all(|letter| letter.is_ascii_uppercase());
    identifier && name.starts_with(|first: char| first.is_ascii_alphabetic()) && (name.contains('_') || camel || loud)
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Every word in what is no document.
fn words_of_the_code() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for path in repository::files().into_iter().filter(|path| !repository::is_document(path)) {
        // Which words exist is not for the suite to say that asks.
        if path.starts_with("test/tests/documents/") {
            continue;
        }
        let text = repository::text(&path).unwrap_or_default();
        let separators = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
        words.extend(text.split(separators).filter(|word| is_name(word)).map(str::to_owned));
    }
    words
}

/// The files of the repository, by their names.
struct Files {
    paths: Vec<String>,
    by_name: BTreeMap<String, Vec<String>>,
}

impl Files {
    fn read() -> Files {
        let paths = repository::files();
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in &paths {
            let name = path.rsplit('/').next().unwrap_or(path);
            by_name.entry(name.to_owned()).or_default().push(path.clone());
        }
        Files { paths, by_name }
    }

    /// Whether a page may name a file so: from the root, from the page's own directory, or by the end of its path.
    fn has(&self, page: &Page, name: &str) -> bool {
        let own = page.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let places = [name.to_owned(), format!("{own}/{name}"), format!("{own}/src/{name}")];
        if name.ends_with('/') {
            let inside = format!("/{name}");
            let begins = |path: &String| places.iter().any(|place| path.starts_with(place.trim_start_matches('/')));
            return self.paths.iter().any(|path| begins(path) || path.contains(&inside));
        }
        let ending = format!("/{name}");
        self.paths.iter().any(|path| places.contains(path) || path.ends_with(&ending))
    }

    /// The texts of all files of a name.
    fn named(&self, name: &str) -> impl Iterator<Item = String> {
        let paths = self.by_name.get(name).into_iter().flatten();
        paths.filter_map(|path| repository::text(path))
    }
}
