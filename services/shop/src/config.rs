//! Every setting of the four programs.

pub mod common;
pub mod order;
pub mod participant;
pub mod payment;
pub mod shop;
pub mod stock;
