//! Which pages of other origins may call /v1 from a browser (CORS). None may, unless `CORS_ORIGINS` names them.

use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use actix_web::middleware::Condition;

/// How long a browser may remember what is allowed, in seconds: browsers keep no longer than two hours.
const MAX_AGE_S: usize = 7200;
/// Headers of requests that a page may set.
const SENT: [&str; 5] = ["idempotency-key", "prefer", "traceparent", "x-request-id", "last-event-id"];
/// Headers of answers that a page may read.
const SHOWN: [&str; 11] = [
    "ETag",
    "Link",
    "Location",
    "Allow",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Idempotency-Replayed",
    "Preference-Applied",
    "X-Request-Id",
    "WWW-Authenticate",
];

/// An origin that may call: a scheme and a host, as browsers write it; or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is `https://host`, `http://host:port` or `*`, in lower case and without a path")]
pub struct InvalidOrigin;

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse::<u16>().is_ok_and(|port| port > 0)),
            _ => (host, true),
        };
        let letter = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b".-_[]:".contains(&byte);
        let is_origin = port && !name.is_empty() && name.bytes().all(letter);
        if text == "*" || is_origin { Ok(Origin(text.to_owned())) } else { Err(InvalidOrigin) }
    }
}

/// What answers preflights, and tells browsers which origins may read the answers.
pub fn middleware(origins: &[Origin]) -> Condition<Cors> {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let cors = Cors::default()
        .allowed_methods(methods)
        .allowed_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH])
        .allowed_headers(SENT)
        .expose_headers(SHOWN)
        .block_on_origin_mismatch(false)
        .max_age(MAX_AGE_S);
    let cors = origins.iter().fold(cors, |cors, origin| match origin.0.as_str() {
        "*" => cors.send_wildcard().allow_any_origin(),
        named => cors.allowed_origin(named),
    });
    Condition::new(!origins.is_empty(), cors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_write() {
        for origin in ["https://shop.example", "http://localhost:3000", "http://[::1]:3000", "http://[::1]", "*"] {
            assert!(origin.parse::<Origin>().is_ok(), "{origin}");
        }
        for other in [
            "",
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://Shop.example",
            "ftp://shop.example",
            "https://shop.example:0",
            "https://shop.example:x",
            "https://a b",
            "null",
            "https://*.example",
            "https://:80",
        ] {
            assert_eq!(other.parse::<Origin>(), Err(InvalidOrigin), "{other}");
        }
    }
}
