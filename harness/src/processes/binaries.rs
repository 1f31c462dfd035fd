//! Where the programs under test are: cargo puts them beside, or one directory above, what is running.

use std::path::PathBuf;

/// The path of a program of this workspace, built in the same profile as the running test.
///
/// # Panics
/// When it has not been built: `cargo test` of this package alone does not build it.
pub fn path(program: &str) -> PathBuf {
    let running = std::env::current_exe().expect("a running program knows its own path");
    let dir = running.parent().expect("a program lies in a directory");
    // A test lies in <target>/<profile>/deps, a program one level above.
    let profile = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    let path = profile.join(program);
    assert!(
        path.is_file(),
        "the program `{program}` is missing: `make test` builds it first (or: cargo build --workspace)"
    );
    path
}
