//! JSON bodies, read to their types.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shardcart_types::code::Code;

use super::{body, merge_patch, typed};
use crate::problem::Problem;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A JSON body: `Json(product): Json<NewProduct>`. The type refuses members that it does not know
/// (`#[serde(deny_unknown_fields)]`).
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request, &[JSON]).and_then(|value| typed::of_body(&value)).map(Json))
    }
}

/// A JSON body that may be left out: `OptionalJson(wanted): OptionalJson<Wanted>`.
#[derive(Debug)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if !body::is_there(request) {
            return ready(Ok(OptionalJson(None)));
        }
        ready(read(request, &[JSON]).and_then(|value| typed::of_body(&value)).map(|value| OptionalJson(Some(value))))
    }
}

/// A JSON Merge Patch (RFC 7396): what is to change of an object.
#[derive(Debug)]
pub struct Patch(Value);

impl FromRequest for Patch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let value = read(request, &[MERGE_PATCH, JSON]);
        ready(value.and_then(|value| match &*value {
            Value::Object(_) => Ok(Patch(Value::clone(&value))),
            _ => {
                let detail = "a merge patch is an object";
                Err(Problem::new(Code::InvalidBody, detail).at("", "wrong_type", detail))
            }
        }))
    }
}

impl Patch {
    /// What a thing is after the patch.
    ///
    /// # Errors
    /// `invalid_body`, `currency_mismatch`: the patched thing does not fit its type.
    pub fn apply<T: Serialize + DeserializeOwned>(&self, thing: &T) -> Result<T, Problem> {
        let mut value = serde_json::to_value(thing).map_err(|error| {
            log::error!(error:%; "a thing that is to be patched cannot be written as JSON");
            Problem::new(Code::InvalidBody, "this cannot be patched")
        })?;
        merge_patch::apply(&mut value, &self.0);
        typed::of_body(&value)
    }

    /// The patch as it was sent.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

/// What a body of one of these types says.
fn read(request: &HttpRequest, types: &[&str]) -> Result<std::rc::Rc<Value>, Problem> {
    if body::is_there(request) {
        check_type(request, types)?;
    }
    body::take(request)?.ok_or_else(|| Problem::new(Code::InvalidBody, "a JSON body is wanted here"))
}

fn check_type(request: &HttpRequest, types: &[&str]) -> Result<(), Problem> {
    let sent = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, parameters) = sent.split_once(';').unwrap_or((sent, ""));
    // JSON is UTF-8: a parameter can only say that, and some clients do.
    let charset = parameters.trim().trim_end_matches(';').replace('"', "");
    let is_utf8 = charset.is_empty() || charset.eq_ignore_ascii_case("charset=utf-8");
    if is_utf8 && types.iter().any(|known| kind.trim().eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, format!("the body is read as {} in UTF-8", types.join(" or "))))
}

#[cfg(test)]
mod tests {
    use actix_web::HttpMessage;
    use actix_web::test::TestRequest;
    use actix_web::web::Bytes;
    use serde::Deserialize;
    use serde_json::json;
    use shardcart_telemetry::trace::About;
    use shardcart_types::amount::Quantity;

    use super::*;
    use crate::v1::body::Body;
    use crate::v1::money::Money;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        product: String,
        quantity: Quantity,
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cart {
        lines: Vec<Line>,
    }

    fn request(kind: &str, body: &str) -> HttpRequest {
        let request = TestRequest::post().insert_header((CONTENT_TYPE, kind)).to_http_request();
        request.extensions_mut().insert(Body::new(Bytes::copy_from_slice(body.as_bytes())));
        request
    }

    fn read_as<T: FromRequest<Error = Problem, Future = Ready<Result<T, Problem>>>>(
        kind: &str,
        body: &str,
    ) -> Result<T, Problem> {
        T::from_request(&request(kind, body), &mut Payload::None).into_inner()
    }

