//! Starts processes that do not outlive this one.
//!
//! Linux tells a child of its parent's death when the *thread* that started it ends. A thread of a
//! pool may end at any time, so one thread that never ends starts them all.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

/// What to start, and where to say how that went.
type Order = (Command, SyncSender<io::Result<Child>>);

static SPAWNER: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, incoming) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, reply) in incoming {
            let child = command.spawn();
            // Closes our copies of the files that the child was given, before anyone looks at them.
            drop(command);
            // Nobody listens if whoever asked has panicked; there is nobody to tell either.
            reply.send(child).ok();
        }
    });
    orders
});

/// Starts a process in a process group of its own. On Linux it gets SIGTERM when this process ends,
/// even by SIGKILL; elsewhere it may be left behind.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    end_with_this_process(&mut command);

    let (reply, child) = sync_channel(1);
    SPAWNER.send((command, reply)).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}

#[cfg(target_os = "linux")]
fn end_with_this_process(command: &mut Command) {
    use nix::errno::Errno;
    use nix::sys::{prctl, signal::Signal};
    use nix::unistd::{Pid, getppid};

    let parent = Pid::this();
    let ask_for_signal = move || {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        // Where the parent died before that line, the signal never comes.
        if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: this runs in the child between fork and exec, where only what is safe in a signal
    // handler is allowed. It makes two system calls, and neither allocates nor takes a lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(ask_for_signal);
    }
}
