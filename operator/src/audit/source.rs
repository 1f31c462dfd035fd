//! The audited data: the shards of the three services.

use std::sync::Arc;

use shardcart_store::membership::Membership;
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::Shards;
use shardcart_types::address::Address;

use super::AuditError;

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
