#![doc = include_str!("../README.md")]

pub mod args;
pub mod endpoint;
pub mod gate;
pub mod health;
pub mod idempotency;
pub mod machine;
pub mod metrics;
pub mod probe;
pub mod problem;
pub mod settings;
