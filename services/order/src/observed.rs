//! What is recorded of a checkout as a whole: its outcome, its time, its span, and its steps when it was slow.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use shardcart_common::metrics::checkout::{self, Outcome, Step};
use shardcart_common::metrics::requests;
use shardcart_common::trace::{Context, export};

use crate::error::{OrderError, Result};

/// Slow checkouts are told of this often at most: where one is slow, many are.
const COMPLAINT: Duration = Duration::from_millis(100);

static COMPLAINED: Mutex<Option<Instant>> = Mutex::new(None);

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
    let Ok(mut last) = COMPLAINED.lock() else { return };
    if last.is_some_and(|last| last.elapsed() < COMPLAINT) {
        return;
    }
    *last = Some(Instant::now());
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
        give_up_ms = step(Step::GiveUp);
        "a slow checkout"
    );
}
