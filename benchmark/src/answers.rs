//! What came back: latency of what was committed, and every other answer by its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::client::{Answer, NoAnswer};

/// Longest text kept of the first answer of a kind, in characters.
const SAMPLE_MAX: usize = 300;

/// The answers to a run of checkouts.
#[derive(Debug)]
pub struct Answers {
    latency: Histogram<u64>,
    unknown: u64,
    others: BTreeMap<String, Other>,
}

#[derive(Debug)]
struct Other {
    count: u64,
    first: String,
}

/// One kind of answer that is not a committed checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Status and code of the problem, or how the answer stayed away.
    pub answer: String,
    /// How many there were.
    pub count: u64,
    /// What the first one said.
    pub first: String,
}

/// Latency of committed checkouts, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// The shortest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// Nine of ten were as short.
    pub p90: f64,
    /// 99 of 100 were as short.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The members of a problem that tell one from another.
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Default for Answers {
    fn default() -> Self {
        // Nanoseconds, 1 µs to 5 min; three digits are exact to 0.1 %.
        let latency = Histogram::new_with_bounds(1_000, 300_000_000_000, 3).expect("the bounds are valid");
        Self { latency, unknown: 0, others: BTreeMap::new() }
    }
}

impl Answers {
    /// Counts an answer to a checkout of an order that was never asked before.
    pub fn answered(&mut self, answer: &Answer<'_>, after: Duration) {
        if (200..300).contains(&answer.status) {
            self.latency.saturating_record(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
            return;
        }
        let text = String::from_utf8_lossy(answer.body);
        let (kind, first) = match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => (format!("{} {}", answer.status, problem.code), problem.detail),
            Err(_) => (answer.status.to_string(), text.trim().to_owned()),
        };
        // Only a 4xx is a promise that nothing was taken.
        self.count(kind, &first, !(400..500).contains(&answer.status));
    }

    /// Counts a request without an answer.
    pub fn unanswered(&mut self, why: &NoAnswer) {
        let kind = match why {
            NoAnswer::Connect(_) => "no connection",
            NoAnswer::Closed => "no answer: connection closed",
            NoAnswer::Broken(_) => "no answer: connection broken",
            NoAnswer::Timeout => "no answer: timed out",
            NoAnswer::Malformed(_) => "no answer: malformed",
        };
        self.count(kind.to_owned(), &why.to_string(), !matches!(why, NoAnswer::Connect(_)));
    }

    fn count(&mut self, kind: String, first: &str, unknown: bool) {
        self.unknown += u64::from(unknown);
        let first = || Other { count: 0, first: first.chars().take(SAMPLE_MAX).collect() };
        self.others.entry(kind).or_insert_with(first).count += 1;
    }

    /// Orders that were answered 2xx.
    pub fn committed(&self) -> u64 {
        self.latency.len()
    }

    /// Orders of which nobody can say yet whether they are paid: 5xx, or no answer.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// All orders asked for so far.
    pub fn asked(&self) -> u64 {
        self.committed() + self.others.values().map(|other| other.count).sum::<u64>()
    }

    /// Every kind of answer but committed.
    pub fn others(&self) -> Vec<Kind> {
        let kinds = self.others.iter();
        kinds
            .map(|(answer, Other { count, first })| Kind {
                answer: answer.clone(),
                count: *count,
                first: first.clone(),
            })
            .collect()
    }

    /// How long committed checkouts took; `None` if there was none.
    pub fn latency(&self) -> Option<Latency> {
        let us = |ns: u64| ns as f64 / 1000.0;
        let quantile = |q| us(self.latency.value_at_quantile(q));
        (self.committed() > 0).then(|| Latency {
            min: us(self.latency.min()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: us(self.latency.max()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer<'_> {
        Answer { status, body: body.as_bytes() }
    }

    #[test]
    fn latency_is_that_of_committed_checkouts_in_microseconds() {
        let mut answers = Answers::default();
        assert_eq!(answers.latency(), None);
        for ms in 1..=100 {
            answers.answered(&answer(200, ""), Duration::from_millis(ms));
        }
        answers.answered(&answer(409, ""), Duration::from_secs(9));

        let latency = answers.latency().unwrap();
        let near = |found: f64, wanted: f64| (found - wanted).abs() < wanted / 500.0;
        assert!(near(latency.min, 1_000.0), "{latency:?}");
        assert!(near(latency.p50, 50_000.0), "{latency:?}");
        assert!(near(latency.p90, 90_000.0), "{latency:?}");
        assert!(near(latency.p99, 99_000.0), "{latency:?}");
        assert!(near(latency.max, 100_000.0), "{latency:?}");
        assert_eq!((answers.committed(), answers.asked()), (100, 101));
    }

    #[test]
    fn a_latency_beyond_all_bounds_is_kept_as_the_longest() {
        let mut answers = Answers::default();
        answers.answered(&answer(200, ""), Duration::from_secs(4000));
        assert!(answers.latency().unwrap().max >= 300_000_000.0);
    }

    #[test]
    fn other_answers_are_counted_by_status_and_code_with_the_first_of_each() {
        let mut answers = Answers::default();
        answers.answered(&answer(409, r#"{"code":"insufficient_stock","detail":"item 1"}"#), Duration::ZERO);
        answers.answered(&answer(409, r#"{"code":"insufficient_stock","detail":"item 2"}"#), Duration::ZERO);
        answers.answered(&answer(502, "<html>Bad Gateway"), Duration::ZERO);
        answers.unanswered(&NoAnswer::Timeout);

        let kind =
            |answer: &str, count, first: &str| Kind { answer: answer.to_owned(), count, first: first.to_owned() };
        assert_eq!(
            answers.others(),
            [
                kind("409 insufficient_stock", 2, "item 1"),
                kind("502", 1, "<html>Bad Gateway"),
                kind("no answer: timed out", 1, "timed out"),
            ]
        );
    }

    #[test]
    fn only_4xx_and_a_request_never_sent_are_known_to_have_done_nothing() {
        let mut answers = Answers::default();
        answers.answered(&answer(402, ""), Duration::ZERO);
        answers.unanswered(&NoAnswer::Connect(std::io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(answers.unknown(), 0);
        answers.answered(&answer(503, ""), Duration::ZERO);
        answers.unanswered(&NoAnswer::Closed);
        assert_eq!((answers.unknown(), answers.asked()), (2, 4));
    }
}
