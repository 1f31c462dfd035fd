//! Requests: by service, endpoint and what was answered.

use std::sync::OnceLock;
use std::time::Instant;

use ::metrics::{Counter, Gauge};
use shardcart_types::code::Code;

use super::histogram::Histogram;
use super::{Counted, Kept, names};

/// Places for answers without a problem's code: success, and the errors of the HTTP library.
const OTHERS: [(&str, &str); 3] = [("2xx", "ok"), ("4xx", "other"), ("5xx", "other")];

/// One endpoint of one service.
#[derive(Debug)]
pub struct Endpoint {
    service: &'static str,
    template: String,
    duration: &'static Histogram,
    /// First [`OTHERS`], then one for each code of a problem. Most are never needed, so they are made when they are.
    answers: Vec<OnceLock<Counter>>,
}

static ENDPOINTS: Kept<(&'static str, String), Endpoint> = Kept::new();
static UNMATCHED: OnceLock<&'static Endpoint> = OnceLock::new();
static REFUSED: OnceLock<Counted> = OnceLock::new();
static IN_FLIGHT: OnceLock<Gauge> = OnceLock::new();
static COUNT_IN_FLIGHT: OnceLock<fn() -> usize> = OnceLock::new();

/// The endpoint of a service with this template of a path; the same for all threads.
pub fn endpoint(service: &'static str, template: &str) -> &'static Endpoint {
    ENDPOINTS.get((service, template.to_owned()), || {
        let answers = (0..OTHERS.len() + Code::ALL.len()).map(|_| OnceLock::new()).collect();
        let duration = names::REQUEST_DURATION.histogram(&[service, template]);
        let endpoint = Endpoint { service, template: template.to_owned(), duration, answers };
        // What alarms go by shows from the start: a series that begins with 1 has no increase.
        endpoint.answers(200, None);
        for code in [Code::Overloaded, Code::ShardUnavailable, Code::OutcomeUnknown] {
            endpoint.answers(code.status(), Some(code));
        }
        endpoint.answers(500, None);
        endpoint
    })
}

/// What requests that reach no endpoint are counted as.
pub(super) fn start(program: &'static str) {
    UNMATCHED.get_or_init(|| endpoint(program, "none"));
    REFUSED.get_or_init(|| Counted::of(names::OVERLOAD_REFUSALS.counter(&[program])));
    IN_FLIGHT.get_or_init(|| names::REQUESTS_IN_FLIGHT.gauge(&[program]));
}

/// Says how to find out how many requests this process has in flight.
pub fn count_in_flight(count: fn() -> usize) {
    COUNT_IN_FLIGHT.get_or_init(|| count);
}

/// Looks at how many requests are in flight now.
pub(super) fn collect() {
    if let (Some(gauge), Some(in_flight)) = (IN_FLIGHT.get(), COUNT_IN_FLIGHT.get()) {
        gauge.set(f64::from(u32::try_from(in_flight()).unwrap_or(u32::MAX)));
    }
}

/// Counts a request that reached no endpoint.
pub fn unmatched(began: Instant, status: u16, code: Option<Code>) {
    if let Some(endpoint) = UNMATCHED.get() {
        endpoint.answered(began, status, code);
    }
}

/// Counts a request that was refused because there is too much to do.
pub fn refused() {
    if let Some(refused) = REFUSED.get() {
        refused.increment();
    }
}

/// How many were refused so far.
pub fn refusals() -> u64 {
    REFUSED.get().map_or(0, Counted::count)
}

impl Endpoint {
    /// Counts a request, answered now.
    pub fn answered(&self, began: Instant, status: u16, code: Option<Code>) {
        self.duration.record_since(began);
        self.answers(status, code).increment(1);
    }

    /// The service that has it.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The template of its path.
    pub fn template(&self) -> &str {
        &self.template
    }

    fn answers(&self, status: u16, code: Option<Code>) -> &Counter {
        let other = if status >= 500 { 2 } else { usize::from(status >= 400) };
        let place = code.map_or(other, |code| OTHERS.len() + code as usize);
        self.answers[place].get_or_init(|| {
            let (class, code) = match code {
                Some(code) => (if code.status() >= 500 { "5xx" } else { "4xx" }, code.as_str()),
                None => OTHERS[other],
            };
            names::REQUESTS.counter(&[self.service, &self.template, class, code])
        })
    }
}
