//! What can go wrong with an order.

use shardcart_protocol::participant::{ParticipantError, Refusal};
use shardcart_store::idempotency::{KeyReused, TooManyKeys};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::MintError;
use shardcart_types::ids::{ItemId, OrderId};

/// The result of an operation on orders.
pub type Result<T> = std::result::Result<T, OrderError>;

/// Why an operation gave no result: it was refused (nothing changed), or its outcome is unknown. Each face says how a
/// client is told: see `api/`.
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
    /// Too many checkouts wait to be admitted; this one did nothing.
    #[error("too many checkouts at once; nothing was done")]
    TooMany,
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The shard has as many records of idempotency keys as it may.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
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

impl From<MintError> for OrderError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::KeyReused(reused) => reused.into(),
            MintError::TooManyKeys(too_many) => too_many.into(),
            MintError::Shard(error) => error.into(),
        }
    }
}
