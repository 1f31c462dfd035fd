#![doc = include_str!("../README.md")]

pub mod address;
pub mod amount;
pub mod code;
pub mod currency;
pub mod ids;
pub mod machine_id;
pub mod parse;
pub mod routing;
pub mod secret;
pub mod service;
