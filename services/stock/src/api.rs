//! The faces of the stock service: each calls the same operations.

pub mod legacy;
mod problems;
