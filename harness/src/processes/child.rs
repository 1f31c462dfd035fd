//! Child processes that end with who started them: when they are dropped, and when that process dies.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child as StdChild, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

use crate::wait::PAUSE;

type Order = (Command, Sender<io::Result<StdChild>>);

/// The kernel tells a child that its parent died when the *thread* that started it ends, so all
/// are started by one thread that lives as long as the process.
static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (orders, queue) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, started) in queue {
            // A caller that no longer listens drops the child's handle, not the child; none does.
            let _ = started.send(command.spawn());
        }
    });
    Mutex::new(orders)
});

/// A running child process; killed when dropped.
#[derive(Debug)]
pub struct Child {
    process: StdChild,
    status: Option<ExitStatus>,
}

impl Child {
    /// Starts a program. `orphaned` is the signal that it gets when the process that started it dies first.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: Command, orphaned: Signal) -> Child {
        let program = command.get_program().to_owned();
        Child::try_start(command, orphaned)
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
    }

    /// The same.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn try_start(mut command: Command, orphaned: Signal) -> io::Result<Child> {
        // Ctrl-C at a terminal is for that process: it ends its children itself.
        command.process_group(0);
        // SAFETY: between fork and exec only two system calls are made, which are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                // A file that must not grow is then a failed write, as on a full disk, and not a signal.
                signal(Signal::SIGXFSZ, SigHandler::SigIgn)?;
                set_pdeathsig(orphaned).map_err(io::Error::from)
            });
        }
        let (started, answer) = channel();
        let starter = STARTER.lock().expect("no holder of this lock panics");
        starter.send((command, started)).expect("the starter lives as long as the process");
        drop(starter);
        let process = answer.recv().expect("the starter answers every order")?;
        Ok(Child { process, status: None })
    }

    /// Sends a signal; does nothing to a process that has already been waited for.
    pub fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            let pid = i32::try_from(self.process.id()).expect("process ids fit into an i32");
            kill(Pid::from_raw(pid), signal).expect("one may signal one's own child");
        }
    }

    /// Kills it, paused or not, and returns when it is gone.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            self.process.kill().expect("one may kill one's own child");
            self.status = Some(self.process.wait().expect("one may wait for one's own child"));
        }
    }

    /// What it writes to standard output, if that is a pipe and was not taken before.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// What it writes to standard error, likewise.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.process.stderr.take()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.process.try_wait().expect("one may wait for one's own child");
        }
        self.status
    }

    /// Waits until it has ended; `None` when it is still running after `within`.
    pub async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while self.status().is_none() && start.elapsed() < within {
            tokio::time::sleep(PAUSE).await;
        }
        self.status
    }

    /// Asks it to end (SIGTERM) and kills it when it has not after `within`. For `Drop`, which
    /// cannot await.
    pub fn end_within(&mut self, within: Duration) {
        let start = Instant::now();
        if self.status().is_none() {
            self.signal(Signal::SIGCONT);
            self.signal(Signal::SIGTERM);
        }
        while self.status().is_none() && start.elapsed() < within {
            thread::sleep(PAUSE);
        }
        self.kill();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
