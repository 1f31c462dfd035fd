//! Idempotency keys as requests carry them, and how the answer to a repeat says that it is one
//! (draft-ietf-httpapi-idempotency-key-header-07).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use shardcart_store::idempotency::{Done, IdempotencyKey, InvalidKey};
use shardcart_types::code::Code;

use crate::problem::Problem;

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of a request, if it has one: `Key(key): Key` as an argument of a handler.
#[derive(Debug)]
pub struct Key(pub Option<IdempotencyKey>);

impl FromRequest for Key {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all(&IDEMPOTENCY_KEY);
        let key = match (values.next(), values.next()) {
            (None, _) => return ready(Ok(Key(None))),
            (Some(value), None) => IdempotencyKey::parse(value.as_bytes()),
            (Some(_), Some(_)) => Err(InvalidKey),
        };
        let key = key.map_err(|invalid| Problem::new(Code::InvalidIdempotencyKey, invalid));
        ready(key.map(|key| Key(Some(key))))
    }
}

/// How the result of an operation becomes an answer to the client.
pub trait Replayable<T> {
    /// The answer to the client; that of a replay says that it is one.
    fn answer(self, answer: impl FnOnce(T) -> HttpResponse) -> HttpResponse;
}

impl<T> Replayable<T> for Done<T> {
    fn answer(self, answer: impl FnOnce(T) -> HttpResponse) -> HttpResponse {
        let mut response = answer(self.value);
        if self.is_replay {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
        }
        response
    }
}
