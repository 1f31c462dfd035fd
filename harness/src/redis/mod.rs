//! Redis servers, with a clock that can be set, a disk whose power can be cut, and the records that lie on them.

pub mod clock;
pub mod disk;
pub mod record;
mod server;

pub use server::{Fsync, RedisServer, command, connect};
