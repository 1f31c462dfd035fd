#![doc = include_str!("../README.md")]

mod beyond;
pub mod bulk;
pub mod collect;
mod connections;
pub mod faults;
pub mod idempotency;
pub mod identity;
pub mod info;
pub mod membership;
mod once;
mod pipeline;
mod replica_ack;
pub mod scan;
pub mod script;
mod server;
pub mod settings;
pub mod shard;
pub mod shard_error;
pub mod shards;
pub mod spread;
pub mod unique;
