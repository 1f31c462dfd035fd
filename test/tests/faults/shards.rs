//! Redis servers that lose their scripts, restart, are full, or stay away for long.

use std::time::Duration;

use shardcart_harness::{Service, Settings};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::scene::Scene;

const BRIEFLY: Duration = Duration::from_millis(300);
/// Longer than a lease, a deadline and the wait of a checkout.
const LONG: Duration = Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_flushed_everywhere_again_and_again() {
    let mut scene = Scene::start(Settings::none()).await;
    let act = scene.act().await;
    for _ in 0..5 {
        for service in Service::ALL {
            for shard in 0..2 {
                Fault::new(Kind::FlushScripts, Place::Shard(service, shard)).begin(&mut scene.cluster).await;
                tokio::time::sleep(BRIEFLY / 6).await;
            }
        }
    }
    scene.end(act).await.is_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shard_is_restarted() {
    let mut scene = Scene::start(Settings::none()).await;
    let act = scene.act().await;
    for service in Service::ALL {
        for shard in 0..2 {
            Fault::new(Kind::Restart, Place::Shard(service, shard)).begin(&mut scene.cluster).await;
            tokio::time::sleep(BRIEFLY).await;
        }
    }
    scene.end(act).await.is_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_of_each_service_is_full_for_a_while() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, shard) in [(Service::Order, 0), (Service::Stock, 1), (Service::Payment, 0)] {
        scene.play(Fault::new(Kind::FullMemory, Place::Shard(service, shard)), BRIEFLY * 4).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_stays_away_for_long_and_comes_back() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, shard) in [(Service::Stock, 0), (Service::Order, 1), (Service::Payment, 1)] {
        scene.play(Fault::new(Kind::Away, Place::Shard(service, shard)), LONG).await;
    }
}
