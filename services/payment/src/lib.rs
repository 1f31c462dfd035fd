#![doc = include_str!("../README.md")]

pub mod audit;
pub mod error;
pub mod handlers;
pub mod insight;
pub mod lives;
pub mod reservation;
pub mod users;
