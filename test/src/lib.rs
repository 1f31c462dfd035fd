#![doc = include_str!("../README.md")]

pub mod auditor;
pub mod buyers;
pub mod console;
pub mod fault;
pub mod given;
pub mod purchase;
pub mod schedule;
pub mod scrape;
pub mod stage;
pub mod storm;
pub mod thousand;
pub mod world;

pub use stage::Stage;
