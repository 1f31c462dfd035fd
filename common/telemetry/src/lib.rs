#![doc = include_str!("../README.md")]

pub mod logging;
pub mod metrics;
pub mod settings;
pub mod trace;
