#![doc = include_str!("../README.md")]

pub mod action;
pub mod checkout;
mod coordinator;
mod describe;
pub mod explore;
mod happens;
pub mod mutant;
pub mod order;
pub mod participant;
pub mod properties;
pub mod scenario;
mod settling;
mod shards;
pub mod state;
mod steps;
pub mod table;
