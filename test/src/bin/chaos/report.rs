//! What a run came to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use shardcart_test::schedule::Planned;
use shardcart_test::world::{Tally, Verdict};

/// Findings that are printed at most.
const PRINTED: usize = 20;

/// The sums over all rounds.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    tally: Arc<Tally>,
    rounds: u64,
    lasted: Duration,
    faults: BTreeMap<String, u64>,
    orders: usize,
    paid: usize,
    /// From the end of the last fault until all machines were ready.
    ready: Duration,
    /// From then until nothing was in flight.
    settled: Duration,
    inconsistencies: Vec<String>,
    stuck: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub fn new(seed: u64, tally: Arc<Tally>) -> Report {
        Report {
            seed,
            tally,
            rounds: 0,
            lasted: Duration::ZERO,
            faults: BTreeMap::new(),
            orders: 0,
            paid: 0,
            ready: Duration::ZERO,
            settled: Duration::ZERO,
            inconsistencies: Vec::new(),
            stuck: Vec::new(),
        }
    }

    /// Adds a round.
    pub fn add(&mut self, played: &[Planned], verdict: &Verdict, ready: Duration, lasted: Duration) {
        self.rounds += 1;
        self.lasted = lasted;
        for planned in played {
            *self.faults.entry(planned.fault.to_string()).or_default() += 1;
        }
        self.orders += verdict.orders;
        self.paid += verdict.paid;
        self.ready = self.ready.max(ready);
        self.settled = self.settled.max(verdict.settled_after);
        self.inconsistencies.extend(verdict.inconsistencies.iter().cloned());
        self.stuck.extend(verdict.stuck.iter().cloned());
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.inconsistencies.is_empty() && self.stuck.is_empty()
    }

    /// The state in one line.
    pub fn line(&self) -> String {
        let faults: u64 = self.faults.values().sum();
        format!(
            "{:>5} s: round {}, {faults} faults, {} orders, {} paid, inconsistencies: {}, stuck: {}",
            self.lasted.as_secs(),
            self.rounds,
            self.orders,
            self.paid,
            self.inconsistencies.len(),
            self.stuck.len()
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(out, "| {name:<52} | {value:>12} |");
        row(&format!("seed {}", self.seed), format!("{} s", self.lasted.as_secs()))?;
        row(&"-".repeat(52), "-".repeat(12))?;
        for (kind, count) in &self.faults {
            row(&format!("fault: {kind}"), count.to_string())?;
        }
        row("faults", self.faults.values().sum::<u64>().to_string())?;
        row("orders placed", self.orders.to_string())?;
        row("orders paid", self.paid.to_string())?;
        let answers = self.tally.answers.lock().unwrap_or_else(PoisonError::into_inner);
        row("checkouts answered", answers.values().sum::<u64>().to_string())?;
        for (answer, count) in answers.iter() {
            row(&format!("answer: {answer}"), count.to_string())?;
        }
        row("rounds, each with an audit", self.rounds.to_string())?;
        row("longest until all machines were ready", seconds(self.ready))?;
        row("longest until nothing was in flight", seconds(self.settled))?;
        let waited = Duration::from_millis(self.tally.waited_ms.load(Ordering::Relaxed));
        row("longest that a client waited", seconds(waited))?;
        for found in self.inconsistencies.iter().chain(&self.stuck).take(PRINTED) {
            writeln!(out, "- {found}")?;
        }
        write!(out, "inconsistencies: {}, stuck: {}", self.inconsistencies.len(), self.stuck.len())
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
