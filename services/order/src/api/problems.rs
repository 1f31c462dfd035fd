//! How the HTTP faces tell a client that an operation failed: the problem of each error.

use shardcart_http::problem::Problem;
use shardcart_protocol::participant::ParticipantError;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;

use crate::error::OrderError;

/// Logs the cause of an unknown outcome: a client is never told it.
impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let code = match &error {
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
            OrderError::TooManyKeys(_) => Code::TooManyIdempotencyKeys,
            // Logged where it was found out, at a bounded rate: clients can send such ids at will.
            OrderError::Shard(ShardError::BeyondList { .. })
            | OrderError::Participant(ParticipantError::BeyondList { .. }) => return Problem::shard_unavailable(),
            OrderError::Newer(_) | OrderError::Shard(_) | OrderError::Participant(_) => {
                // The cause is for the log alone: it names hosts and keys.
                log::error!(error:%; "an operation on an order stays unanswered");
                return Problem::shard_unavailable();
            }
        };
        Problem::new(code, error)
    }
}
