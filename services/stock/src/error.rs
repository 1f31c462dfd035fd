//! What can go wrong with an item.

use shardcart_store::idempotency::{KeyReused, TooManyKeys};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::MintError;
use shardcart_types::ids::ItemId;

/// The result of an operation on items.
pub type Result<T> = std::result::Result<T, StockError>;

/// Why an operation gave no result: it was refused (nothing changed), or its outcome is unknown. Each face says how a
/// client is told: see `api/`.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// There is no such item.
    #[error("item {0} does not exist")]
    UnknownItem(ItemId),
    /// Fewer units can be bought than were to be taken out.
    #[error("too little stock of item {0}")]
    InsufficientStock(ItemId),
    /// The stock, or all units that were ever added less those subtracted directly, would leave the range of amounts.
    #[error("item {0} would have received more than 9007199254740991 units in all; what was sold counts, too")]
    OutOfRange(ItemId),
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The shard has as many records of idempotency keys as it may.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// The item's record is of a later release and was left alone.
    #[error("item {0} was written by a later release")]
    Newer(ItemId),
    /// The shard gave no usable reply; see there what may have happened.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

impl From<MintError> for StockError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::KeyReused(reused) => reused.into(),
            MintError::TooManyKeys(too_many) => too_many.into(),
            MintError::Shard(error) => error.into(),
        }
    }
}
