//! The faces of the payment service: each calls the same operations.

pub mod legacy;
mod problems;
