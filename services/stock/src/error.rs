//! What can go wrong with an item, and what a client is told.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use shardcart_http::problem::Problem;
use shardcart_store::idempotency::KeyReused;
use shardcart_store::shard_error::ShardError;
use shardcart_types::code::Code;
use shardcart_types::ids::ItemId;

/// The result of an operation on items.
pub type Result<T> = std::result::Result<T, StockError>;

/// Why an operation gave no result: refused (4xx, nothing changed) or unknown (5xx).
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// There is no such item.
    #[error("item {0} does not exist")]
    UnknownItem(ItemId),
    /// Fewer units can be bought than were to be taken out.
    #[error("too little stock of item {0}")]
    InsufficientStock(ItemId),
    /// The stock would leave the range of amounts.
    #[error("the stock of item {0} would exceed 9007199254740991")]
    OutOfRange(ItemId),
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The item's record is of a later release and was left alone.
    #[error("item {0} was written by a later release")]
    Newer(ItemId),
    /// The shard gave no usable reply; see there what may have happened.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl StockError {
    fn problem(&self) -> Problem {
        let code = match self {
            StockError::UnknownItem(_) => Code::UnknownItem,
            StockError::InsufficientStock(_) => Code::InsufficientStock,
            StockError::OutOfRange(_) => Code::OutOfRange,
            StockError::KeyReused(_) => Code::IdempotencyKeyReused,
            StockError::Newer(_) | StockError::Shard(_) => return Problem::shard_unavailable(),
        };
        Problem::new(code, self)
    }
}

impl ResponseError for StockError {
    fn status_code(&self) -> StatusCode {
        self.problem().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        if matches!(self, StockError::Newer(_) | StockError::Shard(_)) {
            // The cause is for the log alone: it names hosts and keys.
            log::error!(error:% = self; "an operation on an item stays unanswered");
        }
        self.problem().error_response()
    }
}
