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
mod handle_race;
mod handles;
mod idempotency;
mod imports;
mod lists;
mod load;
mod products;
mod reserve;
mod review;
mod stock_changes;
mod subtract;
mod support;
mod table;
mod together;
