#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod commands;
pub mod config;
pub mod data_dir;
pub mod machines;
pub mod redis_servers;
pub mod reference;
pub mod services;
pub mod start_error;
pub mod storage;

/// The version of these programs, with the commit that they are built from where it is known.
pub const VERSION: &str = env!("SHARDCART_VERSION");
