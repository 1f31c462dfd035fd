//! The checkout: one attempt from begin to its decision. `coordinator` drives it; the other modules are its parts.

pub mod admission;
pub mod attempts;
mod checkout_telemetry;
pub mod coordinator;
