//! The Redis servers of a shop, with a real `redis-server`: started, stopped, killed, left behind.

mod crash;
mod leftover;
mod refusal;
mod start;
mod support;
