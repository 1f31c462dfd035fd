//! Idempotency keys of /v1: a key is for one request, whose body counts as well as its path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use shardcart_store::idempotency::IdempotencyKey;
use shardcart_types::code::Code;

use super::body;
use super::fingerprint::fingerprint;
use crate::caller::Caller;
use crate::idempotency;
use crate::problem::Problem;

/// A request with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The key.
    pub key: IdempotencyKey,
    /// What is asked for under it: what `IdempotencyKey::change` and `creation` take as the request.
    pub request: String,
}

/// The key of a request, if it has one: `Key(key): Key` as an argument of a handler.
#[derive(Debug)]
pub struct Key(pub Option<Keyed>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key = idempotency::Key::from_request(request, payload).into_inner();
        ready(key.and_then(|idempotency::Key(key)| {
            let Some(key) = key else { return Ok(Key(None)) };
            let body = body::look(request)?;
            let path = request.uri().path_and_query().map_or(request.path(), |path| path.as_str());
            let key = key.scoped(Caller::of(request).scope());
            let request = fingerprint(request.method().as_str(), path, body.as_deref());
            Ok(Key(Some(Keyed { key, request })))
        }))
    }
}

/// The key of a request that moves money, and so has to have one: `RequiredKey(key): RequiredKey`.
#[derive(Debug)]
pub struct RequiredKey(pub Keyed);

impl FromRequest for RequiredKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key = Key::from_request(request, payload).into_inner();
        let missing =
            || Problem::new(Code::IdempotencyKeyRequired, "this call moves money: give it an Idempotency-Key");
        ready(key.and_then(|Key(key)| key.map(RequiredKey).ok_or_else(missing)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpMessage;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;

    use super::*;
    use crate::v1::body::Body;

    fn request(key: Option<&str>, body: &str) -> HttpRequest {
        let request = TestRequest::post().uri("/v1/products?x=1");
        let request = key.into_iter().fold(request, |request, key| request.append_header(("Idempotency-Key", key)));
        let request = request.to_http_request();
        request.extensions_mut().insert(Body::new(Bytes::copy_from_slice(body.as_bytes())));
        request
    }

    fn required(request: &HttpRequest) -> Result<Keyed, Code> {
        let key = RequiredKey::from_request(request, &mut Payload::None).into_inner();
        key.map(|RequiredKey(key)| key).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_comes_with_what_is_asked_for() {
        let keyed = required(&request(Some("\"k-1\""), r#"{"b":1,"a":2}"#)).unwrap();
        assert_eq!(keyed.key.as_str(), "k-1");
        assert_eq!(keyed.request, r#"v1 POST /v1/products?x=1 {"a":2,"b":1}"#);
        assert!(required(&request(Some("k"), "")).unwrap().request.ends_with("?x=1 "));
    }

    #[test]
    fn a_call_that_moves_money_has_a_key() {
        assert_eq!(required(&request(None, "{}")), Err(Code::IdempotencyKeyRequired));
        assert_eq!(required(&request(Some("\"\""), "{}")), Err(Code::InvalidIdempotencyKey));
        assert_eq!(required(&request(Some("k"), "{")), Err(Code::InvalidBody));
    }
}
