//! What can go wrong with a user's credit, and what a client is told.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use shardcart_http::problem::Problem;
use shardcart_store::idempotency::KeyReused;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;
use shardcart_types::ids::{OrderId, UserId};

/// The result of an operation on users.
pub type Result<T> = std::result::Result<T, PaymentError>;

/// Why an operation gave no result: refused (4xx, nothing changed) or unknown (5xx).
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// There is no such user.
    #[error("user {0} does not exist")]
    UnknownUser(UserId),
    /// The user has not paid for this order directly.
    #[error("no payment for order {0}")]
    UnknownPayment(OrderId),
    /// Less credit than the amount.
    #[error("user {0} has too little credit")]
    InsufficientCredit(UserId),
    /// A checkout holds the order.
    #[error("order {0} is being paid by a checkout")]
    OrderPending(OrderId),
    /// The order was paid, or its payment was cancelled.
    #[error("order {0} has been paid, or its payment cancelled")]
    AlreadyPaid(OrderId),
    /// The order was paid by a checkout, which is not cancelled here.
    #[error("order {0} was paid by a checkout")]
    OrderPaid(OrderId),
    /// The credit would leave the range of amounts.
    #[error("the credit of user {0} would exceed 9007199254740991")]
    OutOfRange(UserId),
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The record is of a later release and was left alone.
    #[error("user {0} was written by a later release")]
    Newer(UserId),
    /// The shard gave no usable reply; see there what may have happened.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The order service was asked and did not answer; nothing was done.
    #[error("the order service does not answer: {0}")]
    Orders(String),
}

impl PaymentError {
    fn problem(&self) -> Problem {
        let code = match self {
            PaymentError::UnknownUser(_) => Code::UnknownUser,
            PaymentError::UnknownPayment(_) => Code::UnknownPayment,
            PaymentError::InsufficientCredit(_) => Code::InsufficientCredit,
            PaymentError::OrderPending(_) => Code::OrderPending,
            PaymentError::AlreadyPaid(_) => Code::AlreadyPaid,
            PaymentError::OrderPaid(_) => Code::OrderPaid,
            PaymentError::OutOfRange(_) => Code::OutOfRange,
            PaymentError::KeyReused(_) => Code::IdempotencyKeyReused,
            PaymentError::Newer(_) | PaymentError::Shard(_) | PaymentError::Orders(_) => {
                return Problem::shard_unavailable();
            }
        };
        Problem::new(code, self)
    }
}

impl ResponseError for PaymentError {
    fn status_code(&self) -> StatusCode {
        self.problem().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        if matches!(self, PaymentError::Newer(_) | PaymentError::Shard(_) | PaymentError::Orders(_)) {
            // The cause is for the log alone: it names hosts and keys.
            log::error!(error:% = self; "an operation on a user stays unanswered");
        }
        self.problem().error_response()
    }
}
