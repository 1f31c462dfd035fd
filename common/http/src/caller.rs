//! Who asks: what is known of the client of a request.

use actix_web::{HttpMessage, HttpRequest};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has to say who asks.
    Anonymous,
}

impl Caller {
    /// Who asks with this request.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous)
    }

    /// Within which the caller's idempotency keys are its own.
    pub fn scope(&self) -> &str {
        match self {
            Caller::Anonymous => "",
        }
    }
}
