//! Where the shop's data is: on Redis servers that it starts, or on some that already run.

use std::path::PathBuf;
use std::time::Duration;

use shardcart_types::address::Address;

use crate::config::shop::Config;
use crate::data_dir::DataDir;
use crate::redis_servers::RedisServers;

/// How often the shop looks whether its Redis servers still run.
const LOOK: Duration = Duration::from_millis(200);

/// The shards of the three services, and what has to be looked after to keep them.
#[derive(Debug)]
pub struct Storage {
    /// Of orders.
    pub order: Vec<Address>,
    /// Of items.
    pub stock: Vec<Address>,
    /// Of users.
    pub payment: Vec<Address>,
    own: Option<(RedisServers, DataDir)>,
}

impl Storage {
    /// Starts the shop's own Redis servers, unless the settings name others.
    ///
    /// # Errors
    /// One line that says what to do; nothing is left running.
    pub fn open(config: &Config) -> Result<Self, String> {
        if !config.order_redis.is_empty() {
            let (order, stock, payment) =
                (config.order_redis.clone(), config.stock_redis.clone(), config.payment_redis.clone());
            return Ok(Storage { order, stock, payment, own: None });
        }
        if config.common.redis.redis_wait_replicas > 0 {
            return Err(format!(
                "REDIS_WAIT_REPLICAS={}: the Redis servers that the shop starts have no replicas, so no call would ever be answered; \
                 set it to 0, or name servers that have some (ORDER_REDIS_ADDRS, STOCK_REDIS_ADDRS, PAYMENT_REDIS_ADDRS)",
                config.common.redis.redis_wait_replicas
            ));
        }
        // Before the data directory: without a server to start there is nothing to make there.
        RedisServers::check_program(&config.redis_server).map_err(|error| error.to_string())?;
        let data_dir = DataDir::open(&config.data_dir, config.shards).map_err(|error| error.to_string())?;
        let servers =
            RedisServers::start(&data_dir, &config.redis_server, config.fsync).map_err(|error| error.to_string())?;
        let addresses = |service| {
            servers.addresses(service).iter().map(|address| address.parse()).collect::<Result<Vec<Address>, String>>()
        };
        let (order, stock, payment) = (addresses("order")?, addresses("stock")?, addresses("payment")?);
        Ok(Storage { order, stock, payment, own: Some((servers, data_dir)) })
    }

    /// The data directory, if the servers are the shop's own.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|(_, data_dir)| data_dir.path().to_owned())
    }

    /// Restarts own servers that have exited, for as long as it is polled.
    pub async fn look_after(&mut self) {
        let Some((servers, _)) = &mut self.own else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(LOOK).await;
            servers.restart_exited();
        }
    }

    /// Stops own servers; returns when they have written their data out.
    pub fn close(self) {
        if let Some((servers, _data_dir)) = self.own {
            servers.stop();
        }
    }
}
