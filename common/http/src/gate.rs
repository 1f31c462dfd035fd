//! The gate that every request passes: it counts what is in flight, refuses what is too much, and closes
//! connections while the machine drains.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::StreamExt;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::{self, Context};
use shardcart_types::code::Code;

use crate::connection::{End, Handle};
use crate::endpoint;
use crate::problem::Problem;
use crate::settings::HttpSettings;
use crate::v1;
use crate::v1::body::{self, Body};

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
    /// Those of them whose bodies have not come: nothing has been done for these.
    incomplete: AtomicUsize,
    work: AtomicUsize,
    requests_max: usize,
    bodies: Bodies,
    contexts: Contexts,
    draining: AtomicBool,
    closed: AtomicBool,
}

/// What becomes of the bodies of requests.
#[derive(Debug, Clone, Copy)]
pub enum Bodies {
    /// They are read here: one over `max` bytes, or that takes longer than `time` to come, is refused. Calls of /v1 are
    /// given them, but for those that read a stream; no other call needs one, and one that says something is refused.
    Small {
        /// Largest body, in bytes.
        max: usize,
        /// How long a body may take to come.
        time: Duration,
    },
    /// The handlers read them, and have limits of their own.
    Read,
}

/// Whose context a request is answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contexts {
    /// One of its own: a client's.
    Begun,
    /// Those that its body names: a service asks for many clients at once.
    Named,
}

/// The form of the console, which is the one body that a client sends: its largest size, and how long it may take on a
/// listener for services.
const FORM: (usize, Duration) = (4096, Duration::from_secs(5));

/// A request in flight, until it is dropped.
struct Request(Arc<Gate>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A request whose body has not come, until it is dropped.
struct Incomplete<'a>(&'a Gate);

