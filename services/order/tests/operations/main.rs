//! The order service's operations on a real Redis, one file each.

mod abort;
mod add_item;
mod arrival;
mod begin;
mod checkout;
mod claim;
mod create;
mod decide;
mod find;
mod finish;
mod flushed;
mod full;
mod idempotency;
mod load;
mod order_status;
mod recovery;
mod refuse;
mod remove;
mod remove_item;
mod settle;
mod support;
mod table;
mod take_over;
mod together;
