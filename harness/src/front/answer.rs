//! An answer of the API, and what must be true of every problem.

use serde_json::Value;

use crate::http::HttpAnswer;

/// An answer with its JSON read.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; `Null` when it is not JSON.
    pub body: Value,
    /// The answer as it came.
    pub http: HttpAnswer,
}

impl From<HttpAnswer> for Answer {
    fn from(http: HttpAnswer) -> Answer {
        Answer { status: http.status, body: http.json(), http }
    }
}

impl Answer {
    /// The stable code of a problem; empty when it is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body of a success.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    /// One string of a success.
    #[track_caller]
    pub fn text(self, field: &str) -> String {
        let body = self.ok();
        body[field].as_str().unwrap_or_else(|| panic!("no text {field:?} in {body}")).to_owned()
    }

    /// One number of a success.
    #[track_caller]
    pub fn number(self, field: &str) -> u64 {
        let body = self.ok();
        body[field].as_u64().unwrap_or_else(|| panic!("no number {field:?} in {body}"))
    }

    /// Checks that this is a problem with all its parts, and that it tells nothing of the inside.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        self.is_well_formed_problem();
    }

    /// Checks the shape of a problem of any status and code.
    #[track_caller]
    pub fn is_well_formed_problem(&self) {
        assert_eq!(self.http.media_type(), Some("application/problem+json"), "{self:?}");
        for field in ["type", "title", "detail", "code"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {self:?}");
        }
        assert_eq!(self.body["status"], self.status, "{self:?}");
        let retried_later = matches!(self.status, 429 | 503) || self.code() == "checkout_aborted";
        assert!(!retried_later || self.http.header("retry-after").is_some(), "Retry-After: {self:?}");
        for inside in ["127.0.0.1", "localhost", ".sock", "unix:", "/tmp/", ".rs", "panicked", ".lua"] {
            assert!(!self.http.text.contains(inside), "tells of the inside ({inside}): {self:?}");
        }
    }
}
