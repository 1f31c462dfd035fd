//! What is refused, and how it is said: requests, callers of the internal port, clients that do not finish, clients
//! behind gateways of others, and data that is not a machine's own.

mod clients;
mod connections;
mod foreign_gateways;
mod half_open;
mod identity;
mod internal;
mod probe;
mod problems;
mod v1;
