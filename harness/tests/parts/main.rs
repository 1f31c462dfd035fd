//! The parts of the harness that other tests rely on.

mod ports;
mod proxy;
mod redis_server;
