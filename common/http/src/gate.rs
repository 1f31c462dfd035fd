//! The gate that every request passes: it counts what is in flight, refuses what is too much, and closes
//! connections while the machine drains.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::StreamExt;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::{self, Context};
use shardcart_types::code::Code;

use crate::endpoint;
use crate::problem::Problem;
use crate::settings::HttpSettings;

/// The gates of this process, to be looked at.
static GATES: Mutex<Vec<Weak<Gate>>> = Mutex::new(Vec::new());

/// How many requests this process has in flight, on all its listeners.
fn in_flight() -> usize {
    let gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    gates.iter().filter_map(Weak::upgrade).map(|gate| gate.requests.load(Ordering::Relaxed)).sum()
}

/// What a machine has in flight, and whether it drains.
#[derive(Debug)]
pub struct Gate {
    requests: AtomicUsize,
    work: AtomicUsize,
    requests_max: usize,
    bodies: Bodies,
    draining: AtomicBool,
    closed: AtomicBool,
}

/// What becomes of the bodies of requests.
#[derive(Debug, Clone, Copy)]
pub enum Bodies {
    /// No call needs one. A small one is taken and ignored; one over `max` bytes, or that takes longer than `time` to
    /// come, is refused.
    Small {
        /// Largest body, in bytes.
        max: usize,
        /// How long a body may take to come.
        time: Duration,
    },
    /// The handlers read them, and have limits of their own.
    Read,
}

/// A request in flight, until it is dropped.
struct Request(Arc<Gate>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Work that goes on when its request is gone, until it is dropped.
#[derive(Debug)]
pub struct Work(Arc<Gate>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.work.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    /// A gate that lets `requests_max` requests in at once.
    pub fn new(requests_max: usize, bodies: Bodies) -> Arc<Self> {
        let (requests, work) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (draining, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let gate = Arc::new(Gate { requests, work, requests_max, bodies, draining, closed });
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Arc::downgrade(&gate));
        metrics::requests::count_in_flight(in_flight);
        gate
    }

    /// The gate in front of a listener for clients.
    pub fn for_clients(settings: &HttpSettings) -> Arc<Self> {
        Gate::new(settings.requests_max, Bodies::Small { max: settings.body_max, time: settings.client_timeout_ms })
    }

    /// The gate in front of a listener for the other services.
    pub fn for_services(settings: &HttpSettings) -> Arc<Self> {
        Gate::new(settings.requests_max, Bodies::Read)
    }

    /// Counts work that goes on when its request is gone. The machine waits for it before it stops.
    pub fn begin_work(self: &Arc<Self>) -> Work {
        self.work.fetch_add(1, Ordering::AcqRel);
        Work(Arc::clone(self))
    }

    /// Whether the machine drains: it is not ready, but serves what still comes.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on the machine drains.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// From now on nothing is let in: what still comes over open connections is refused, and nothing done for it.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether one more request is too much. Work whose client has gone counts as well.
    fn is_full(&self, requests: usize) -> bool {
        requests > self.requests_max
            || self.work.load(Ordering::Acquire) > self.requests_max
            || self.closed.load(Ordering::Acquire)
    }

    /// Waits until nothing is in flight, at most `limit`; whether that was reached.
    pub async fn wait_until_idle(&self, limit: Duration) -> bool {
        let idle = async {
            while self.requests.load(Ordering::Acquire) + self.work.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(limit, idle).await.is_ok()
    }

    /// The middleware. Calls to `/health/…`, `/metrics` and what the console shows of itself pass whatever the load: an
    /// overloaded machine is alive, and is looked at.
    ///
    /// # Errors
    /// Those of the inner service; refusals are answers, not errors.
    pub async fn pass<B: MessageBody + 'static>(
        self: Arc<Self>,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<EitherBody<B>>, Error> {
        let began = Instant::now();
        let in_flight = self.requests.fetch_add(1, Ordering::AcqRel) + 1;
        let counted = Request(Arc::clone(&self));
        let refused = if self.is_full(in_flight) && !is_for_operators(request.path()) {
            metrics::requests::refused();
            Some(Problem::new(Code::Overloaded, "too many requests at once; nothing was done"))
        } else {
            self.check_body(&mut request).await.err()
        };
        let (mut response, close) = match refused {
            Some(problem) => (request.into_response(problem.error_response()).map_into_right_body(), true),
            None => (self.serve(request, next, began).await?.map_into_left_body(), false),
        };
        drop(counted);
        endpoint::count(&response, began);
        if close || self.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response.response_mut().head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
        Ok(response)
    }

    /// Has a client's request answered in a context of its own. What the other services ask carries its context with it.
    async fn serve<B: MessageBody + 'static>(
        &self,
        request: ServiceRequest,
        next: Next<B>,
        began: Instant,
    ) -> Result<ServiceResponse<B>, Error> {
        if matches!(self.bodies, Bodies::Read) {
            return next.call(request).await;
        }
        let context = context_of(request.headers(), began);
        let response = trace::within(&context, next.call(request)).await?;
        endpoint::trace(&response, &context);
        Ok(response)
    }

    async fn check_body(&self, request: &mut ServiceRequest) -> Result<(), Problem> {
        let Bodies::Small { max, time } = self.bodies else { return Ok(()) };
        let too_large = || Problem::new(Code::TooLarge, format!("a body has at most {max} bytes"));
        if let Some(length) = request.headers().get(CONTENT_LENGTH) {
            let length = length.to_str().ok().and_then(|text| text.parse::<usize>().ok());
            return if length.is_some_and(|length| length <= max) { Ok(()) } else { Err(too_large()) };
        }
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return Ok(());
        }
        // Its length is known when all of it is here.
        let mut payload = request.take_payload();
        let read = async {
            let mut length = 0;
            while let Some(chunk) = payload.next().await {
                length += chunk.map_err(|_| Problem::new(Code::InvalidPath, "the body cannot be read"))?.len();
                if length > max {
                    return Err(too_large());
                }
            }
            Ok(())
        };
        let in_time = tokio::time::timeout(time, read).await;
        in_time.unwrap_or_else(|_| Err(Problem::new(Code::InvalidPath, "the body did not come in time")))
    }
}

/// The context of a request with this head.
fn context_of(headers: &HeaderMap, began: Instant) -> Rc<Context> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Context::of_request(text("traceparent"), text("x-request-id"), began)
}

/// Of the console these are the page, its parts, the login, and what all consoles get alike. What is done for one id
/// (`/console/inspect/…`, `/console/settle/…`) is work like any other.
fn is_for_operators(path: &str) -> bool {
    let of_console = |rest: &str| rest.is_empty() || rest.rfind('/') == Some(0);
    path.starts_with("/health/") || path == "/metrics" || path.strip_prefix("/console").is_some_and(of_console)
}

#[cfg(test)]
mod tests {
    use super::is_for_operators;

    #[test]
    fn a_full_machine_shows_itself_and_does_nothing() {
        for shown in ["/health/ready", "/metrics", "/console", "/console/", "/console/events", "/console/login"] {
            assert!(is_for_operators(shown), "{shown}");
        }
        for work in ["/orders/find/7", "/console/inspect/7", "/console/settle/7", "/consoles", "/"] {
            assert!(!is_for_operators(work), "{work}");
        }
    }
}
