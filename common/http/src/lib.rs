#![doc = include_str!("../README.md")]

pub mod args;
pub mod caller;
pub mod connection;
pub mod endpoint;
pub mod gate;
mod head;
pub mod health;
pub mod idempotency;
pub mod index;
pub mod machine;
pub mod metrics;
pub mod probe;
pub mod problem;
pub mod settings;
pub mod v1;
