//! What came back: latencies by what was done, and every answer that is not 2xx by its kind.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::calls::Call;
use crate::shop::client::{Answer, NoAnswer};

/// Longest text kept of the first answer of a kind, in characters.
const SAMPLE_MAX: usize = 300;

/// More kinds than this are not told apart: a server that answers at random must not fill the memory.
const KINDS_MAX: usize = 100;

/// What an answer was to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A checkout whose order was answered 2xx for the first time.
    Committed,
    /// A checkout whose order had been answered 2xx before.
    AlreadyPaid,
    /// Any other call.
    Call(Call),
}

impl What {
    fn index(self) -> usize {
        match self {
            Self::Committed => 0,
            Self::AlreadyPaid => 1,
            Self::Call(call) => 2 + call as usize,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        [Self::Committed, Self::AlreadyPaid].into_iter().chain(Call::ALL.map(Self::Call))
    }

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Committed => "checkout: committed",
            Self::AlreadyPaid => "checkout: already paid",
            Self::Call(Call::Checkout) => "checkout: refused",
            Self::Call(call) => call.name(),
        }
    }
}

/// Answers by what a client may conclude from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Orders answered 2xx for the first time.
    pub committed: u64,
    /// Further 2xx of such orders.
    pub already_paid: u64,
    /// 2xx of other calls.
    pub other_done: u64,
    /// 4xx without 429: nothing was done.
    pub refused: u64,
    /// 429: turned away at the door.
    pub turned_away: u64,
    /// 5xx, anything else, or no answer: unknown.
    pub failed: u64,
}

impl Counts {
    /// 2xx of any kind.
    pub fn done(&self) -> u64 {
        self.committed + self.already_paid + self.other_done
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.done() + self.refused + self.turned_away + self.failed
    }
}

/// Everything that came back to a group of clients.
#[derive(Debug)]
pub struct Answers {
    counts: Counts,
    /// By [`What::index`]; a histogram for what was answered 2xx, one for the rest. Made when first needed.
    tallies: Vec<Option<Box<Tally>>>,
    others: BTreeMap<String, Other>,
    unknown_checkouts: u64,
    lately: Lately,
    key: String,
}

#[derive(Debug)]
struct Tally {
    done: Histogram<u64>,
    not_done: Option<Histogram<u64>>,
}

/// What came back since somebody looked last.
#[derive(Debug)]
struct Lately {
    counts: Counts,
    done: Histogram<u64>,
}

#[derive(Debug)]
struct Other {
    count: u64,
    first: String,
}

/// One kind of answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// Status and code of the problem, or how the answer stayed away.
    pub answer: String,
    /// How many there were.
    pub count: u64,
    /// What was asked when the first came, and what it said.
    pub first: String,
}

/// Latency of answers, in microseconds.
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
    /// 999 of 1000 were as short.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// The answers to one thing that clients did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallReport {
    /// What they did.
    pub what: String,
    /// Answers 2xx.
    pub done: u64,
    /// Latency of those.
    pub latency_us: Option<Latency>,
    /// The part of all its answers that were 2xx and came within 100 ms, 0 to 1.
    pub done_within_100_ms: f64,
    /// Other answers that came at all.
    pub not_done: u64,
    /// Latency of those.
    pub not_done_latency_us: Option<Latency>,
}

/// A point of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// This part of the answers, 0 to 1, …
    pub quantile: f64,
    /// … came within so many microseconds.
    pub us: f64,
}

/// The members of a problem that tell one from another.
#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow)]
    code: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    detail: std::borrow::Cow<'a, str>,
}

/// Nanoseconds, 1 µs to 5 min; three digits are exact to 0.1 %.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 300_000_000_000, 3).expect("the bounds are valid")
}

