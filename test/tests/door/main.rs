//! The API as clients meet it: what each call does, alone, repeated, at once and in bulk. A checkout may meet recovery in
//! all of these, so `make lease` runs them once more.

mod batch_load;
mod consistency;
mod contract;
mod full;
mod idempotency;
mod model;
mod tombstones;
