#![doc = include_str!("../README.md")]

pub mod data;
pub mod front;
pub mod http;
pub mod ids;
pub mod network;
pub mod observers;
pub mod processes;
pub mod redis;
pub mod service;
pub mod systems;
pub mod wait;

pub use data::Data;
pub use front::{Answer, Front};
pub use processes::settings::{Settings, lease_is_short};
pub use redis::disk::Disk;
pub use redis::{Fsync, RedisServer};
pub use service::Service;
pub use systems::cluster::{Cluster, ClusterOptions};
pub use systems::replicas::Replicas;
pub use systems::shop::{Shop, ShopOptions};
pub use wait::eventually;
