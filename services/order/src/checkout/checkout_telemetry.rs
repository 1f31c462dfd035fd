//! Checkout telemetry: the outcome, the time and the span of each checkout, and a log line with the steps of a slow
//! one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shardcart_telemetry::metrics::checkout::{self, Outcome, Step};
use shardcart_telemetry::metrics::requests;
use shardcart_telemetry::trace::{Context, export};

use crate::error::{OrderError, Result};

/// A slow checkout is logged this often at most: where one is slow, many are. Each line says how many were left out.
const SLOW_LOGGED_EVERY: Duration = Duration::from_millis(100);

/// When one was logged last, and how many were left out since.
static SLOW_LOGGED: Mutex<(Option<Instant>, u64)> = Mutex::new((None, 0));

/// Records a checkout that has ended, and logs its steps if it took longer than `slow`. Call it within the checkout's
/// context.
pub fn ended(context: &Context, slow: Duration, done: &Result<()>) {
    let (outcome, took) = (outcome(done, context.drives()), context.began().elapsed());
    checkout::ended(outcome, took);
    if outcome == Outcome::Overloaded {
        requests::refused();
    }
    if took > slow {
        log_slow(context, outcome, took);
    }
    if let Some(mut span) = context.span("order", || "checkout".to_owned()) {
        span.failed = matches!(outcome, Outcome::Unknown | Outcome::Unavailable);
        export::send(span.with("outcome", outcome.as_str()));
    }
}

/// Records a checkout that was rejected before anything was done for it.
pub fn rejected() {
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

fn log_slow(context: &Context, outcome: Outcome, took: Duration) {
    checkout::slow();
    let Some(suppressed) = left_out(Instant::now()) else { return };
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

/// How many were left out since the last line, if it is time for one.
fn left_out(now: Instant) -> Option<u64> {
    let mut logged = SLOW_LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    if logged.0.is_some_and(|last| now.saturating_duration_since(last) < SLOW_LOGGED_EVERY) {
        logged.1 += 1;
        return None;
    }
    logged.0 = Some(now);
    Some(std::mem::take(&mut logged.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_checkouts_that_are_not_logged_are_counted() {
        let start = Instant::now();
        let after = |ms| left_out(start + Duration::from_millis(ms));
        assert_eq!([after(0), after(1), after(99), after(100)], [Some(0), None, None, Some(2)]);
        assert_eq!([after(150), after(300)], [None, Some(1)]);
    }
}
