//! The body of a request, as the gate has read it.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest};
use serde_json::Value;
use shardcart_types::code::Code;

use super::strict;
use crate::problem::Problem;

/// The body of a request: it lies in the request's extensions, until it is read and after.
#[derive(Debug, Clone)]
pub struct Body {
    bytes: Bytes,
    /// What the bytes say, once somebody has asked.
    value: RefCell<Option<Rc<Value>>>,
    is_wanted: bool,
}

impl Body {
    /// A body of these bytes, which nobody has read.
    pub fn new(bytes: Bytes) -> Self {
        Body { bytes, value: RefCell::default(), is_wanted: false }
    }
}

/// Whether there is a body.
pub fn is_there(request: &HttpRequest) -> bool {
    request.extensions().get::<Body>().is_some_and(|body| !body.bytes.is_empty())
}

/// What the body says; nothing if there is none. Whoever only looks at it leaves it for others.
///
/// # Errors
/// `invalid_body`: see [`strict::parse`].
pub fn look(request: &HttpRequest) -> Result<Option<Rc<Value>>, Problem> {
    let extensions = request.extensions();
    let Some(body) = extensions.get::<Body>().filter(|body| !body.bytes.is_empty()) else { return Ok(None) };
    if let Some(value) = body.value.borrow().as_ref() {
        return Ok(Some(Rc::clone(value)));
    }
    let value = Rc::new(strict::parse(&body.bytes)?);
    *body.value.borrow_mut() = Some(Rc::clone(&value));
    Ok(Some(value))
}

/// What the body says, for an endpoint that reads it; nothing if there is none.
///
/// # Errors
/// See [`look`].
pub fn take(request: &HttpRequest) -> Result<Option<Rc<Value>>, Problem> {
    if let Some(body) = request.extensions_mut().get_mut::<Body>() {
        body.is_wanted = true;
    }
    look(request)
}

/// Checks that no body was sent to an endpoint that reads none.
///
/// # Errors
/// `invalid_body`.
pub fn check_nothing_is_left(request: &HttpRequest) -> Result<(), Problem> {
    let is_left = |body: &Body| !body.is_wanted && says_something(&body.bytes);
    if request.extensions().get::<Body>().is_some_and(is_left) {
        return Err(Problem::new(Code::InvalidBody, "no body is read here"));
    }
    Ok(())
}

/// Whether a body is more than white space, `{}` or `null`, which clients send where they have nothing to say.
pub fn says_something(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    let inside = body.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    !matches!(inside.unwrap_or(body).trim_ascii(), b"") && body != b"null"
}

#[cfg(test)]
mod tests {
    use super::says_something;

    #[test]
    fn white_space_an_empty_object_and_null_say_nothing() {
        for nothing in ["", " \r\n\t", "{}", " { }\n", "null", "null\n"] {
            assert!(!says_something(nothing.as_bytes()), "{nothing:?}");
        }
        for something in ["{\"quantity\":3}", "0", "[]", "{", "}", "nul", "null null", "\"\"", "{{}}"] {
            assert!(says_something(something.as_bytes()), "{something:?}");
        }
    }
}
