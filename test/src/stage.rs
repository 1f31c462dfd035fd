//! Where a scenario is played: the same tests run on a shop and on a cluster.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::thread;

use shardcart_harness::data::Data;
use shardcart_harness::front::Front;
use shardcart_harness::processes::settings::Settings;
use shardcart_harness::service::Service;
use shardcart_harness::systems::cluster::{Cluster, ClusterOptions};
use shardcart_harness::systems::kube::{self, Kube};
use shardcart_harness::systems::shop::{Shop, ShopOptions};
use tokio::sync::Mutex;

use crate::given::Given;

/// A running system, with a client of the test's own and a view of its data.
#[derive(Debug)]
pub struct Stage {
    front: Front,
    /// One machine of each service, without a proxy; for a shop the same as the front.
    pub direct: Front,
    /// What lies in Redis.
    pub data: Data,
    system: Arc<dyn System>,
}

impl Deref for Stage {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.front
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A shared system outlives this test, and would not report by itself.
        if thread::panicking() && Arc::strong_count(&self.system) > 1 {
            self.system.report();
        }
    }
}

trait System: fmt::Debug + Send + Sync {
    fn report(&self);
}

impl System for Shop {
    fn report(&self) {
        Shop::report(self);
    }
}

impl System for Cluster {
    fn report(&self) {
        Cluster::report(self);
    }
}

impl System for Kube {
    fn report(&self) {
        Kube::report(self);
    }
}

impl System for Given {
    fn report(&self) {}
}

static GATEWAY: Mutex<Weak<Kube>> = Mutex::const_new(Weak::new());
static SHOP: Mutex<Weak<Shop>> = Mutex::const_new(Weak::new());
static CLUSTER: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

impl Stage {
    /// A shop with one shard a service, shared with the tests of this suite that run meanwhile. It
    /// ends with the last of them.
    pub async fn shop() -> Stage {
        let mut shared = SHOP.lock().await;
        let shop = match shared.upgrade() {
            Some(shop) => shop,
            None => Arc::new(Shop::start().await),
        };
        *shared = Arc::downgrade(&shop);
        Stage::over_shop(shop)
    }

    /// A cluster of two machines and two shards a service, shared in the same way.
    pub async fn cluster() -> Stage {
        let mut shared = CLUSTER.lock().await;
        let cluster = match shared.upgrade() {
            Some(cluster) => cluster,
            None => Arc::new(Cluster::start().await),
        };
        *shared = Arc::downgrade(&cluster);
        Stage::over_cluster(cluster)
    }

    /// The system that is given to the tests, or else one as rendered for a cluster, of two machines and two shards a
    /// service, shared in the same way. Both are behind the gateway that is shipped.
    pub async fn gateway() -> Stage {
        if let Some(given) = Given::system() {
            let (front, direct, data) = (given.front(), given.direct(), given.data());
            return Stage { front, direct, data, system: Arc::new(given) };
        }
        let mut shared = GATEWAY.lock().await;
        let kube = match shared.upgrade() {
            Some(kube) => kube,
            None => {
                let kube = Arc::new(Kube::default());
                let settings =
                    [("SHARDS", "2"), ("ALLOW_BATCH_INIT", "true"), ("GATEWAY_PODS_MIN", "1"), ("FSYNC", "no")];
                kube.apply(kube::render("gke-scale/deploy.sh", &settings)).await;
                kube
            }
        };
        *shared = Arc::downgrade(&kube);
        Stage { front: kube.front(), direct: kube.direct(), data: kube.data(), system: kube }
    }

    /// A shop that no other test uses.
    pub async fn own_shop(shards: usize) -> Stage {
        let options = ShopOptions { shards, settings: Settings::none() };
        Stage::over_shop(Arc::new(Shop::start_with(options).await))
    }

    /// A cluster that no other test uses.
    pub async fn own_cluster() -> Stage {
        Stage::over_cluster(Arc::new(Cluster::start_with(ClusterOptions::default()).await))
    }

    /// How many shards each service has.
    pub fn shard_count(&self) -> usize {
        self.data.shard_count(Service::Stock)
    }

    fn over_shop(shop: Arc<Shop>) -> Stage {
        Stage { front: shop.front(), direct: shop.front(), data: shop.data(), system: shop }
    }

    fn over_cluster(cluster: Arc<Cluster>) -> Stage {
        Stage { front: cluster.front(), direct: cluster.direct(0), data: cluster.data(), system: cluster }
    }
}

/// Stamps out each scenario (an `async fn(&Stage)` of the calling file) as a test on a shop, as a test on a cluster,
/// and as a test behind the shipped gateway, each shared by the tests of the suite.
#[macro_export]
macro_rules! on_shop_and_cluster {
    ($($scenario:ident),+ $(,)?) => {
        mod shop {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(&$crate::Stage::shop().await).await;
            })+
        }
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(&$crate::Stage::cluster().await).await;
            })+
        }
        mod gateway {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                // What is shipped is configured with the lease that is shipped.
                if !shardcart_harness::lease_is_short() {
                    super::$scenario(&$crate::Stage::gateway().await).await;
                }
            })+
        }
    };
}

/// The same with systems of their own: for scenarios that load data in bulk, or count everything.
/// The shop is tried with one shard and with two.
#[macro_export]
macro_rules! on_systems_of_their_own {
    ($($scenario:ident),+ $(,)?) => {
        mod own_shop {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(&$crate::Stage::own_shop(1).await).await;
            })+
        }
        mod own_sharded_shop {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(&$crate::Stage::own_shop(2).await).await;
            })+
        }
        mod own_cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(&$crate::Stage::own_cluster().await).await;
            })+
        }
    };
}
