//! What a caller may conclude when a shard gives no reply.

use redis::Value;

/// Why a shard gave no reply. What the caller may conclude differs, so the kinds are kept apart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ShardError {
    /// Nothing was sent: there was no connection. Surely nothing happened.
    #[error("shard {shard} cannot be reached: {cause}")]
    Unreachable {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// Redis refused before it did anything: out of memory, loading, read-only, disk full. Nothing happened.
    #[error("shard {shard} refuses: {cause}")]
    Refused {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// It was sent and no usable reply came: it may have happened. Or it did happen, and too few replicas have it.
    #[error("shard {shard} did not answer: {cause}")]
    Unanswered {
        /// The shard's number.
        shard: u16,
        /// For the log alone.
        cause: String,
    },
    /// The id names a shard beyond the address list.
    #[error("shard {shard} is beyond the address list")]
    BeyondList {
        /// The shard's number.
        shard: u16,
    },
}

/// What calls that went out together came to: each has its own reply or failure, or all have the same failure.
pub type Replies = Result<Vec<Result<Value, ShardError>>, ShardError>;
