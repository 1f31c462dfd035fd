//! What is recorded of a checkout as a whole: its outcome, its time, its span, and its steps when it was slow.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shardcart_telemetry::metrics::checkout;
use shardcart_telemetry::metrics::checkout::{Outcome, Step};
use shardcart_telemetry::metrics::requests;
use shardcart_telemetry::trace::{Context, export};

use crate::error::{OrderError, Result};

/// Slow checkouts are told of this often at most: where one is slow, many are. The next line says how many were not.
const COMPLAINT: Duration = Duration::from_millis(100);

/// When one was told of last, and how many were not since.
static COMPLAINED: Mutex<(Option<Instant>, u64)> = Mutex::new((None, 0));

/// Records a checkout that has ended. `slow`: it logs its steps when it took longer. To be called within its context.
pub fn ended(context: &Context, slow: Duration, done: &Result<()>) {
    let (outcome, took) = (outcome(done, context.drives()), context.began().elapsed());
    checkout::ended(outcome, took);
    if outcome == Outcome::Overloaded {
        requests::refused();
    }
    if took > slow {
        complain(context, outcome, took);
    }
    if let Some(mut span) = context.span("order", || "checkout".to_owned()) {
        span.failed = matches!(outcome, Outcome::Unknown | Outcome::Unavailable);
        export::send(span.with("outcome", outcome.as_str()));
    }
}

/// Records a checkout that was turned away before anything was done for it.
pub fn turned_away() {
    checkout::ended(Outcome::Overloaded, Duration::ZERO);
    requests::refused();
}

fn outcome(done: &Result<()>, drives: bool) -> Outcome {
    match done {
        Ok(()) if drives => Outcome::Paid,
        Ok(()) => Outcome::Repeated,
        Err(OrderError::Refused(refusal)) => refusal.into(),
        Err(OrderError::UnknownOrder(_)) => Outcome::UnknownOrder,
        Err(OrderError::TooMany) => Outcome::Overloaded,
        Err(OrderError::OutcomeUnknown) => Outcome::Unknown,
        Err(_) => Outcome::Unavailable,
    }
}

fn complain(context: &Context, outcome: Outcome, took: Duration) {
    checkout::slow();
    let Some(suppressed) = complains(Instant::now()) else { return };
    let ms = |duration: Duration| duration.as_micros() as f64 / 1000.0;
    let step = |step| ms(context.step(step));
    log::warn!(
        outcome = outcome.as_str(),
        elapsed_ms = ms(took),
        turn_ms = step(Step::Turn),
        begin_ms = step(Step::Begin),
        stock_ms = step(Step::Stock),
        payment_ms = step(Step::Payment),
        decide_ms = step(Step::Decide),
        give_up_ms = step(Step::GiveUp),
        suppressed;
        "a slow checkout"
    );
}

/// Whether it is time to tell of one, and how many went untold since the last.
fn complains(now: Instant) -> Option<u64> {
    let mut complained = COMPLAINED.lock().unwrap_or_else(PoisonError::into_inner);
    if complained.0.is_some_and(|last| now.saturating_duration_since(last) < COMPLAINT) {
        complained.1 += 1;
        return None;
    }
    complained.0 = Some(now);
    Some(std::mem::take(&mut complained.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_ones_that_are_not_told_of_are_counted() {
        let start = Instant::now();
        let after = |ms| complains(start + Duration::from_millis(ms));
        assert_eq!([after(0), after(1), after(99), after(100)], [Some(0), None, None, Some(2)]);
        assert_eq!([after(150), after(300)], [None, Some(1)]);
    }
}
