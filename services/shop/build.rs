//! Tells the programs which commit they are built from: what SHARDCART_COMMIT says, or git; nothing where there is neither.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=SHARDCART_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    // Where HEAD points to is written here with each commit and each checkout.
    if let Some(log) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::fs::exists(log).is_ok_and(|is| is))
    {
        println!("cargo:rerun-if-changed={log}");
    }
    let given = std::env::var("SHARDCART_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let commit = commit.filter(|commit| commit.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo:rustc-env=SHARDCART_VERSION={version}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git").args(arguments).output().ok().filter(|said| said.status.success())?;
    let said = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (!said.is_empty()).then_some(said)
}
