//! A client of /v1: JSON in, answers out.

use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;
use shardcart_harness::Answer;
use shardcart_harness::http::HttpClient;

/// A client of one shop.
pub struct Client {
    base: String,
    http: HttpClient,
}

impl Client {
    /// Of the shop on this port.
    pub fn at(port: u16) -> Client {
        Client { base: format!("http://127.0.0.1:{port}/v1"), http: HttpClient::default() }
    }

    /// Sends a request with header fields and a body of bytes.
    pub async fn send(&self, method: Method, path: &str, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let url = format!("{}{path}", self.base);
        let answer = self.http.request_of(method, &url, fields, body.into()).await;
        answer.unwrap_or_else(|none| panic!("{path}: {none:?}")).into()
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Sends JSON, with header fields.
    pub async fn json(&self, method: Method, path: &str, fields: &[(&str, &str)], body: &Value) -> Answer {
        let fields = [fields, &[("Content-Type", "application/json")]].concat();
        self.send(method, path, &fields, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::PUT, path, &[], body).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, &[], body).await
    }
}
