//! A disk that is full under the append-only file of a shard.

use std::time::Duration;

use shardcart_harness::{Service, Settings, eventually};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::scene::Scene;

/// How long the disk stays full once it has been noticed.
const FULL: Duration = Duration::from_millis(800);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_a_shard_of_each_service_is_full_and_has_room_again() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, shard) in [(Service::Order, 0), (Service::Stock, 1), (Service::Payment, 0)] {
        let act = scene.act().await;
        let fault = Fault::new(Kind::FullDisk, Place::Shard(service, shard));
        fault.begin(&mut scene.cluster).await;
        // With `appendfsync always` a server that cannot write ends itself: it could not keep what it answers.
        eventually(format!("a {service} shard notices its full disk"), Duration::from_secs(20), async || {
            (!scene.cluster.redis(service, shard).is_running()).then_some(())
        })
        .await;
        tokio::time::sleep(FULL).await;
        fault.end(&mut scene.cluster).await;
        scene.end(act).await.is_clean();
    }
}
