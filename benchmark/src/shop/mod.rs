//! How a client reaches a shop: connections, requests, the three services.

pub mod client;
pub mod control;
pub mod front;
pub mod http;
#[cfg(test)]
pub mod standin;
