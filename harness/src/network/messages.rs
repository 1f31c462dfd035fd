//! A relay that knows the messages between services: it can repeat them later, hold them back, and let others
//! overtake them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::network::ports;

/// How many exchanges are remembered: those of a test with a few checkouts.
const REMEMBERED: usize = 1_000;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on at once.
    Pass,
    /// It goes on so much later; others overtake it.
    Late(Duration),
    /// It goes on at once, and again so much later; the second answer is thrown away.
    Twice(Duration),
    /// It goes on when the rule changes; others overtake it.
    Hold,
}

/// One message between services: a request as it was sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its path.
    pub path: String,
    /// Its body.
    pub body: Value,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Message {
    /// Whether it carries an operation of the participant protocol: `reserve_stock`, `confirm` and so on.
    pub fn carries(&self, operation: &str) -> bool {
        let batches = self.body.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut operations = batches.iter().filter_map(|batch| batch["operations"].as_array()).flatten();
        operations.any(|one| one["operation"] == operation)
    }
}

/// A message and the answer to it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was asked.
    pub message: Message,
    /// What was answered; `Null` where there was no answer.
    pub answer: Value,
}

impl Exchange {
    /// The answers to its operations in words: `held`, `cancelled` and so on.
    pub fn words(&self) -> Vec<&str> {
        let batches = self.answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let answers = batches.iter().filter_map(Value::as_array).flatten();
        answers.filter_map(|one| one["answer"].as_str()).collect()
    }
}

type Rule = Arc<dyn Fn(&Message) -> Fate + Send + Sync>;

struct Shared {
    target: u16,
    rule: watch::Sender<Rule>,
    exchanges: Mutex<Vec<Exchange>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A relay of messages to one internal port. It belongs to the runtime that starts it.
pub struct MessageRelay {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl fmt::Debug for MessageRelay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MessageRelay").field("port", &self.port).finish_non_exhaustive()
    }
}

impl MessageRelay {
    /// Starts a relay to `target` on a port of its own.
    pub async fn start(target: u16) -> MessageRelay {
        let port = ports::free();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a free port can be bound");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pass: Rule = Arc::new(|_| Fate::Pass);
        let shared = Arc::new(Shared {
            target,
            rule: watch::channel(pass).0,
            exchanges: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        MessageRelay { port, shared, accepting }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All goes through from now on; what was held goes on now.
    pub fn pass(&self) {
        self.rule(|_| Fate::Pass);
    }

    /// Decides about each message from now on; what was held goes on now.
    pub fn rule(&self, rule: impl Fn(&Message) -> Fate + Send + Sync + 'static) {
        self.shared.rule.send_replace(Arc::new(rule));
    }

    /// The first messages that were carried, each with its answer, in the order of the answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a message (again), and gives its answer.
    pub async fn send(&self, message: &Message) -> Exchange {
        let answer = self.shared.send(message).await;
        let answer = answer.and_then(|answer| serde_json::from_slice(answer.body()).ok()).unwrap_or(Value::Null);
        Exchange { message: message.clone(), answer }
    }
}

impl Drop for MessageRelay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(move |request| carry(Arc::clone(&shared), request));
            // Whoever hangs up does so without harm: what it sent is on its way.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// Carries one message, and its answer if the asker still waits. Where there is no answer the connection breaks.
async fn carry(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let path = head.uri.path().to_owned();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let message = Message { path, body, headers: head.headers, bytes };
    // A task of its own: what was sent arrives, whether its sender waits or not.
    let carried = tokio::spawn(async move { shared.carry(message).await });
    carried.await.ok().flatten().ok_or(Broken)
}

impl Shared {
    async fn carry(self: Arc<Self>, message: Message) -> Option<Response<Full<Bytes>>> {
        let mut changed = self.rule.subscribe();
        let rule = Arc::clone(&changed.borrow_and_update());
        match rule(&message) {
            Fate::Pass => {}
            Fate::Late(delay) => tokio::time::sleep(delay).await,
            Fate::Hold => changed.changed().await.ok()?,
            Fate::Twice(delay) => {
                let (shared, copy) = (Arc::clone(&self), message.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    shared.send(&copy).await
                });
            }
        }
        let answer = self.send(&message).await;
        let body = answer.as_ref().and_then(|answer| serde_json::from_slice(answer.body()).ok());
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if exchanges.len() < REMEMBERED {
            exchanges.push(Exchange { message, answer: body.unwrap_or(Value::Null) });
        }
        drop(exchanges);
        answer.map(|answer| answer.map(Full::from))
    }

    async fn send(&self, message: &Message) -> Option<Response<Bytes>> {
        let mut request = Request::post(format!("http://127.0.0.1:{}{}", self.target, message.path));
        for field in [AUTHORIZATION, CONTENT_TYPE] {
            if let Some(value) = message.headers.get(&field) {
                request = request.header(field, value);
            }
        }
        let request = request.body(Full::from(message.bytes.clone())).expect("what was received can be sent");
        let (head, body) = self.client.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let mut answer = Response::new(body);
        *answer.status_mut() = head.status;
        if let Some(value) = head.headers.get(CONTENT_TYPE) {
            answer.headers_mut().insert(CONTENT_TYPE, value.clone());
        }
        Some(answer)
    }
}

/// There is no answer: the connection breaks.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("there was no answer to pass on")
    }
}

impl std::error::Error for Broken {}
