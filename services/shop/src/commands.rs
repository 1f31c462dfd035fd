//! The commands that look at a system (`shop audit`, `shop status`, `shop inspect`) and those that use its API (`shop
//! products`, `shop openapi`). What they do is in `shardcart-operator`; here are their arguments, and whom they ask.

pub mod api;
pub mod audit;
pub mod data;
pub mod inspect;
pub mod look;
pub mod openapi;
pub mod products;
pub mod shell;
pub mod status;
