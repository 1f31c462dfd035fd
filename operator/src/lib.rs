#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod asked;
pub mod audit;
pub mod client;
pub mod console;
pub mod inspect;
pub mod reference;
pub mod sources;
pub mod status;
mod terminal;
