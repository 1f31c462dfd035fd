//! What operators see: metrics, traces, and a real Prometheus in which every panel has data and every alert fires.

mod alerts;
mod files;
mod metrics;
mod panels;
mod traces;
