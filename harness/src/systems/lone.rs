//! One machine of the stock service without the other two: enough to see how a machine starts,
//! mints ids and knows its data again.

use crate::front::Front;
use crate::network::ports;
use crate::processes::process::{Process, Refusal};
use crate::processes::settings::Settings;
use crate::redis::RedisServer;
use crate::systems::cluster::TOKEN;

/// A machine that runs alone.
#[derive(Debug)]
pub struct LoneMachine {
    process: Process,
    port: u16,
}

impl LoneMachine {
    /// The settings of a stock machine over these shards that can start; it has free ports.
    pub fn settings(shards: &[&RedisServer]) -> Settings {
        let addresses: Vec<String> = shards.iter().map(|shard| shard.address()).collect();
        Settings::usual()
            .with("BIND", "127.0.0.1")
            .with("PORT", ports::free())
            .with("INTERNAL_PORT", ports::free())
            .with("INTERNAL_TOKEN", TOKEN)
            .with("REDIS_ADDRS", addresses.join(","))
            // Nobody listens there: a machine that holds nothing asks nobody.
            .with("ORDER_SERVICE_URL", format!("http://127.0.0.1:{}", ports::free()))
    }

    /// Starts it and returns when it is ready.
    pub async fn start(shards: &[&RedisServer], others: &Settings) -> LoneMachine {
        let port = ports::free();
        let settings = LoneMachine::settings(shards).with("PORT", port).and(others);
        let mut process = Process::start("stock", &settings);
        process.ready(port).await;
        LoneMachine { process, port }
    }

    /// Tries to start it over these shards and returns how it refused.
    pub async fn refused(shards: &[&RedisServer]) -> Refusal {
        Process::refused("stock", &LoneMachine::settings(shards)).await
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A client of its endpoints; the other services are not there.
    pub fn front(&self) -> Front {
        Front::direct([self.port; 3])
    }
}
