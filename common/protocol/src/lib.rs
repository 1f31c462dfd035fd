#![doc = include_str!("../README.md")]

pub mod batch_metrics;
pub mod batch_pacer;
pub mod coalescer;
pub mod fault;
pub mod insight;
pub mod internal;
pub mod orders;
pub mod participant;
pub mod participant_client;
pub mod peers;
pub mod remote_participant;
pub mod reservation;
pub mod review;
pub mod settings;
