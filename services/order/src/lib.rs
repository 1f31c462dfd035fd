#![doc = include_str!("../README.md")]

pub mod api;
pub mod attempt;
pub mod audit;
pub mod checkout;
pub mod config;
pub mod error;
pub mod insight;
pub mod order_status;
pub mod orders;
pub mod participants;
pub mod recent;
mod scripts;
pub mod settle_now;
pub mod settling;
