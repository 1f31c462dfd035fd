//! The files of the repository, as a reader of its documents sees them.

use std::fs;
use std::path::{Path, PathBuf};

/// What is made by building and running, or belongs to version control.
const LEFT_OUT: [&str; 4] = [".git", "target", "data", "node_modules"];

/// The root of the repository.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in the repository").to_owned()
}

/// Every file, by its path from the root, in order.
pub fn files() -> Vec<String> {
    let (root, mut found) = (root(), Vec::new());
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the repository can be read") {
            let entry = entry.expect("an entry can be read");
            let name = entry.file_name();
            if LEFT_OUT.iter().any(|left_out| name == *left_out) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            } else {
                let path = entry.path();
                let path = path.strip_prefix(&root).expect("it lies below the root");
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text of a file; nothing of one that is no text.
pub fn text(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// The paths of all documents.
pub fn documents() -> Vec<String> {
    files().into_iter().filter(|path| is_document(path)).collect()
}

/// Whether a file is a document.
pub fn is_document(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

/// Fails with all that was found, if anything was.
///
/// # Panics
/// When there are complaints.
pub fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} to correct:\n{}", complaints.len(), complaints.join("\n"));
}
