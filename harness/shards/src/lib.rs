#![doc = include_str!("../README.md")]

pub mod alike;
pub mod attempts;
pub mod orders;
pub mod shards;

pub use alike::{assert_alike, some_deadline_ms};
pub use attempts::{Attempt, Lies, NEWER_HELD, NEWER_TOMBSTONES};
pub use orders::KnownOrders;
pub use shards::{PATIENCE, Raw, TestShards};
