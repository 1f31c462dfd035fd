#![doc = include_str!("../README.md")]

pub mod api;
pub mod audit;
pub mod error;
pub mod insight;
pub mod items;
pub mod products;
pub mod reservation;
mod scripts;