    /// Code, pointer and word of a refusal.
    fn wrong(body: &str) -> (Code, String, String) {
        let problem = read_as::<Json<Cart>>("application/json", body).map(|_| body).unwrap_err();
        let told: Value = serde_json::from_str(&problem.body_of_v1(&About::default())).unwrap();
        let text = |name: &str| told["errors"][0][name].as_str().unwrap_or_default().to_owned();
        (problem.code(), text("pointer"), text("code"))
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let line = |rest: &str| format!(r#"{{"lines":[{{"product":"a","quantity":1}},{{"product":"b",{rest}}}]}}"#);
        for (body, pointer, word) in [
            (line(r#""quantity":0"#), "/lines/1/quantity", "invalid_value"),
            (line(r#""quantity":1.5"#), "/lines/1/quantity", "wrong_type"),
            (line(r#""quantity":-1"#), "/lines/1/quantity", "invalid_value"),
            (line(r#""quantity":"1""#), "/lines/1/quantity", "wrong_type"),
            (line(r#""quantity":1,"colour":"red""#), "/lines/1/colour", "unknown_member"),
            (line(r#""price":null"#), "/lines/1/quantity", "missing_member"),
            (line(r#""quantity":1,"price":{"amount":-1,"currency":"EUR"}"#), "/lines/1/price/amount", "invalid_value"),
            (line(r#""quantity":1,"price":{"amount":1,"currency":"eur"}"#), "/lines/1/price/currency", "invalid_value"),
            (line(r#""quantity":1,"price":{"amount":1}"#), "/lines/1/price/currency", "missing_member"),
            (line(r#""quantity":1,"price":15"#), "/lines/1/price", "wrong_type"),
            (line(r#""quantity":1,"price":[15,"EUR"]"#), "/lines/1/price", "wrong_type"),
            ("[]".to_owned(), "", "wrong_type"),
            ("[[]]".to_owned(), "", "wrong_type"),
            ("null".to_owned(), "", "wrong_type"),
            (r#"{"lines":{}}"#.to_owned(), "/lines", "wrong_type"),
            (r#"{"lines":[],"lines":[]}"#.to_owned(), "/lines", "duplicate_member"),
            (r#"{"a/b":1,"lines":[]}"#.to_owned(), "/a~1b", "unknown_member"),
        ] {
            assert_eq!(wrong(&body), (Code::InvalidBody, pointer.to_owned(), word.to_owned()), "{body}");
        }
        let dollars = line(r#""quantity":1,"price":{"amount":1,"currency":"USD"}"#);
        assert_eq!(
            wrong(&dollars),
            (Code::CurrencyMismatch, "/lines/1/price/currency".into(), "currency_mismatch".into())
        );
    }

    #[test]
    fn a_body_is_json_in_utf8() {
        let code =
            |kind: &str| read_as::<Json<Cart>>(kind, r#"{"lines":[]}"#).map(|_| ()).map_err(|problem| problem.code());
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""] {
            assert_eq!(code(kind), Ok(()), "{kind}");
        }
        for kind in ["", "text/plain", "application/json; charset=latin1", "application/merge-patch+json", "json"] {
            assert_eq!(code(kind), Err(Code::UnsupportedMediaType), "{kind}");
        }
    }

    #[test]
    fn a_body_may_be_left_out_only_where_the_call_says_so() {
        assert_eq!(read_as::<Json<Cart>>("", "").map(|_| ()).map_err(|problem| problem.code()), Err(Code::InvalidBody));
        assert_eq!(read_as::<OptionalJson<Cart>>("", "").unwrap().0, None);
        assert_eq!(read_as::<OptionalJson<Cart>>(JSON, r#"{"lines":[]}"#).unwrap().0, Some(Cart { lines: Vec::new() }));
        assert!(read_as::<OptionalJson<Cart>>(JSON, "{}").is_err(), "a body that is there has to fit");
    }

    #[test]
    fn a_patched_thing_fits_its_type_or_is_refused() {
        let line = Line { product: "a".to_owned(), quantity: Quantity::ONE, price: None };
        let patched = |patch: &str| read_as::<Patch>(MERGE_PATCH, patch)?.apply(&line);
        let three = patched(r#"{"quantity":3}"#).unwrap();
        assert_eq!(serde_json::to_value(three).unwrap(), json!({ "product": "a", "quantity": 3 }));
        for refused in [r#"{"product":null}"#, r#"{"quantity":0}"#, r#"{"colour":"red"}"#, "[]", "null"] {
            assert_eq!(patched(refused).unwrap_err().code(), Code::InvalidBody, "{refused}");
        }
    }
}
