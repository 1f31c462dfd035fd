#![doc = include_str!("../README.md")]

pub mod amount;
pub mod args;
pub mod batcher;
pub mod bulk;
pub mod endpoint;
pub mod gate;
pub mod health;
pub mod identity;
pub mod ids;
pub mod internal;
pub mod machine;
pub mod membership;
pub mod orders;
pub mod participant;
pub mod participant_machine;
pub mod peers;
mod pipeline;
pub mod problem;
pub mod reservation;
pub mod review;
pub mod routing;
pub mod script;
mod server;
pub mod settings;
pub mod shard;
pub mod shards;
mod waiting;
