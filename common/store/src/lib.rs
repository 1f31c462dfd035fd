#![doc = include_str!("../README.md")]

pub mod bulk;
pub mod collect;
pub mod held;
pub mod idempotency;
pub mod identity;
pub mod info;
pub mod membership;
mod pipeline;
pub mod record;
pub mod script;
mod server;
pub mod settings;
pub mod shard;
pub mod shard_error;
pub mod shards;
mod waiting;
pub mod walk;
