//! Shards on real Redis servers: connections, pipelines, replica acknowledgement, identity, membership, minting.

mod cluster;
mod connection;
mod idempotency;
mod identity;
mod membership;
mod mint;
mod pipeline;
mod replica_ack;
mod support;
