//! The commands that look at a system: `shop audit`, `shop status`, `shop inspect`. What they show is in
//! `shardcart-operator`; here are their arguments, and where they find the data.

pub mod audit;
pub mod data;
pub mod inspect;
pub mod look;
pub mod status;
