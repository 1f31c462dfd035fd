//! Where the programs under test are: cargo puts them two directories above the running test.

use std::path::PathBuf;

/// The path of a program of this workspace, built in the same profile as the running test.
///
/// # Panics
/// When it has not been built: `cargo test` of this package alone does not build it.
pub fn path(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test lies in <target>/<profile>/deps");
    let path = profile.join(program);
    assert!(
        path.is_file(),
        "the program `{program}` is missing: `make test` builds it first (or: cargo build --workspace)"
    );
    path
}
