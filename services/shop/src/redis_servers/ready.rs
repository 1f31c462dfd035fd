//! Waits until servers that were just started have loaded their data.

use std::thread;
use std::time::{Duration, Instant};

use super::probe::{self, Answer};
use super::server::Server;
use crate::data_dir::sync_dir;
use crate::start_error::StartError;

/// How long a server may take without coming any closer to being ready. How long it takes in all
/// depends on how much it stores, and has no bound.
const PROGRESS_PATIENCE: Duration = Duration::from_secs(60);

/// How long it is silently waited, and then how often a word is said about it.
const SAY_EVERY: Duration = Duration::from_secs(2);

const POLL_EVERY: Duration = Duration::from_millis(10);

/// Returns when all servers answer, or as soon as one of them exits or is stuck.
pub(super) fn wait(servers: &mut [Server]) -> Result<(), StartError> {
    let mut waiting: Vec<_> = servers.iter_mut().map(Waiting::new).collect();
    let mut said_at = Instant::now();
    loop {
        let mut still_waiting = Vec::with_capacity(waiting.len());
        for mut server in waiting {
            if !server.is_ready()? {
                still_waiting.push(server);
            }
        }
        waiting = still_waiting;
        if waiting.is_empty() {
            return Ok(());
        }
        if said_at.elapsed() >= SAY_EVERY {
            said_at = Instant::now();
            waiting.iter_mut().for_each(Waiting::say);
        }
        thread::sleep(POLL_EVERY);
    }
}

/// A server that was not ready when it was last asked.
struct Waiting<'a> {
    server: &'a mut Server,
    answer: Answer,
    moved_at: Instant,
    said: Option<u64>,
}

impl<'a> Waiting<'a> {
    fn new(server: &'a mut Server) -> Self {
        let answer = Answer::Silent("no answer yet".to_owned());
        Self { server, answer, moved_at: Instant::now(), said: None }
    }

    fn is_ready(&mut self) -> Result<bool, StartError> {
        let answer = probe::ask(&self.server.home().socket());
        // After the question: a server that exits meanwhile is seen now, not a round later.
        self.server.check_running()?;
        match &answer {
            Answer::Ready => {
                // Redis syncs what it writes, but not the name of the directory that it made for it.
                sync_dir(self.server.home().dir())?;
                return Ok(true);
            }
            Answer::Loading { .. } if answer != self.answer => self.moved_at = Instant::now(),
            _ => {}
        }
        self.answer = answer;
        if self.moved_at.elapsed() >= PROGRESS_PATIENCE {
            return Err(self.stuck());
        }
        Ok(false)
    }

    /// Tells how far the server is, once for each step.
    fn say(&mut self) {
        if let Answer::Loading { percent, .. } = self.answer
            && self.said != Some(percent)
        {
            self.said = Some(percent);
            eprintln!("redis {} is loading its data: {percent}%", self.server.name());
        }
    }

    fn stuck(&self) -> StartError {
        StartError::Stuck {
            name: self.server.name().to_owned(),
            last: self.answer.to_string(),
            waited_s: PROGRESS_PATIENCE.as_secs(),
            log: self.server.home().log(),
        }
    }
}
