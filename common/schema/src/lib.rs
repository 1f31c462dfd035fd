#![doc = include_str!("../README.md")]

pub mod constants;
pub mod idempotency;
pub mod identity;
pub mod incarnation;
pub mod key;
pub mod limit;
pub mod lua;
pub mod minted;
pub mod order;
pub mod payment;
pub mod product;
pub mod record;
pub mod reply;
pub mod reservation_record;
pub mod tag;
pub mod unique;
mod words;
