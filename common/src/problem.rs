//! Problems: error answers as `application/problem+json` (RFC 9457) with a stable code.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident $code:literal $title:literal;)*) => {
        /// What went wrong, as clients may rely on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The HTTP status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)* }
            }

            /// The code as it stands in the answer.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// What the code means, for a person.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// An id has bad characters or a bad length.
    InvalidId = BAD_REQUEST "invalid_id" "Malformed id";
    /// An amount or quantity is not a whole number in range.
    InvalidAmount = BAD_REQUEST "invalid_amount" "Malformed amount";
    /// The path cannot be read.
    InvalidPath = BAD_REQUEST "invalid_path" "Malformed path";
    /// The header `Idempotency-Key` cannot be read.
    InvalidIdempotencyKey = BAD_REQUEST "invalid_idempotency_key" "Malformed Idempotency-Key";
    /// The internal listener wants its secret.
    Unauthorized = UNAUTHORIZED "unauthorized" "Missing or wrong token";
    /// The user has too little credit.
    InsufficientCredit = PAYMENT_REQUIRED "insufficient_credit" "Too little credit";
    /// This deployment does not allow the call.
    Forbidden = FORBIDDEN "forbidden" "Not allowed here";
    /// No such order.
    UnknownOrder = NOT_FOUND "unknown_order" "Unknown order";
    /// No such item, or not in the cart.
    UnknownItem = NOT_FOUND "unknown_item" "Unknown item";
    /// No such user.
    UnknownUser = NOT_FOUND "unknown_user" "Unknown user";
    /// Nothing was paid.
    UnknownPayment = NOT_FOUND "unknown_payment" "Unknown payment";
    /// No such path.
    NoRoute = NOT_FOUND "no_route" "No such path";
    /// The path exists, for another method.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "Method not allowed";
    /// Too little stock of an item.
    InsufficientStock = CONFLICT "insufficient_stock" "Too little stock";
    /// The order is being paid.
    OrderPending = CONFLICT "order_pending" "The order is being paid";
    /// The order is paid.
    OrderPaid = CONFLICT "order_paid" "The order is paid";
    /// The order's payment exists already.
    AlreadyPaid = CONFLICT "already_paid" "Already paid";
    /// The attempt to pay was given up; nothing was taken.
    CheckoutAborted = CONFLICT "checkout_aborted" "Checkout given up";
    /// A sum would leave the range of amounts.
    OutOfRange = CONFLICT "out_of_range" "Sum out of range";
    /// Something is held or in flight.
    InUse = CONFLICT "in_use" "In use";
    /// A body or a cart over the limit.
    TooLarge = PAYLOAD_TOO_LARGE "too_large" "Too large";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency_key_reused" "Idempotency-Key used for another request";
    /// Refused before anything was done.
    Overloaded = TOO_MANY_REQUESTS "overloaded" "Overloaded";
    /// A shard does not answer.
    ShardUnavailable = SERVICE_UNAVAILABLE "shard_unavailable" "Shard unavailable";
    /// The outcome is not known in time.
    OutcomeUnknown = SERVICE_UNAVAILABLE "outcome_unknown" "Outcome unknown";
}

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

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
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
            "status": self.code.status().as_u16(),
            "detail": self.detail,
            "code": self.code.as_str(),
        });
        let mut response = response.body(body.to_string());
        // For the metrics of requests.
        response.extensions_mut().insert(self.code);
        response
    }
}
