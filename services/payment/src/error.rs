//! What can go wrong with a user's credit.

use shardcart_store::idempotency::{KeyReused, TooManyKeys};
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::MintError;
use shardcart_types::ids::{OrderId, UserId};

/// The result of an operation on users.
pub type Result<T> = std::result::Result<T, PaymentError>;

/// Why an operation gave no result: it was refused (nothing changed), or its outcome is unknown. Each face says how a
/// client is told: see `api/`.
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
    /// The credit, or all funds that were ever added less those paid directly, would leave the range of amounts.
    #[error("user {0} would have received more than 9007199254740991 in all; what was spent in checkouts counts, too")]
    OutOfRange(UserId),
    /// The idempotency key came with another request.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The shard has as many records of idempotency keys as it may.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
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

impl From<MintError> for PaymentError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::KeyReused(reused) => reused.into(),
            MintError::TooManyKeys(too_many) => too_many.into(),
            MintError::Shard(error) => error.into(),
        }
    }
}