impl Drop for Incomplete<'_> {
    fn drop(&mut self) {
        self.0.incomplete.fetch_sub(1, Ordering::AcqRel);
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
    pub fn new(requests_max: usize, bodies: Bodies, contexts: Contexts) -> Arc<Self> {
        let (requests, incomplete, work) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let (draining, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let gate = Arc::new(Gate { requests, incomplete, work, requests_max, bodies, contexts, draining, closed });
        let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|gate| gate.strong_count() > 0);
        gates.push(Arc::downgrade(&gate));
        metrics::requests::count_in_flight(in_flight);
        gate
    }

    /// The gate in front of a listener for clients.
    pub fn for_clients(settings: &HttpSettings) -> Arc<Self> {
        let bodies = Bodies::Small { max: settings.body_max, time: settings.client_timeout_ms };
        Gate::new(settings.requests_max, bodies, Contexts::Begun)
    }

    /// The gate in front of a listener for the other services.
    pub fn for_services(settings: &HttpSettings) -> Arc<Self> {
        Gate::new(settings.requests_max, Bodies::Read, Contexts::Named)
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

    /// Whether something is being done. A request whose body has not come is none: it is refused when it comes.
    fn is_idle(&self) -> bool {
        let incomplete = self.incomplete.load(Ordering::Acquire);
        self.requests.load(Ordering::Acquire) <= incomplete && self.work.load(Ordering::Acquire) == 0
    }

    /// Waits until nothing is in flight, at most `limit`; whether that was reached.
    pub async fn wait_until_idle(&self, limit: Duration) -> bool {
        let idle = async {
            while !self.is_idle() {
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
        let connection = request.conn_data::<Handle>().cloned();
        let is_spare = connection.as_ref().is_some_and(|connection| connection.0.is_spare());
        let mut end = End::Unread;
        let refused = if (self.is_full(in_flight) || is_spare) && !is_for_operators(request.path()) {
            metrics::requests::refused();
            Some(Problem::new(Code::Overloaded, "too many requests at once; nothing was done"))
        } else {
            let read = self.read_body(&mut request, connection.as_ref()).await;
            read.map(|read| end = read).err()
        };
        // Nothing else than HTTP/1 is spoken here, whatever it would rather speak.
        let asks_to_upgrade = request.head().connection_type() == ConnectionType::Upgrade;
        let is_head = request.method() == Method::HEAD;
        let (mut response, close) = match refused {
            Some(problem) => {
                let response = if v1::is_path(request.path()) {
                    v1::refused(&problem, &context_of(request.headers(), began))
                } else {
                    problem.error_response()
                };
                (request.into_response(response).map_into_right_body(), true)
            }
            None => (self.serve(request, next, began).await?, false),
        };
        drop(counted);
        endpoint::count(&response, began);
        if is_head && response.response().body().size() == BodySize::Stream {
            response = response.map_body(|_, _| EitherBody::right(BoxBody::new(())));
        }
        if close || asks_to_upgrade || self.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        if let Some(Handle(connection, connections)) = connection {
            connections.answered(&connection, end);
        }
        Ok(response)
    }

    /// Has a client's request answered in a context of its own. What the other services ask carries its context with it.
    async fn serve<B: MessageBody + 'static>(
        &self,
        request: ServiceRequest,
        next: Next<B>,
        began: Instant,
    ) -> Result<ServiceResponse<EitherBody<B>>, Error> {
        if self.contexts == Contexts::Named {
            return Ok(next.call(request).await?.map_into_left_body());
        }
        let context = context_of(request.headers(), began);
        let response = trace::within(&context, next.call(request)).await?;
        endpoint::trace(&response, &context);
        if response.status().as_u16() >= 400 && v1::is_path(response.request().path()) {
            return Ok(v1::told(response, &context));
        }
        Ok(response.map_into_left_body())
    }

    /// Reads what a request sends behind its head, if that is to be read here.
    async fn read_body(&self, request: &mut ServiceRequest, connection: Option<&Handle>) -> Result<End, Problem> {
        let is_whole = |is_whole| {
            if let Some(Handle(connection, _)) = connection {
                connection.is_served(is_whole);
            }
        };
        let length = request.headers().get(CONTENT_LENGTH);
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        if !is_chunked && length.is_none_or(|length| length == "0") {
            is_whole(true);
            return Ok(End::Head);
        }
        let is_v1 = v1::is_path(request.path());
        if is_v1 && v1::route::is_streamed(request) {
            is_whole(false);
            return Ok(if is_chunked { End::Unread } else { End::Unknown });
        }
        let is_form = takes_a_form(request.path());
        let (max, time) = match self.bodies {
            Bodies::Small { max, time } => (if is_form { FORM.0 } else { max }, time),
            Bodies::Read if is_form => FORM,
            Bodies::Read => {
                is_whole(false);
                return Ok(if is_chunked { End::Unread } else { End::Unknown });
            }
        };
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if !is_chunked && length.is_none_or(|length| length > max) {
            is_whole(true);
            return Err(too_large(max));
        }
        if let Some(Handle(connection, _)) = connection {
            connection.awaits_body();
        }
        let read = self.await_body(request.take_payload(), max, time, is_form).await;
        is_whole(true);
        let body = read?;
        if self.closed.load(Ordering::Acquire) {
            return Err(Problem::new(Code::Overloaded, "this machine stops; nothing was done"));
        }
        // The last chunk ends like a head.
        let end = if is_chunked { End::Head } else { End::Body(last_four(&body)) };
        if is_form {
            request.set_payload(Payload::from(body));
        } else if is_v1 {
            request.extensions_mut().insert(Body::new(body));
        } else if body::says_something(&body) && request.match_pattern().is_some() {
            return Err(Problem::new(Code::InvalidBody, "no body is read here: what is wanted stands in the path"));
        }
        Ok(end)
    }

    /// A body, when all of it is here.
    async fn await_body(
        &self,
        mut payload: Payload,
        max: usize,
        time: Duration,
        is_form: bool,
    ) -> Result<Bytes, Problem> {
        self.incomplete.fetch_add(1, Ordering::AcqRel);
        let _incomplete = Incomplete(self);
        let read = async {
            let mut body = BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Problem::new(Code::InvalidBody, "the body cannot be read"))?;
                if body.len() + chunk.len() > max {
                    return Err(too_large(max));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        // Nobody who waits with a form keeps the others out.
        let _aside = is_form.then(|| Aside::new(self));
        let in_time = tokio::time::timeout(time, read).await;
        in_time.unwrap_or_else(|_| Err(Problem::new(Code::InvalidBody, "the body did not come in time")))
    }
}

/// A request that is not counted among those in flight, until it is dropped.
struct Aside<'a>(&'a Gate);

impl<'a> Aside<'a> {
    fn new(gate: &'a Gate) -> Self {
        gate.requests.fetch_sub(1, Ordering::AcqRel);
        gate.incomplete.fetch_sub(1, Ordering::AcqRel);
        Aside(gate)
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_add(1, Ordering::AcqRel);
        self.0.incomplete.fetch_add(1, Ordering::AcqRel);
    }
}

/// The last four bytes of a head and this body.
fn last_four(body: &[u8]) -> [u8; 4] {
    let mut last = *b"\r\n\r\n";
    let end = &body[body.len().saturating_sub(4)..];
    last.rotate_left(end.len());
    last[4 - end.len()..].copy_from_slice(end);
    last
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("a body has at most {max} bytes"))
}

/// The endpoints that read a body which a client sends.
fn takes_a_form(path: &str) -> bool {
    path == "/console/login"
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
