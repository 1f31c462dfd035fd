//! How the HTTP faces tell a client that an operation failed: the problem of each error.

use shardcart_http::problem::Problem;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;

use crate::error::StockError;

/// Logs the cause of an unknown outcome: a client is never told it.
impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        let code = match &error {
            StockError::UnknownItem(_) => Code::UnknownItem,
            StockError::InsufficientStock(_) => Code::InsufficientStock,
            StockError::OutOfRange(_) => Code::OutOfRange,
            StockError::KeyReused(_) => Code::IdempotencyKeyReused,
            StockError::TooManyKeys(_) => Code::TooManyIdempotencyKeys,
            // Logged where it was found out, at a bounded rate: clients can send such ids at will.
            StockError::Shard(ShardError::BeyondList { .. }) => return Problem::shard_unavailable(),
            StockError::Newer(_) | StockError::Shard(_) => {
                // The cause is for the log alone: it names hosts and keys.
                log::error!(error:%; "an operation on an item stays unanswered");
                return Problem::shard_unavailable();
            }
        };
        Problem::new(code, error)
    }
}
