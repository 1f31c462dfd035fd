//! Programs of others, from `target/clients`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use shardcart_harness::processes::child::Child;

/// How long one may take: several times what it does.
const PATIENCE: Duration = Duration::from_secs(120);

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

/// Where they are installed.
pub fn tools() -> PathBuf {
    let tools = root().join("target/clients");
    assert!(tools.join("installed").is_file(), "what this needs is missing: `make clients` installs it, and runs this");
    tools
}

/// A program of Python's.
pub fn python(name: &str) -> Command {
    let mut command = Command::new(tools().join("python/bin").join(name));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A program of Node's.
pub fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(tools().join("node_modules").join(script));
    command
}

/// Runs one in a directory, to its good end; returns what it printed.
///
/// # Panics
/// When it fails, or does not end.
pub fn run(mut command: Command, dir: &Path) -> String {
    let output = dir.join("output");
    let file = File::create(&output).expect("a file can be made");
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("TMPDIR", dir)
        .stderr(file.try_clone().expect("a file can be shared"))
        .stdout(file);
    let told = format!("{command:?}");
    let mut child = Child::start(command, Signal::SIGKILL);
    let began = Instant::now();
    let status = loop {
        match child.status() {
            Some(status) => break status,
            None if began.elapsed() > PATIENCE => panic!("{told} does not end"),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let printed = fs::read_to_string(&output).expect("it printed text");
    assert!(status.success(), "{told}: {status}\n{printed}");
    printed
}
