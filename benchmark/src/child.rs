//! Processes that are started for a measurement and end with it, however it ends.

use std::fs::File;
use std::path::Path;
use std::process::{Child as Process, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to end in good order.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// How much of what it wrote is shown when something went wrong, in bytes.
const LAST_WORDS: usize = 2000;

/// A running process. Dropping it ends it: with SIGTERM, and with SIGKILL if that takes too long.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: Process,
    log: std::path::PathBuf,
}

impl Child {
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
        end_with_us(&mut command);
        let process = command.spawn().map_err(failed)?;
        Ok(Self { name: name.to_owned(), process, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What became of it, if it has ended.
    ///
    /// # Errors
    /// It has: its name, and its last words.
    pub fn alive(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended ({status}):\n{}", self.name, self.last_words())),
            Err(error) => Err(format!("{} cannot be watched: {error}", self.name)),
        }
    }

    fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(LAST_WORDS)..]).into_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < END_PATIENCE && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ctrl-C at a terminal goes to us alone, and we end the processes in their order; when we are killed, the kernel tells them.
fn end_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        // SAFETY: between fork and exec only one system call is made, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).map_err(std::io::Error::from));
        }
    }
}
