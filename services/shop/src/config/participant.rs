//! The settings that stock and payment have in common.

use clap::Args;
use shardcart_protocol::settings::{MachineSettings, OrderServiceSettings};

use super::common::Common;

/// What a participant's machine is started with, but for its ports.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Who knows the orders, and when it is asked
    #[command(flatten)]
    pub orders: OrderServiceSettings,
    /// Shards, identity, secret
    #[command(flatten)]
    pub machine: MachineSettings,
    /// What every program has
    #[command(flatten)]
    pub common: Common,
}
