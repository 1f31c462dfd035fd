//! A replica for each shard of a cluster, and what an operator does when the primaries die.

use futures_util::future::join_all;

use crate::redis::RedisServer;
use crate::service::Service;
use crate::systems::cluster::Cluster;

/// One replica for each shard. They end when dropped.
#[derive(Debug)]
pub struct Replicas([Vec<RedisServer>; 3]);

impl Replicas {
    /// Starts them, and returns when they have all that is there.
    pub async fn of(cluster: &Cluster) -> Replicas {
        let start = |service| join_all(cluster.shards(service).iter().map(RedisServer::start_replica_of));
        let all = join_all(Service::ALL.map(start)).await;
        Replicas(all.try_into().expect("there are three services"))
    }

    /// The replica of a shard, counted from 0.
    pub fn of_shard(&self, service: Service, shard: usize) -> &RedisServer {
        &self.0[service.index()][shard]
    }

    /// Waits until they have all that their primaries have. Nothing may be written meanwhile.
    pub async fn have_all(&self, cluster: &Cluster) {
        for service in Service::ALL {
            for (replica, primary) in self.0[service.index()].iter().zip(cluster.shards(service)) {
                replica.has_all_of(primary).await;
            }
        }
    }

    /// Cuts all of them off from their primaries.
    pub async fn cut_off(&self) {
        join_all(self.0.iter().flatten().map(RedisServer::cut_off)).await;
    }

    /// Kills every primary without warning and makes the replicas primaries in their places. The machines know of it
    /// from their next start on.
    pub async fn take_over(self, cluster: &mut Cluster) {
        for service in Service::ALL {
            for shard in 0..cluster.shards(service).len() {
                cluster.redis(service, shard).kill9();
            }
        }
        for (service, replicas) in Service::ALL.into_iter().zip(self.0) {
            for (shard, replica) in replicas.into_iter().enumerate() {
                replica.promote().await;
                *cluster.redis(service, shard) = replica;
            }
        }
    }
}
