//! What happened over time: once a second the answers and the CPU use since the second before.

use std::time::Instant;

use serde::Serialize;

use crate::load::answers::{Answers, Counts};
use crate::measure::cpu::{Reading, Watched};

/// Longer runs keep their last so many seconds in full and no more.
const TICKS_MAX: usize = 86_400;

/// One step of a timeline, usually a second.
#[derive(Debug, Clone, Serialize)]
pub struct Tick {
    /// Its end, in seconds since the beginning.
    pub at_s: f64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Answers in it.
    pub answers: Counts,
    /// Median latency of the 2xx in it, in microseconds; 0 if there were none.
    pub p50_us: f64,
    /// 99 of 100 of them were as short, in microseconds.
    pub p99_us: f64,
    /// CPU used in it by each program, in cores.
    pub cores: Vec<(String, f64)>,
}

/// The steps of a run.
#[derive(Debug)]
pub struct Timeline {
    begun: Instant,
    last: Instant,
    watched: Option<Watched>,
    used: Option<Reading>,
    ticks: Vec<Tick>,
}

impl Timeline {
    /// Begins now.
    pub fn begin(watched: Option<&Watched>) -> Self {
        let now = Instant::now();
        let used = watched.and_then(|watched| watched.read().ok());
        Self { begun: now, last: now, watched: watched.cloned(), used, ticks: Vec::new() }
    }

    /// Ends a step now, and begins the next.
    pub fn step(&mut self, answers: &mut Answers) -> &Tick {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        let (counts, p50_us, p99_us) = answers.lately();
        // A process that ended meanwhile is told of at the end of the run.
        let used = self.watched.as_ref().and_then(|watched| watched.read().ok());
        let cores = match (&self.used, &used) {
            (Some(before), Some(after)) => by_program(before, after, seconds),
            _ => Vec::new(),
        };
        self.used = used;
        self.last = now;
        if self.ticks.len() == TICKS_MAX {
            self.ticks.remove(0);
        }
        let at_s = (now - self.begun).as_secs_f64();
        self.ticks.push(Tick { at_s, seconds, answers: counts, p50_us, p99_us, cores });
        &self.ticks[self.ticks.len() - 1]
    }

    /// All steps.
    pub fn into_ticks(self) -> Vec<Tick> {
        self.ticks
    }
}

fn by_program(before: &Reading, after: &Reading, seconds: f64) -> Vec<(String, f64)> {
    let mut programs: Vec<(String, f64)> = Vec::new();
    for spent in after.since(before).0 {
        let program = spent.name.split(' ').next().unwrap_or_default();
        let cores = spent.seconds / seconds.max(1e-9);
        match programs.iter_mut().find(|(name, _)| name == program) {
            Some((_, sum)) => *sum += cores,
            None => programs.push((program.to_owned(), cores)),
        }
    }
    programs
}
