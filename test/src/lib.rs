#![doc = include_str!("../README.md")]

pub mod auditor;
pub mod binaries;
pub mod buyers;
pub mod child;
pub mod cluster;
pub mod data;
pub mod front;
pub mod gateway;
pub mod given;
pub mod http;
pub mod ids;
pub mod kube;
pub mod lone;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod service;
pub mod settings;
pub mod shop;
pub mod stage;
pub mod thousand;
pub mod wait;

pub use cluster::{Cluster, ClusterOptions};
pub use data::Data;
pub use front::{Answer, Front};
pub use redis::{Fsync, RedisServer};
pub use service::Service;
pub use settings::{Settings, lease_is_short};
pub use shop::{Shop, ShopOptions};
pub use stage::Stage;
pub use wait::eventually;
