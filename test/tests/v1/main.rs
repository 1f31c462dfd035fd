//! The API of /v1 as those meet it who build a shop on it.

mod cli;
mod client;
mod handles_raced;
mod products;
mod products_audited;
mod rows;