fn record(histogram: &mut Histogram<u64>, after: Duration) {
    histogram.saturating_record(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
}

impl Latency {
    /// `None` of nothing.
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let us = |ns: u64| ns as f64 / 1000.0;
        let quantile = |q| us(histogram.value_at_quantile(q));
        (!histogram.is_empty()).then(|| Self {
            min: us(histogram.min()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: us(histogram.max()),
        })
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            tallies: What::all().map(|_| None).collect(),
            others: BTreeMap::new(),
            unknown_checkouts: 0,
            lately: Lately { counts: Counts::default(), done: histogram() },
            key: String::new(),
        }
    }
}

impl Answers {
    /// Counts an answer. `asked` is what it answers; `what` is believed of a 2xx only: a checkout that was not is
    /// neither committed nor already paid.
    pub fn answered(&mut self, what: What, asked: impl Display, answer: &Answer<'_>, after: Duration) {
        if (200..300).contains(&answer.status) {
            for counts in [&mut self.counts, &mut self.lately.counts] {
                match what {
                    What::Committed => counts.committed += 1,
                    What::AlreadyPaid => counts.already_paid += 1,
                    What::Call(_) => counts.other_done += 1,
                }
            }
            record(&mut self.lately.done, after);
            record(&mut self.tally(what).done, after);
            return;
        }
        for counts in [&mut self.counts, &mut self.lately.counts] {
            match answer.status {
                429 => counts.turned_away += 1,
                400..500 => counts.refused += 1,
                _ => counts.failed += 1,
            }
        }
        let what = if matches!(what, What::Call(_)) { what } else { What::Call(Call::Checkout) };
        record(self.tally(what).not_done.get_or_insert_with(histogram), after);
        // Only a 4xx is a promise that nothing was taken.
        self.unknown_checkouts += u64::from(what == What::Call(Call::Checkout) && !(400..500).contains(&answer.status));

        let text = str::from_utf8(answer.body).unwrap_or("(not text)").trim();
        let problem = serde_json::from_str::<Problem<'_>>(text).ok();
        self.key.clear();
        let _ = match &problem {
            Some(problem) => write!(self.key, "{} {}", answer.status, problem.code),
            None => write!(self.key, "{}", answer.status),
        };
        self.count_kind(asked, problem.as_ref().map_or(text, |problem| &problem.detail));
    }

    /// Counts a request without an answer.
    pub fn unanswered(&mut self, what: What, asked: impl Display, why: &NoAnswer) {
        self.counts.failed += 1;
        self.lately.counts.failed += 1;
        self.unknown_checkouts += u64::from(
            matches!(what, What::Committed | What::AlreadyPaid | What::Call(Call::Checkout))
                && !matches!(why, NoAnswer::Connect(_)),
        );
        self.key.clear();
        self.key.push_str(match why {
            NoAnswer::Connect(_) => "no connection",
            NoAnswer::Closed => "no answer: connection closed",
            NoAnswer::Broken(_) => "no answer: connection broken",
            NoAnswer::Timeout => "no answer: timed out",
            NoAnswer::Malformed(_) => "no answer: malformed",
        });
        self.count_kind(asked, &why.to_string());
    }

    fn count_kind(&mut self, asked: impl Display, said: &str) {
        if let Some(other) = self.others.get_mut(&self.key) {
            other.count += 1;
            return;
        }
        let key = if self.others.len() < KINDS_MAX { self.key.clone() } else { "any other".to_owned() };
        let first = || {
            let said: String = said.chars().take(SAMPLE_MAX).collect();
            Other { count: 0, first: format!("{asked}: {said}").trim_end_matches([':', ' ']).to_owned() }
        };
        self.others.entry(key).or_insert_with(first).count += 1;
    }

    fn tally(&mut self, what: What) -> &mut Tally {
        self.tallies[what.index()].get_or_insert_with(|| Box::new(Tally { done: histogram(), not_done: None }))
    }

    /// All answers so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Checkouts of which nobody can say yet whether they happened: 5xx, or no answer.
    pub fn unknown_checkouts(&self) -> u64 {
        self.unknown_checkouts
    }

