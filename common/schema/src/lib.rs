#![doc = include_str!("../README.md")]

pub mod limit;
pub mod lua;
pub mod record;
pub mod reservation_record;
