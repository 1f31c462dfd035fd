//! Where a shop keeps its data: the directory, and the Redis servers in it, started, stopped, killed, left behind.

mod crash;
mod data_dir;
mod leftover;
mod refusal;
mod start;
mod support;
