//! One fault at a time, and several, in a cluster under load: afterwards every answer was true, the books agree,
//! nothing is in flight and every order can go on.

mod brief;
mod disks;
mod dying;
mod killed;
mod lines;
mod lost_shard;
mod messages;
mod processes;
mod purchase;
mod random;
mod releases;
mod rolling;
mod scene;
mod shards;
