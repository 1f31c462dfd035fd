//! What operators do: start and grow a system, look at it, audit it.

mod audit;
mod audit_changes;
mod audit_planted;
mod browser;
mod console;
mod growth;
mod look;
mod shop_start;
