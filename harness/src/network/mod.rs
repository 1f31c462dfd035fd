//! Free ports and addresses, and what can stand on a line: relays of bytes and of messages, and a gateway.

pub mod addresses;
pub mod messages;
pub mod nginx;
pub mod ports;
pub mod proxy;
pub mod relay;
