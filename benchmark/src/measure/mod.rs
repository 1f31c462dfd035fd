//! What a system spends: CPU time of its processes, and when its orders are settled.

pub mod cpu;
pub mod settle;
