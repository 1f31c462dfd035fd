//! The record of an idempotency key: `<version> <incarnation> <request> <answer>`, under a digest of what the client
//! chose. And how many records a shard has: the hash `{tag}:keyed`, Unix hour -> records made in it. See
//! `lua/idempotency.lua`.

/// The version of the record. Of version 1, the name of a record had the client's key in it.
pub const VERSION: &str = "2";

/// The bytes of a digest: the first of a SHA-256. In names and records it stands as unpadded base64url.
pub const DIGEST_SIZE: usize = 16;

/// The answer of a call that gives none.
pub const NO_ANSWER: &str = "-";

/// The field for the records of all hours before the newest, of those that may still be there.
pub const EARLIER: &str = "earlier";
