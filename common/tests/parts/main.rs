//! What the services share, on real Redis servers: connections, identity, membership, minting, batches, requests, review.

mod participant_client;
mod connection;
mod identity;
mod membership;
mod mint;
mod pipeline;
mod remote;
mod review;
mod support;
mod waiting;
