//! Several faults at random, from a seed that is printed: `SHARDCART_TEST_SEED` plays it again.

use std::time::Duration;

use shardcart_harness::Settings;
use shardcart_test::schedule::Schedule;
use shardcart_test::storm;
use tokio::sync::watch;

use crate::scene::Scene;

/// Rounds, and how long faults begin in each.
const ROUNDS: usize = 2;
const LENGTH: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_at_random_leave_every_answer_true() {
    let seed = std::env::var("SHARDCART_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("SHARDCART_TEST_SEED={seed}");
    let mut scene = Scene::start(Settings::none()).await;
    let mut schedule = Schedule::new(seed, false);
    let (_goes_on, mut stop) = watch::channel(false);
    for _ in 0..ROUNDS {
        let planned = schedule.round(LENGTH);
        println!("{planned:#?}");
        let act = scene.act().await;
        storm::play(&mut scene.cluster, &planned, &mut stop).await;
        let verdict = scene.end(act).await;
        println!("{} orders, {} paid, settled after {:?}", verdict.orders, verdict.paid, verdict.settled_after);
        verdict.is_clean();
    }
}
