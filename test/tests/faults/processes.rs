//! Processes that die, and processes that are stopped for longer than any lease and any patience, and then run on.

use std::time::Duration;

use shardcart_harness::{Service, Settings};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::scene::Scene;

/// How long what was killed stays away.
const AWAY: Duration = Duration::from_millis(800);
/// How long what is stopped stays so: longer than a lease, and than a reply is waited for.
const STOPPED: Duration = Duration::from_millis(3_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_of_each_service_is_killed() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, machine) in [(Service::Order, 0), (Service::Stock, 1), (Service::Payment, 0)] {
        scene.play(Fault::new(Kind::Kill, Place::Machine(service, machine)), AWAY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_of_each_service_is_killed() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, shard) in [(Service::Order, 1), (Service::Stock, 0), (Service::Payment, 1)] {
        scene.play(Fault::new(Kind::Kill, Place::Shard(service, shard)), AWAY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_of_each_service_is_stopped_and_continued() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, machine) in [(Service::Order, 1), (Service::Stock, 0), (Service::Payment, 1)] {
        scene.play(Fault::new(Kind::Pause, Place::Machine(service, machine)), STOPPED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_of_each_service_is_stopped_and_continued() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, shard) in [(Service::Order, 0), (Service::Stock, 1), (Service::Payment, 0)] {
        scene.play(Fault::new(Kind::Pause, Place::Shard(service, shard)), STOPPED).await;
    }
}
