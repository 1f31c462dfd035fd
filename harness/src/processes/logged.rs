//! Child processes that write into a log, whose last lines say why they ended.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::processes::child::Child;

/// How long a process may take to end in good order.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// How much of what it wrote is shown when something went wrong, in bytes.
const LAST_WORDS: usize = 2000;

/// A running process. Dropping it ends it: with SIGTERM, and with SIGKILL if that takes too long.
#[derive(Debug)]
pub struct Logged {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Logged {
    /// Starts a program that writes into `<directory>/<name>.log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, mut command: Command, directory: &Path) -> Result<Self, String> {
        let program = command.get_program().to_owned();
        let failed = |error| format!("{name} ({}) does not start: {error}", program.display());
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = Child::try_start(command, Signal::SIGTERM).map_err(failed)?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// It has ended: its name, how, and its last words.
    pub fn alive(&mut self) -> Result<(), String> {
        match self.child.status() {
            None => Ok(()),
            Some(status) => Err(format!("{} ended ({status}):\n{}", self.name, self.last_words())),
        }
    }

    fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(LAST_WORDS)..]).into_owned()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.child.end_within(END_PATIENCE);
    }
}
