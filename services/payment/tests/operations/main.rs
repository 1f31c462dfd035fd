//! The payment service's operations on a real Redis, one file each.

mod add_funds;
mod arrival;
mod batch;
mod cancel;
mod cancel_payment;
mod confirm;
mod create;
mod credit;
mod flushed;
mod full;
mod idempotency;
mod incarnations;
mod load;
mod pay;
mod pay_order;
mod reserve;
mod review;
mod status;
mod support;
mod table;
mod together;
