//! The last attempts that this machine drove, for operators.
//!
//! Keeping an attempt costs a lock that is seldom contended and two readings of the clock. The attempt is moved in, not
//! copied.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shardcart_protocol::participant::Refusal;
use shardcart_types::ids::now_ms;

use crate::attempt::Attempt;
use crate::error::{OrderError, Result};

/// Attempts that are kept.
const ATTEMPTS_MAX: usize = 2_048;
/// Lines of carts that are kept: a few attempts with a thousand lines each push the others out.
const LINES_MAX: usize = 8_192;

/// How an attempt ended for the client that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// 200.
    Paid,
    /// 4xx: nothing was taken.
    Refused(Refusal),
    /// 5xx.
    Unknown,
}

/// An attempt that has ended for its client.
#[derive(Debug)]
struct Ended {
    attempt: Attempt,
    outcome: Outcome,
    took: Duration,
    ended_ms: u64,
}

/// A summary of an ended attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSummary {
    /// The order.
    pub order: String,
    /// The attempt.
    pub tx: String,
    /// Whose order it is.
    pub user: String,
    /// What it costs.
    pub total: u64,
    /// How many lines its cart has.
    pub lines: usize,
    /// `paid`, `refused`, `aborted` or `unknown`.
    pub outcome: String,
    /// Why it was refused, in words; empty otherwise.
    pub reason: String,
    /// When it ended, Unix ms by this machine's clock.
    pub ended_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

#[derive(Debug, Default)]
struct Inner {
    attempts: VecDeque<Ended>,
    lines: usize,
    /// All attempts that were ever kept.
    count: u64,
}

/// The last attempts of all threads of a machine.
#[derive(Debug, Default)]
pub struct RecentAttempts(Mutex<Inner>);

impl RecentAttempts {
    /// Keeps an attempt that has ended, and drops the oldest if there are too many.
    pub fn push(&self, attempt: Attempt, result: &Result<()>, took: Duration) {
        let outcome = match result {
            Ok(()) => Outcome::Paid,
            Err(OrderError::Refused(refusal)) => Outcome::Refused(refusal.clone()),
            Err(_) => Outcome::Unknown,
        };
        let ended = Ended { attempt, outcome, took, ended_ms: now_ms() };
        let _forgotten = self.lock().push(ended);
    }

    /// The last `most` attempts that came after the first `seen`, the latest first, and how many came in all.
    pub fn since(&self, seen: u64, most: usize) -> (Vec<AttemptSummary>, u64) {
        let inner = self.lock();
        let new = usize::try_from(inner.count.saturating_sub(seen)).unwrap_or(usize::MAX).min(most);
        (inner.attempts.iter().rev().take(new).map(summary).collect(), inner.count)
    }

    /// Attempts on an order that are still remembered, the latest first.
    pub fn of_order(&self, order: &str) -> Vec<AttemptSummary> {
        self.lock().attempts.iter().rev().filter(|ended| ended.attempt.order.as_str() == order).map(summary).collect()
    }

    /// One attempt, if it is still remembered.
    pub fn of_tx(&self, tx: &str) -> Option<AttemptSummary> {
        self.lock().attempts.iter().rev().find(|ended| ended.attempt.tx.as_str() == tx).map(summary)
    }

    /// Calls `each` with the items and units of the attempts that came after the first `seen`, of the latest `most` of
    /// them. Returns how many came in all.
    pub fn lines_since(&self, seen: u64, most: usize, mut each: impl FnMut(&str, u64)) -> u64 {
        let mut lines = Vec::new();
        let count = {
            let inner = self.lock();
            let new = usize::try_from(inner.count.saturating_sub(seen)).unwrap_or(usize::MAX).min(most);
            let attempts = inner.attempts.iter().rev().take(new);
            lines.extend(attempts.flat_map(|ended| ended.attempt.lines.iter().cloned()));
            inner.count
        };
        // Without the lock, which every checkout takes.
        lines.iter().for_each(|(item, units)| each(item.as_str(), *units));
        count
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps one, and returns those that have to go, so that they are dropped without the lock.
    fn push(&mut self, ended: Ended) -> Vec<Ended> {
        let mut forgotten = Vec::new();
        self.count += 1;
        self.lines += ended.attempt.lines.len();
        self.attempts.push_back(ended);
        while self.attempts.len() > ATTEMPTS_MAX || self.lines > LINES_MAX && self.attempts.len() > 1 {
            let Some(oldest) = self.attempts.pop_front() else { break };
            self.lines -= oldest.attempt.lines.len();
            forgotten.push(oldest);
        }
        forgotten
    }
}

fn summary(ended: &Ended) -> AttemptSummary {
    let (outcome, reason) = match &ended.outcome {
        Outcome::Paid => ("paid", String::new()),
        Outcome::Refused(refusal @ Refusal::CheckoutAborted) => ("aborted", refusal.to_string()),
        Outcome::Refused(refusal) => ("refused", refusal.to_string()),
        Outcome::Unknown => ("unknown", String::new()),
    };
    let attempt = &ended.attempt;
    AttemptSummary {
        order: attempt.order.as_str().to_owned(),
        tx: attempt.tx.as_str().to_owned(),
        user: attempt.user.as_str().to_owned(),
        total: attempt.total,
        lines: attempt.lines.len(),
        outcome: outcome.to_owned(),
        reason,
        ended_ms: ended.ended_ms,
        took_us: u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use shardcart_types::ids::{ItemId, OrderId, TxId, UserId};

    use super::*;

    fn attempt(order: u64, lines: usize) -> Attempt {
        let item = |line: usize| (ItemId::parse(&format!("i{line}")).unwrap(), 2);
        Attempt {
            order: OrderId::parse(&order.to_string()).unwrap(),
            shard: 0,
            tx: TxId::mint(0, 1),
            deadline_ms: 0,
            user: UserId::parse("ann").unwrap(),
            total: 5,
            incarnation: String::new(),
            lines: (0..lines).map(item).collect(),
        }
    }

    #[test]
    fn the_latest_attempts_are_remembered_and_the_oldest_forgotten() {
        let recent = RecentAttempts::default();
        for order in 0..3_000 {
            recent.push(attempt(order, 1), &Ok(()), Duration::from_millis(3));
        }
        let (told, count) = recent.since(2_998, 10);
        assert_eq!((told.len(), count), (2, 3_000));
        assert_eq!((told[0].order.as_str(), told[0].outcome.as_str(), told[0].took_us), ("2999", "paid", 3_000));
        assert_eq!(recent.since(0, usize::MAX).0.len(), ATTEMPTS_MAX);
        assert!(recent.of_order("0").is_empty() && recent.of_order("2999").len() == 1);
        assert_eq!(recent.of_tx(&told[1].tx).unwrap().order, "2998");
    }

    #[test]
    fn large_carts_push_others_out() {
        let recent = RecentAttempts::default();
        for order in 0..20 {
            recent.push(attempt(order, 1_000), &Err(Refusal::UnknownUser.into()), Duration::ZERO);
        }
        assert_eq!(recent.since(0, usize::MAX).0.len(), 8);
        let mut units = 0;
        assert_eq!(recent.lines_since(19, 10, |_, of_line| units += of_line), 20);
        assert_eq!(units, 2_000);
    }
}
