#![doc = include_str!("../README.md")]

pub mod attempt;
pub mod audit;
pub mod config;
pub mod coordinator;
pub mod error;
pub mod handlers;
pub mod insight;
mod observed;
pub mod orders;
pub mod recent;
pub mod recovery;
pub mod settle_now;
pub mod settler;
pub mod settling;
pub mod standings;
pub mod together;
pub mod turns;
