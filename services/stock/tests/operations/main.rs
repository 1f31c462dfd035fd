//! The stock service's operations on a real Redis, one file each.

mod add;
mod arrival;
mod batch;
mod cancel;
mod confirm;
mod create;
mod find;
mod flushed;
mod full;
mod idempotency;
mod load;
mod reserve;
mod review;
mod subtract;
mod support;
mod table;
