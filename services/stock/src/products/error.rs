//! What can go wrong with a product.

use shardcart_store::idempotency::{KeyReused, TooManyKeys};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::ItemId;

/// The result of an operation on products.
pub type Result<T> = std::result::Result<T, ProductError>;

/// Why an operation gave no result: it was refused (nothing changed), or its outcome is unknown. Each face says how a
/// client is told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProductError {
    /// There is no such product.
    #[error("product {0} does not exist")]
    Unknown(String),
    /// There is a product under this id, and there was to be none.
    #[error("product {0} exists")]
    Exists(ItemId),
    /// The product is not at the revision that the caller saw.
    #[error("product {0} was changed since")]
    Changed(ItemId),
    /// Another product has the handle, or is about to get it.
    #[error("the handle {0} is taken")]
    HandleTaken(String),
    /// What describes it is larger than a document may be.
    #[error("the description of a product is too large")]
    TooLarge,
    /// Others changed the product again and again meanwhile. Nothing was changed.
    #[error("product {0} is changed by many at once")]
    Contended(ItemId),
    /// An item without a price cannot come to be.
    #[error("product {0} needs a price")]
    NoPrice(ItemId),
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The shard has as many records of keys as it may. Nothing was changed.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// A record is of a later release, or says what no release writes; it was left alone.
    #[error("product {0} cannot be read by this release")]
    NotUnderstood(String),
    /// The shard gave no usable reply; see there what may have happened.
    #[error(transparent)]
    Shard(#[from] ShardError),
}