    /// Counts, median and 99th percentile (µs) of the 2xx since this was asked last.
    pub fn lately(&mut self) -> (Counts, f64, f64) {
        let quantile = |q| self.lately.done.value_at_quantile(q) as f64 / 1000.0;
        let seen = (self.lately.counts, quantile(0.5), quantile(0.99));
        self.lately.counts = Counts::default();
        self.lately.done.reset();
        seen
    }

    /// Every kind of answer but 2xx.
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

    /// How long one thing took that was answered 2xx; `None` if it never was.
    pub fn latency(&self, what: What) -> Option<Latency> {
        Latency::of(&self.tallies[what.index()].as_ref()?.done)
    }

    /// How long it took to be refused or turned away at a checkout.
    pub fn refusal_latency(&self) -> Option<Latency> {
        Latency::of(self.tallies[What::Call(Call::Checkout).index()].as_ref()?.not_done.as_ref()?)
    }

    /// Everything that was done at all, with its latency.
    pub fn calls(&self) -> Vec<CallReport> {
        let seen = What::all().filter_map(|what| Some((what, self.tallies[what.index()].as_ref()?)));
        seen.map(|(what, tally)| {
            let (done, not_done) = (tally.done.len(), tally.not_done.as_ref().map_or(0, Histogram::len));
            CallReport {
                what: what.name().to_owned(),
                done,
                latency_us: Latency::of(&tally.done),
                done_within_100_ms: tally.done.count_between(0, 100_000_000) as f64 / (done + not_done).max(1) as f64,
                not_done,
                not_done_latency_us: tally.not_done.as_ref().and_then(Latency::of),
            }
        })
        .collect()
    }

    /// The part of all answers, and requests without one, that were 2xx within 100 ms; 0 to 1.
    pub fn done_within_100_ms(&self) -> f64 {
        let within: u64 = self.tallies.iter().flatten().map(|tally| tally.done.count_between(0, 100_000_000)).sum();
        within as f64 / self.counts.all().max(1) as f64
    }

    /// The distribution of latencies of the 2xx, by what was done.
    pub fn distribution(&self) -> Vec<(String, Vec<Point>)> {
        let seen = What::all().filter_map(|what| Some((what, self.tallies[what.index()].as_ref()?)));
        let curves = seen.filter(|(_, tally)| !tally.done.is_empty()).map(|(what, tally)| {
            let points = tally.done.iter_quantiles(2).map(|step| Point {
                quantile: step.quantile_iterated_to(),
                us: step.value_iterated_to() as f64 / 1000.0,
            });
            (what.name().to_owned(), points.collect())
        });
        curves.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKOUT: What = What::Call(Call::Checkout);

    fn answer(status: u16, body: &str) -> Answer<'_> {
        Answer { status, body: body.as_bytes() }
    }

    #[test]
    fn latency_is_that_of_committed_checkouts_in_microseconds() {
        let mut answers = Answers::default();
        assert_eq!(answers.latency(What::Committed), None);
        for ms in 1..=100 {
            answers.answered(What::Committed, "/", &answer(200, ""), Duration::from_millis(ms));
        }
        answers.answered(What::Committed, "/", &answer(409, ""), Duration::from_secs(9));
        answers.answered(What::AlreadyPaid, "/", &answer(200, ""), Duration::from_secs(9));

        let latency = answers.latency(What::Committed).unwrap();
        let near = |found: f64, wanted: f64| (found - wanted).abs() < wanted / 500.0;
        assert!(near(latency.min, 1_000.0), "{latency:?}");
        assert!(near(latency.p50, 50_000.0), "{latency:?}");
        assert!(near(latency.p90, 90_000.0), "{latency:?}");
        assert!(near(latency.p99, 99_000.0), "{latency:?}");
        assert!(near(latency.max, 100_000.0), "{latency:?}");
        assert_eq!(answers.counts().committed, 100);
        assert_eq!(answers.counts().all(), 102);
    }

