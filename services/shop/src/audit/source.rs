//! Where the audited data is: on Redis servers given by address, on those of a running shop, or on some that are
//! started for the audit.

use std::sync::Arc;

use shardcart_store::membership::Membership;
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::Shards;
use shardcart_types::address::Address;

use super::AuditError;
use crate::data_args::DataArgs;
use crate::data_dir::{self, DataDir, SERVICES};
use crate::redis_servers::{Fsync, RedisServers};
use crate::start_error::StartError;

/// The shards of the three services, opened for reading.
#[derive(Debug)]
pub struct Source {
    /// Of orders.
    pub order: Arc<Shards>,
    /// Of items.
    pub stock: Arc<Shards>,
    /// Of users.
    pub payment: Arc<Shards>,
}

/// Servers that were started for the audit.
#[derive(Debug)]
pub struct Started(Option<(RedisServers, DataDir)>);

impl Started {
    /// Stops them; returns when they are gone.
    pub fn stop(self) {
        if let Some((servers, _data_dir)) = self.0 {
            servers.stop();
        }
    }
}

/// Finds the servers, and starts them where no shop does.
///
/// # Errors
/// `Setting`: there is no data there. `Failed`: the servers cannot be started.
pub fn find(args: &DataArgs) -> Result<([Vec<Address>; 3], RedisSettings, Started), AuditError> {
    if !args.order_redis.is_empty() {
        let addresses = [&args.order_redis, &args.stock_redis, &args.payment_redis].map(Clone::clone);
        return Ok((addresses, args.redis(false), Started(None)));
    }
    let failed = |error: StartError| AuditError::Failed(error.to_string());
    let shards = data_dir::shards_of(&args.data_dir).map_err(failed)?;
    if shards == 0 {
        return Err(AuditError::Setting(format!(
            "there is no shop's data in {}; name it with --data-dir, or give the shards' addresses (see --help)",
            args.data_dir.display()
        )));
    }
    let (paths, started) = match DataDir::open(&args.data_dir, shards) {
        Ok(data_dir) => {
            let servers = RedisServers::start(&data_dir, &args.redis_server, Fsync::Always).map_err(failed)?;
            (SERVICES.map(|service| servers.addresses(service)), Started(Some((servers, data_dir))))
        }
        // A shop runs on it: its servers are asked.
        Err(StartError::InUse(path)) => {
            (SERVICES.map(|service| data_dir::addresses(&path, service, shards)), Started(None))
        }
        Err(error) => return Err(failed(error)),
    };
    let mut addresses = [const { Vec::new() }; 3];
    for (addresses, paths) in addresses.iter_mut().zip(&paths) {
        for path in paths {
            addresses.push(path.parse::<Address>().map_err(AuditError::Setting)?);
        }
    }
    Ok((addresses, args.redis(true), started))
}

impl Source {
    /// Connects, and checks that these are all shards of the three services, each in its place.
    ///
    /// # Errors
    /// `Failed`: a shard does not answer, or is not what it should be.
    pub async fn open(addresses: [Vec<Address>; 3], redis: &RedisSettings) -> Result<Self, AuditError> {
        let [order, stock, payment] = addresses;
        let open = |service, addresses| async move {
            let membership = Membership::observe(service, addresses, redis).await?;
            Shards::new(&membership).map(Arc::new)
        };
        let (order, stock, payment) =
            tokio::join!(open("order", order), open("stock", stock), open("payment", payment));
        let failed = AuditError::Failed;
        Ok(Source { order: order.map_err(failed)?, stock: stock.map_err(failed)?, payment: payment.map_err(failed)? })
    }

    /// The three services.
    pub fn all(&self) -> [&Shards; 3] {
        [&self.order, &self.stock, &self.payment]
    }
}
