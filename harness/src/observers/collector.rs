//! A collector of traces: takes spans as OTLP in JSON, and keeps them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::network::ports;

/// A span, as far as tests look at it.
#[derive(Debug, Clone)]
pub struct Span {
    /// The service that it is of.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace, as 32 digits.
    pub trace: String,
    /// Its own id, as 16 digits.
    pub id: String,
    /// The span that it is a part of; empty if there is none.
    pub parent: String,
    /// All that came of it.
    pub all: Value,
}

impl Span {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let all = self.all["attributes"].as_array()?;
        all.iter().find(|attribute| attribute["key"] == name)?["value"]["stringValue"].as_str()
    }
}

/// A running collector. It belongs to the runtime that started it.
#[derive(Debug)]
pub struct Collector {
    port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Starts one.
    ///
    /// # Panics
    /// When its port cannot be used.
    pub async fn start() -> Collector {
        let port = ports::free();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.expect("the port is free");
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let kept = Arc::clone(&spans);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let answer = service_fn(move |request| take(request, Arc::clone(&kept)));
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Collector { port, spans, task }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What has come of a trace until now.
    ///
    /// # Panics
    /// Never: no holder of the lock panics.
    pub fn spans(&self, trace: &str) -> Vec<Span> {
        let spans = self.spans.lock().expect("no holder of this lock panics");
        spans.iter().filter(|span| span.trace == trace).cloned().collect()
    }

    /// How many spans have come of all traces.
    ///
    /// # Panics
    /// Never: no holder of the lock panics.
    pub fn count(&self) -> usize {
        self.spans.lock().expect("no holder of this lock panics").len()
    }
}

async fn take(request: Request<Incoming>, kept: Arc<Mutex<Vec<Span>>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let right = request.uri().path() == "/v1/traces"
        && request.headers().get("content-type").is_some_and(|kind| kind == "application/json");
    let body = request.into_body().collect().await?.to_bytes();
    let Some(export) = serde_json::from_slice::<Value>(&body).ok().filter(|_| right) else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = hyper::StatusCode::BAD_REQUEST;
        return Ok(refused);
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for resource in list(&export["resourceSpans"]) {
        let service = text(&resource["resource"]["attributes"][0]["value"]["stringValue"]);
        for span in list(&resource["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"])) {
            let (name, trace, id) = (text(&span["name"]), text(&span["traceId"]), text(&span["spanId"]));
            let (parent, service) = (text(&span["parentSpanId"]), service.clone());
            let span = Span { service, name, trace, id, parent, all: span };
            kept.lock().expect("no holder of this lock panics").push(span);
        }
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}
