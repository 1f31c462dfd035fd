//! What can go wrong with an order, and what a client is told.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use shardcart_http::problem::Problem;
use shardcart_protocol::participant::{ParticipantError, Refusal};
use shardcart_store::idempotency::KeyReused;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;
use shardcart_types::ids::{ItemId, OrderId};

/// The result of an operation on orders.
pub type Result<T> = std::result::Result<T, OrderError>;

/// Why an operation gave no result: refused (4xx, nothing changed) or unknown (5xx).
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such order.
    #[error("order {0} does not exist")]
    UnknownOrder(OrderId),
    /// There is no such item, or not in this cart.
    #[error("item {0} does not exist, or is not in the cart")]
    UnknownItem(ItemId),
    /// A checkout is under way: the order cannot be changed now.
    #[error("order {0} is being paid")]
    Pending(OrderId),
    /// The order is paid: it cannot be changed any more.
    #[error("order {0} is paid")]
    Paid(OrderId),
    /// More than the limit of lines or units.
    #[error("{0}")]
    TooLarge(String),
    /// A quantity or the total would leave the range of amounts.
    #[error("the total would exceed 9007199254740991")]
    OutOfRange,
    /// The checkout was refused; nothing was taken, and nothing will be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The checkout may have happened. Repeating it tells the truth.
    #[error("the outcome is not known yet; repeat the checkout: it is safe, and tells the truth")]
    OutcomeUnknown,
    /// Too many checkouts wait for their turn; this one did nothing.
    #[error("too many checkouts at once; nothing was done")]
    TooMany,
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The order's record is of a later release and was left alone.
    #[error("order {0} was written by a later release")]
    Newer(OrderId),
    /// An order shard gave no usable reply; see there what may have happened.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Stock or payment gave no answer.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
}

impl OrderError {
    fn problem(&self) -> Problem {
        let code = match self {
            OrderError::UnknownOrder(_) => Code::UnknownOrder,
            OrderError::UnknownItem(_) => Code::UnknownItem,
            OrderError::Pending(_) => Code::OrderPending,
            OrderError::Paid(_) => Code::OrderPaid,
            OrderError::TooLarge(_) => Code::TooLarge,
            OrderError::OutOfRange => Code::OutOfRange,
            OrderError::Refused(refusal) => refusal.code(),
            OrderError::OutcomeUnknown => Code::OutcomeUnknown,
            OrderError::TooMany => Code::Overloaded,
            OrderError::KeyReused(_) => Code::IdempotencyKeyReused,
            OrderError::Newer(_) | OrderError::Shard(_) | OrderError::Participant(_) => {
                return Problem::shard_unavailable();
            }
        };
        Problem::new(code, self)
    }
}

impl ResponseError for OrderError {
    fn status_code(&self) -> StatusCode {
        self.problem().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        if matches!(self, OrderError::Newer(_) | OrderError::Shard(_) | OrderError::Participant(_)) {
            // The cause is for the log alone: it names hosts and keys.
            log::error!(error:% = self; "an operation on an order stays unanswered");
        }
        self.problem().error_response()
    }
}
