#![doc = include_str!("../README.md")]

pub mod audit;
pub mod error;
pub mod handlers;
pub mod insight;
pub mod items;
pub mod reservation;
