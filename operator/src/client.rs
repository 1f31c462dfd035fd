//! A client of the API v1, for the commands that use it: `shop products` and `shop openapi`.

pub mod products;
mod table;
pub mod transfer;

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;
use shardcart_types::secret::Secret;

use crate::asked::cause;
use crate::terminal;

/// How long an answer is waited for. Imports and exports take as long as they take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Why a command of the API came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A setting leads nowhere. Exit code 2.
    #[error("{0}")]
    Setting(String),
    /// The shop has refused it: nothing was changed. Exit code 1.
    #[error("{0}")]
    Refused(String),
    /// There is no answer, or none that tells what happened. Exit code 3.
    #[error("{0}")]
    Failed(String),
}

impl ClientError {
    /// Says why on stderr.
    pub fn exit(&self) -> ExitCode {
        eprintln!("error: {}", terminal::harmless(&self.to_string()));
        ExitCode::from(match self {
            ClientError::Refused(_) => 1,
            ClientError::Setting(_) => 2,
            ClientError::Failed(_) => 3,
        })
    }
}

impl From<std::io::Error> for ClientError {
    fn from(error: std::io::Error) -> Self {
        ClientError::Failed(format!("it cannot be written: {error}"))
    }
}

/// A client of a shop's API.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    key: Option<Secret>,
}

impl Client {
    /// Of the shop at this URL, with the key that it wants, if it wants one.
    ///
    /// # Errors
    /// `Failed`: no HTTP client can be made.
    pub fn new(url: Url, key: Option<Secret>) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(ANSWER_MAX).build();
        let http = http.map_err(|error| ClientError::Failed(format!("no HTTP client: {error}")))?;
        Ok(Client { http, url, key })
    }

    /// A request for something below `/v1`. Each part of the path and of the query is encoded.
    ///
    /// # Errors
    /// `Setting`: the URL takes no path.
    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> Result<RequestBuilder, ClientError> {
        let mut url = self.url.clone();
        let no_base = |()| ClientError::Setting("--url takes no path".to_owned());
        url.path_segments_mut().map_err(no_base)?.pop_if_empty().push("v1").extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        Ok(match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        })
    }

    /// Sends a request; an answer that is no success is an error.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let base = self.url.as_str().trim_end_matches('/');
        let silent = |error: reqwest::Error| {
            ClientError::Failed(format!("{base} does not answer: {}", cause(&error.without_url())))
        };
        let answer = request.send().await.map_err(silent)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap_or_default();
        let told = told(&problem, status.as_u16());
        Err(match status.as_u16() {
            401 => ClientError::Setting(format!("{told}\n  give it a key: SHOP_KEY or --key-file")),
            429 | 500.. => ClientError::Failed(told),
            _ => ClientError::Refused(told),
        })
    }

    /// Sends a request, and reads JSON.
    async fn json(&self, request: RequestBuilder) -> Result<Value, ClientError> {
        let answer = self.send(request.timeout(ANSWER_MAX)).await?;
        let broken = |error: reqwest::Error| ClientError::Failed(format!("the answer is broken: {}", cause(&error)));
        answer.json().await.map_err(broken)
    }

    /// The description of the API.
    ///
    /// # Errors
    /// As every call.
    pub async fn openapi(&self) -> Result<Value, ClientError> {
        self.json(self.request(Method::GET, &["openapi.json"], &[])?).await
    }
}

/// Prints JSON.
///
/// # Errors
/// `Failed`: it cannot be written.
pub fn print_json(value: &Value) -> Result<(), ClientError> {
    terminal::print(&format!("{value:#}")).map_err(ClientError::from)
}

/// A problem in words: its code, its detail, and what is wrong where.
fn told(problem: &Value, status: u16) -> String {
    let detail = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no more is said");
    let mut told = match problem["code"].as_str() {
        Some(code) => format!("{code}: {detail}"),
        None => format!("the answer is {status}: {detail}"),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let place = error["pointer"].as_str().filter(|pointer| !pointer.is_empty()).unwrap_or("all of it");
        let detail = error["detail"].as_str().unwrap_or_default();
        told.push_str(&format!("\n  {place}: {detail}"));
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_says_its_code_and_what_is_wrong_where() {
        let problem = json!({
            "code": "invalid_body", "detail": "the body does not fit",
            "errors": [{ "pointer": "/name", "code": "invalid_value", "detail": "it is empty" }],
        });
        assert_eq!(told(&problem, 400), "invalid_body: the body does not fit\n  /name: it is empty");
        assert_eq!(told(&Value::Null, 502), "the answer is 502: no more is said");
    }

    #[test]
    fn parts_of_a_path_and_of_a_query_are_encoded_and_the_key_is_in_neither() {
        let url = Url::parse("http://localhost:8000/").unwrap();
        let client = Client::new(url, Some(Secret::from("sk_secret"))).unwrap();
        let request = client.request(Method::GET, &["products", "a/b?c"], &[("q", "red & blue")]).unwrap();
        let request = request.build().unwrap();
        assert_eq!(request.url().as_str(), "http://localhost:8000/v1/products/a%2Fb%3Fc?q=red+%26+blue");
        assert_eq!(request.headers()["authorization"], "Bearer sk_secret");
    }
}
