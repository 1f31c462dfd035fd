//! What watches a system: a collector of spans, and Prometheus.

pub mod collector;
pub mod prometheus;
