//! One process under test: started with its settings, its output kept, ended when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hyper::Method;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::http::HttpClient;
use crate::processes::binaries;
use crate::processes::child::Child;
use crate::processes::dirs;
use crate::processes::settings::Settings;
use crate::wait::PAUSE;

/// How long a start may take; far more than it does, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// A running (or ended) program of this workspace.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    /// Working directory, standard output and standard error.
    dir: TempDir,
    reported: bool,
}

/// How a program ended that was expected to refuse its start.
#[derive(Debug)]
pub struct Refusal {
    /// The exit code.
    pub code: i32,
    /// All that it wrote to standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a program of this workspace.
    pub fn start(program: &str, settings: &Settings) -> Process {
        let mut command = Command::new(binaries::path(program));
        settings.apply(&mut command);
        let dir = dirs::temporary(program);
        let file = |name| {
            let file = File::options().append(true).create(true).open(dir.path().join(name));
            file.expect("an output file can be made")
        };
        command.current_dir(dir.path()).stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        // SIGTERM, so that a shop can end the Redis servers that it started.
        let child = Child::start(command, Signal::SIGTERM);
        Process { child, name: program.to_owned(), dir, reported: false }
    }

    /// Starts a program that is expected to end by itself, refusing its settings or its data.
    ///
    /// # Panics
    /// When it ends well, by a signal, or not at all.
    pub async fn refused(program: &str, settings: &Settings) -> Refusal {
        let mut process = Process::start(program, settings);
        process.refusal(START).await
    }

    /// Waits until the process has ended by itself with a code that is not 0.
    ///
    /// # Panics
    /// When it ends well, by a signal, or is still running after `within`.
    pub async fn refusal(&mut self, within: Duration) -> Refusal {
        let ended = self.ended(within).await;
        let stderr = self.stderr();
        let Some(code) = ended.and_then(|status| status.code()) else {
            panic!("{} did not end by itself ({ended:?}); it wrote:\n{stderr}", self.name);
        };
        assert_ne!(code, 0, "{} ended well; it wrote:\n{stderr}", self.name);
        self.reported = true;
        Refusal { code, stderr }
    }

    /// Waits until `/health/ready` on `port` answers 200.
    ///
    /// # Panics
    /// When the process ends, or is not ready in time.
    pub async fn ready(&mut self, port: u16) {
        let client = HttpClient::default();
        let url = format!("http://127.0.0.1:{port}/health/ready");
        let start = Instant::now();
        loop {
            let answer = client.request(Method::GET, &url).await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            if let Some(status) = self.child.status() {
                panic!("{} ended with {status} instead of getting ready:\n{}", self.name, self.stderr());
            }
            assert!(start.elapsed() < START, "{} is not ready after {START:?}", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Kills it without warning and returns when it is gone.
    pub fn kill9(&mut self) {
        self.child.kill();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet; a paused process is running.
    pub fn is_running(&mut self) -> bool {
        self.child.status().is_none()
    }

    /// Stops it from running on until [`Process::resume`]; its connections stay open.
    pub fn pause(&self) {
        self.child.signal(Signal::SIGSTOP);
    }

    /// Lets it run on.
    pub fn resume(&self) {
        self.child.signal(Signal::SIGCONT);
    }

    /// Lets it have at most so many files open from now on, or as many as it may; returns how many it might have before.
    ///
    /// # Panics
    /// When it does not run.
    pub fn limit_files(&self, files: Option<u64>) -> u64 {
        let pid = i32::try_from(self.child.id()).expect("process ids fit into an i32");
        let (mut soft, mut hard) = (0, 0);
        let nofile = rlimit::Resource::NOFILE;
        rlimit::prlimit(pid, nofile, None, Some((&mut soft, &mut hard))).expect("limits of a child can be read");
        rlimit::prlimit(pid, nofile, Some((files.unwrap_or(hard), hard)), None).expect("limits of a child can be set");
        soft
    }

    /// Asks it to end (SIGTERM) and returns at once.
    pub fn terminate(&self) {
        self.child.signal(Signal::SIGTERM);
    }

    /// Waits until it has ended; `None` when it is still running after `within`.
    pub async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        self.child.ended(within).await
    }

    /// See [`Child::end_within`].
    pub fn end_within(&mut self, within: Duration) {
        self.child.end_within(within);
    }

    /// All that it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.output("stderr")
    }

    /// All that it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.output("stdout")
    }

    /// The directory that it runs in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Prints the end of what it wrote, for the reader of a failed test.
    pub fn report(&self) {
        const LINES: usize = 40;
        let text = self.stderr();
        let skipped = text.lines().count().saturating_sub(LINES);
        eprintln!("--- {} wrote (last {LINES} lines):", self.name);
        text.lines().skip(skipped).for_each(|line| eprintln!("{line}"));
    }

    fn output(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        let bytes = std::fs::read(path).expect("the output file is there as long as the process");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() && !self.reported {
            self.report();
        }
    }
}
