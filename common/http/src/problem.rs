//! Problems: error answers as `application/problem+json` (RFC 9457) with a stable code.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
use shardcart_store::bulk::LoadError;
use shardcart_store::idempotency::TooManyKeys;
use shardcart_telemetry::trace::About;
use shardcart_types::code::Code;

/// An error answer. Its detail is for the client: it names ids, never hosts, keys or causes.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after_s: Option<u32>,
    allow: Option<&'static str>,
    faults: Vec<Fault>,
}

/// What is wrong at one place of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    /// Where it is in the body, as a JSON pointer (RFC 6901), or which parameter of the query it is.
    place: Place,
    /// What is wrong: a word to rely on.
    code: &'static str,
    detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Pointer(String),
    Parameter(String),
}

impl Problem {
    /// A problem with a detail for the client.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        // Every unknown outcome and every refusal for load is worth asking again, soon.
        let retry_after_s = match code {
            Code::Overloaded | Code::ShardUnavailable | Code::OutcomeUnknown | Code::CheckoutAborted => Some(1),
            Code::TooManyIdempotencyKeys => Some(TooManyKeys::retry_after_s()),
            _ => None,
        };
        Problem { code, detail: detail.to_string(), retry_after_s, allow: None, faults: Vec::new() }
    }

    /// 405, with the methods that the path has.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Problem { allow: Some(allow), ..Problem::new(Code::MethodNotAllowed, format!("allowed here: {allow}")) }
    }

    /// 404 for a path that does not exist.
    pub fn no_route() -> Self {
        Problem::new(Code::NoRoute, "no such path; see the README for the API")
    }

    /// 503: a shard does not answer.
    pub fn shard_unavailable() -> Self {
        Problem::new(Code::ShardUnavailable, "a shard does not answer; ask again")
    }

    /// Adds what is wrong at a place of the body (a JSON pointer), by a word that clients may rely on. Only /v1 tells it.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>, code: &'static str, detail: impl fmt::Display) -> Self {
        self.with(Place::Pointer(pointer.into()), code, detail)
    }

    /// Adds what is wrong with a parameter of the query. Only /v1 tells it.
    #[must_use]
    pub fn at_parameter(self, name: impl Into<String>, code: &'static str, detail: impl fmt::Display) -> Self {
        self.with(Place::Parameter(name.into()), code, detail)
    }

    fn with(mut self, place: Place, code: &'static str, detail: impl fmt::Display) -> Self {
        self.faults.push(Fault { place, code, detail: detail.to_string() });
        self
    }

    /// What stands for a code where an error answer names its type.
    pub fn type_of(code: Code) -> String {
        format!("urn:shardcart:problem:{}", code.as_str())
    }

    /// Whether the same request is worth repeating.
    pub fn is_retryable(&self) -> bool {
        self.retry_after_s.is_some()
    }

    /// The body as every face has it.
    fn body(&self) -> Value {
        json!({
            "type": Problem::type_of(self.code),
            "title": self.code.title(),
            "status": self.code.status(),
            "detail": self.detail,
            "code": self.code.as_str(),
        })
    }

    /// The body that /v1 gives: also where what is wrong, whether a repeat is worth it, and how the log calls the request.
    pub fn body_of_v1(&self, about: &About) -> String {
        let mut body = self.body();
        body["retryable"] = self.is_retryable().into();
        body["trace"] = about.trace.as_deref().into();
        body["request"] = about.request.as_deref().into();
        if !self.faults.is_empty() {
            body["errors"] = self.faults.iter().map(Fault::body).collect();
        }
        body.to_string()
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl Fault {
    fn body(&self) -> Value {
        let (name, place) = match &self.place {
            Place::Pointer(pointer) => ("pointer", pointer),
            Place::Parameter(parameter) => ("parameter", parameter),
        };
        json!({ name: place, "code": self.code, "detail": self.detail })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Forbidden => Problem::new(Code::Forbidden, error),
            LoadError::TooMany => Problem::new(Code::InvalidAmount, error),
            LoadError::InUse => Problem::new(Code::InUse, error),
            LoadError::Interrupted => Problem::new(Code::OutcomeUnknown, error),
            LoadError::Shard(cause) => {
                log::error!(error:% = cause; "a bulk load stopped half way");
                Problem::shard_unavailable()
            }
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        // Every code has a valid status: a test goes through them all.
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(allow) = self.allow {
            response.insert_header((header::ALLOW, allow));
        }
        let mut response = response.body(self.body().to_string());
        // For the metrics of requests.
        response.extensions_mut().insert(self.code);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_valid_status() {
        for code in Code::ALL {
            assert_eq!(Problem::new(*code, "").status_code().as_u16(), code.status(), "{}", code.as_str());
        }
    }

    #[test]
    fn only_v1_tells_places_and_names() {
        let problem =
            Problem::new(Code::InvalidBody, "it does not fit").at("/price", "missing_member", "price is wanted");
        assert!(problem.body().get("errors").is_none());
        let about = About { trace: Some("7f".to_owned()), request: Some("r-1".to_owned()), ..About::default() };
        let told: Value = serde_json::from_str(&problem.body_of_v1(&about)).unwrap();
        let errors = json!([{ "pointer": "/price", "code": "missing_member", "detail": "price is wanted" }]);
        assert_eq!(told["errors"], errors);
        assert_eq!(
            (&told["trace"], &told["request"], &told["retryable"]),
            (&json!("7f"), &json!("r-1"), &json!(false))
        );
        assert_eq!(told["code"], "invalid_body");
    }
}
