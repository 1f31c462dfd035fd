//! What is lost when disks, servers and replicas fail, and what is not.

mod fsync;
mod replicas;