    #[test]
    fn committed_already_paid_and_other_answers_are_counted_apart() {
        let mut answers = Answers::default();
        answers.answered(What::Committed, "/", &answer(200, ""), Duration::ZERO);
        answers.answered(What::AlreadyPaid, "/", &answer(200, ""), Duration::ZERO);
        answers.answered(What::Call(Call::FindItem), "/", &answer(200, ""), Duration::ZERO);
        for status in [402, 429, 503] {
            answers.answered(What::Committed, "/", &answer(status, ""), Duration::ZERO);
        }
        let wanted = Counts { committed: 1, already_paid: 1, other_done: 1, refused: 1, turned_away: 1, failed: 1 };
        assert_eq!(answers.counts(), wanted);
        assert_eq!(answers.lately().0, wanted);
        assert_eq!(answers.lately().0, Counts::default());
        let names: Vec<_> = answers.calls().into_iter().map(|call| (call.what, call.done, call.not_done)).collect();
        let wanted = [("checkout: committed", 1, 0), ("checkout: already paid", 1, 0), ("checkout: refused", 0, 3)];
        assert!(wanted.iter().all(|(what, done, not)| names.contains(&((*what).to_owned(), *done, *not))), "{names:?}");
    }

    #[test]
    fn a_latency_beyond_all_bounds_is_kept_as_the_longest() {
        let mut answers = Answers::default();
        answers.answered(What::Committed, "/", &answer(200, ""), Duration::from_secs(4000));
        assert!(answers.latency(What::Committed).unwrap().max >= 300_000_000.0);
    }

    #[test]
    fn other_answers_are_counted_by_status_and_code_with_the_first_of_each() {
        let mut answers = Answers::default();
        let problem = |item| format!(r#"{{"code":"insufficient_stock","detail":"item {item}"}}"#);
        answers.answered(CHECKOUT, "/orders/checkout/1", &answer(409, &problem(1)), Duration::ZERO);
        answers.answered(CHECKOUT, "/orders/checkout/2", &answer(409, &problem(2)), Duration::ZERO);
        answers.answered(CHECKOUT, "/a", &answer(502, "<html>Bad Gateway"), Duration::ZERO);
        answers.unanswered(CHECKOUT, "/b", &NoAnswer::Timeout);

        let kind =
            |answer: &str, count, first: &str| Kind { answer: answer.to_owned(), count, first: first.to_owned() };
        assert_eq!(
            answers.others(),
            [
                kind("409 insufficient_stock", 2, "/orders/checkout/1: item 1"),
                kind("502", 1, "/a: <html>Bad Gateway"),
                kind("no answer: timed out", 1, "/b: timed out"),
            ]
        );
    }

    #[test]
    fn kinds_without_end_are_counted_together() {
        let mut answers = Answers::default();
        for code in 0..2 * KINDS_MAX {
            answers.answered(CHECKOUT, "/", &answer(400, &format!(r#"{{"code":"c{code}"}}"#)), Duration::ZERO);
        }
        assert_eq!(answers.others().len(), KINDS_MAX + 1);
        assert_eq!(answers.others().iter().map(|kind| kind.count).sum::<u64>(), 2 * KINDS_MAX as u64);
    }

    #[test]
    fn only_4xx_and_a_request_never_sent_are_known_to_have_done_nothing() {
        let mut answers = Answers::default();
        answers.answered(CHECKOUT, "/", &answer(402, ""), Duration::ZERO);
        answers.unanswered(CHECKOUT, "/", &NoAnswer::Connect(std::io::ErrorKind::ConnectionRefused.into()));
        answers.unanswered(What::Call(Call::FindItem), "/", &NoAnswer::Closed);
        assert_eq!(answers.unknown_checkouts(), 0);
        answers.answered(CHECKOUT, "/", &answer(503, ""), Duration::ZERO);
        answers.unanswered(CHECKOUT, "/", &NoAnswer::Closed);
        assert_eq!((answers.unknown_checkouts(), answers.counts().all()), (2, 5));
    }
}
