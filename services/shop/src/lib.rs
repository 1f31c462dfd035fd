#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod commands;
pub mod config;
pub mod data_dir;
pub mod order;
pub mod payment;
pub mod redis_servers;
pub mod shop;
pub mod start_error;
pub mod stock;
pub mod storage;
