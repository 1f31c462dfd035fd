//! Problems: error answers as `application/problem+json` (RFC 9457) with a stable code.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use shardcart_store::bulk::LoadError;
use shardcart_store::idempotency::TooManyKeys;
use shardcart_types::code::Code;

/// An error answer. Its detail is for the client: it names ids, never hosts, keys or causes.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after_s: Option<u32>,
    allow: Option<&'static str>,
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
        Problem { code, detail: detail.to_string(), retry_after_s, allow: None }
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

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
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
        let body = json!({
            "type": format!("urn:shardcart:problem:{}", self.code.as_str()),
            "title": self.code.title(),
            "status": self.code.status(),
            "detail": self.detail,
            "code": self.code.as_str(),
        });
        let mut response = response.body(body.to_string());
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
}
