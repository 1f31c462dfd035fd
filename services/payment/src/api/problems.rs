//! How the HTTP faces tell a client that an operation failed: the problem of each error.

use shardcart_http::problem::Problem;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;

use crate::error::PaymentError;

/// Logs the cause of an unknown outcome: a client is never told it.
impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        let code = match &error {
            PaymentError::UnknownUser(_) => Code::UnknownUser,
            PaymentError::UnknownPayment(_) => Code::UnknownPayment,
            PaymentError::InsufficientCredit(_) => Code::InsufficientCredit,
            PaymentError::OrderPending(_) => Code::OrderPending,
            PaymentError::AlreadyPaid(_) => Code::AlreadyPaid,
            PaymentError::OrderPaid(_) => Code::OrderPaid,
            PaymentError::OutOfRange(_) => Code::OutOfRange,
            PaymentError::KeyReused(_) => Code::IdempotencyKeyReused,
            PaymentError::TooManyKeys(_) => Code::TooManyIdempotencyKeys,
            // Logged where it was found out, at a bounded rate: clients can send such ids at will.
            PaymentError::Shard(ShardError::BeyondList { .. }) => return Problem::shard_unavailable(),
            PaymentError::Newer(_) | PaymentError::Shard(_) | PaymentError::Orders(_) => {
                // The cause is for the log alone: it names hosts and keys.
                log::error!(error:%; "an operation on a user stays unanswered");
                return Problem::shard_unavailable();
            }
        };
        Problem::new(code, error)
    }
}
