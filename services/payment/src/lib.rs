#![doc = include_str!("../README.md")]

pub mod api;
pub mod audit;
pub mod error;
pub mod incarnations;
pub mod insight;
pub mod payments;
pub mod reservation;
mod scripts;
pub mod users;
