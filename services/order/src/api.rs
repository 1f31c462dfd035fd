//! The faces of the order service: each calls the same operations.

pub mod legacy;
mod problems;
