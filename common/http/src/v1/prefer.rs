//! What a client prefers (RFC 7240): `Prefer: respond-async, wait=10`. What is not understood is ignored, as the
//! standard wants it.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use crate::problem::Problem;

/// The longest wait; whoever prefers a longer one waits so long.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

static PREFER: HeaderName = HeaderName::from_static("prefer");
static PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a client prefers: an argument of a handler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// To be answered before the work is done.
    pub respond_async: bool,
    /// How long to wait for an outcome; at most [`WAIT_MAX`].
    pub wait: Option<Duration>,
}

impl Prefer {
    /// Says in an answer what of it was done.
    pub fn applied(self, response: &mut HttpResponse) {
        let wait = self.wait.map(|wait| format!("wait={}", wait.as_secs()));
        let applied: Vec<&str> =
            self.respond_async.then_some("respond-async").into_iter().chain(wait.as_deref()).collect();
        if !applied.is_empty()
            && let Ok(value) = HeaderValue::from_str(&applied.join(", "))
        {
            response.headers_mut().insert(PREFERENCE_APPLIED.clone(), value);
        }
    }
}

impl FromRequest for Prefer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let values = request.headers().get_all(&PREFER).filter_map(|value| value.to_str().ok());
        let mut prefer = Prefer::default();
        for preference in values.flat_map(|value| value.split(',')) {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
            match name.as_str() {
                "respond-async" => prefer.respond_async = true,
                // The first of two counts.
                "wait" if prefer.wait.is_none() => {
                    let seconds = value.parse().ok().map(Duration::from_secs);
                    prefer.wait = seconds.map(|wait| wait.min(WAIT_MAX));
                }
                _ => {}
            }
        }
        ready(Ok(prefer))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn prefer(values: &[&str]) -> Prefer {
        let request =
            values.iter().fold(TestRequest::default(), |request, value| request.append_header(("Prefer", *value)));
        Prefer::from_request(&request.to_http_request(), &mut Payload::None).into_inner().unwrap()
    }

    #[test]
    fn preferences_are_read_in_every_form() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let both = Prefer { respond_async: true, wait: seconds(2) };
        assert_eq!(prefer(&["respond-async, wait=2"]), both);
        assert_eq!(prefer(&["Respond-Async", "WAIT=\"2\"; x=y"]), both);
        assert_eq!(prefer(&["wait=3600"]), Prefer { respond_async: false, wait: Some(WAIT_MAX) });
        assert_eq!(prefer(&["wait=1, wait=9"]).wait, seconds(1));
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for value in ["", "wait", "wait=", "wait=-1", "wait=1.5", "handling=strict", "respond-asynchronously", ",;="] {
            assert_eq!(prefer(&[value]), Prefer::default(), "{value}");
        }
    }

    #[test]
    fn an_answer_says_what_was_done() {
        let mut response = HttpResponse::Accepted().finish();
        Prefer { respond_async: true, wait: Some(Duration::from_secs(2)) }.applied(&mut response);
        assert_eq!(response.headers().get("preference-applied").unwrap(), "respond-async, wait=2");
    }
}
