#![doc = include_str!("../README.md")]

mod log_limit;
pub mod logging;
pub mod metrics;
pub mod settings;
pub mod trace;
