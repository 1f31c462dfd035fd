//! A small HTTP client: it sends paths as they are written, and has a bound on every call.

pub mod raw;

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// How long any call may take. A checkout answers within 8 seconds, a gateway within 10.
pub const CALL: Duration = Duration::from_secs(20);

/// How long an idle connection is still used: shorter than any server or gateway keeps one, so that no call meets the
/// end of its connection.
const IDLE: Duration = Duration::from_secs(3);

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, as text.
    pub text: String,
}

impl HttpAnswer {
    /// The body as JSON; `Null` when it is empty or something else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// One header field, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type of the body, without parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.header(CONTENT_TYPE.as_str())?.split(';').next().map(str::trim)
    }
}

/// Why there is no answer, in words.
#[derive(Debug)]
pub struct NoAnswer(pub String);

/// A client with connections of its own. It belongs to the runtime that uses it first.
#[derive(Debug, Clone)]
pub struct HttpClient(Client<HttpConnector, Full<Bytes>>);

impl Default for HttpClient {
    fn default() -> HttpClient {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        HttpClient(Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector))
    }
}

impl HttpClient {
    /// A client that makes a connection for each request.
    pub fn without_keep_alive() -> HttpClient {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        HttpClient(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// The connection was refused or broke, or the answer did not come within [`CALL`]: whether
    /// the request was carried out is unknown.
    pub async fn request(&self, method: Method, url: &str) -> Result<HttpAnswer, NoAnswer> {
        self.request_with(method, url, Bytes::new()).await
    }

    /// Sends a request with a body.
    ///
    /// # Errors
    /// As [`HttpClient::request`].
    pub async fn request_with(&self, method: Method, url: &str, body: Bytes) -> Result<HttpAnswer, NoAnswer> {
        self.request_of(method, url, &[], body).await
    }

    /// Sends a request with header fields and a body.
    ///
    /// # Errors
    /// As [`HttpClient::request`].
    pub async fn request_of(
        &self,
        method: Method,
        url: &str,
        fields: &[(&str, &str)],
        body: Bytes,
    ) -> Result<HttpAnswer, NoAnswer> {
        let mut request = Request::builder().method(&method).uri(url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body));
        let request = request.unwrap_or_else(|error| panic!("{url} with {fields:?} is no request: {error}"));
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|error| format!("{error:?}"))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            Ok::<_, String>(HttpAnswer { status: head.status.as_u16(), headers: head.headers, text })
        };
        match tokio::time::timeout(CALL, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(reason)) => Err(NoAnswer(format!("{method} {url}: {reason}"))),
            Err(_) => Err(NoAnswer(format!("{method} {url}: no answer within {CALL:?}"))),
        }
    }
}
