//! Whole systems: a shop, one machine alone, a cluster with its relays and replicas, the shipped gateway and
//! others, and what is rendered for Kubernetes.

pub mod cluster;
pub mod foreign_gateway;
pub mod gateway;
pub mod kube;
pub mod lone;
pub mod relays;
pub mod replicas;
pub mod shop;
