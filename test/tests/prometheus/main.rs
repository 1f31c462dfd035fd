//! What operators look at, tried with a real Prometheus: every panel has data, every alert fires and clears.

mod alerts;
mod files;
mod panels;
