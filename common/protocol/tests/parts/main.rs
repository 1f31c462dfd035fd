//! The participant protocol on real Redis servers and between processes: batches, requests, review.

mod participant_client;
mod remote;
mod review;
