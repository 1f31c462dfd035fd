//! The checkout of an order: everything is taken, once, or nothing.
//!
//! Read `coordinator` first (`checkout`, `pay`, `drive`), then the steps of an attempt in their order: `begin`,
//! `reserve`, `decide` (the write that makes an order paid) or `give_up`; `wait` is for the attempt of another
//! checkout.

pub mod admission;
pub mod attempts;
mod begin;
mod checkout_telemetry;
pub mod coordinator;
mod decide;
mod give_up;
mod patience;
mod reserve;
mod step;
mod wait;
