//! The identity record of a shard, a hash under [`crate::key::identity`]: the names of its fields, and what its script
//! is told to do.

/// The layout of keys and records that this release writes.
pub const SCHEMA_VERSION: u32 = 3;

/// The data set that the shard belongs to.
pub const DATA_SET: &str = "data_set";
/// `order`, `stock` or `payment`.
pub const SERVICE: &str = "service";
/// The shard's number.
pub const SHARD: &str = "shard";
/// The hash tag of the shard's keys.
pub const TAG: &str = "tag";
/// The number of shards when the data set was created.
pub const FOUNDING: &str = "founding";
/// The layout of keys and records: see [`SCHEMA_VERSION`].
pub const SCHEMA: &str = "schema";
/// Currency, ISO 4217.
pub const CURRENCY: &str = "currency";
/// How many shards the data set was last known to have.
pub const MEMBERS: &str = "members";

/// Tells `identity.lua` to read the record.
pub const READ: &str = "read";
/// Tells `identity.lua` to write the record on an empty shard, or to raise `members`.
pub const WRITE: &str = "write";
