//! A cluster with relays, clients that buy all the while, and a judge at the end of each act.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shardcart_harness::{Cluster, ClusterOptions, Service, Settings, eventually};
use shardcart_test::fault::Fault;
use shardcart_test::world::{Fronts, Judge, Load, Tally, Verdict, World};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::purchase::Purchase;

/// Clusters at once in this process: each is twelve processes.
static CLUSTERS: Semaphore = Semaphore::const_new(3);
/// Buyers, and how long they pause on average before each order.
const CLIENTS: u64 = 16;
const THINK: Duration = Duration::from_millis(30);
/// About how long an act lasts.
const LASTS: Duration = Duration::from_secs(2);
/// How long a machine may take to die at an injection point: with a lease of 20 ms it may need many attempts to get there.
const DIES: Duration = Duration::from_secs(180);
/// Checkouts that succeed before a fault.
const BEFORE: u64 = 15;

/// The settings of a cluster in which a slow disk must not pass for a fault.
pub fn patient() -> Settings {
    Settings::none().with("REDIS_TIMEOUT_MS", 5_000).with("PARTICIPANT_TIMEOUT_MS", 5_000)
}

/// A cluster in which faults are played.
pub struct Scene {
    pub cluster: Cluster,
    pub judge: Judge,
    pub fronts: Fronts,
    acts: u64,
    _turn: SemaphorePermit<'static>,
}

/// A load in a world of its own.
pub struct Act {
    world: Arc<World>,
    load: Load,
}

impl Scene {
    pub async fn start(settings: Settings) -> Scene {
        let turn = CLUSTERS.acquire().await.expect("nobody closes the semaphore");
        let cluster = Cluster::start_relayed(ClusterOptions { settings, ..ClusterOptions::default() }).await;
        Scene { judge: Judge::of(&cluster), fronts: Fronts::of(&cluster), cluster, acts: 0, _turn: turn }
    }

    /// Starts a load, and returns when it buys.
    pub async fn act(&mut self) -> Act {
        self.acts += 1;
        let world = Arc::new(World::prepare(&self.fronts.gateway, LASTS).await);
        let tally = Arc::new(Tally::default());
        let load = Load::start(&self.fronts, &world, CLIENTS, THINK, self.acts, &tally);
        load.paid(BEFORE).await;
        Act { world, load }
    }

    /// Waits until all is up again, then ends the load and has everything judged.
    pub async fn end(&mut self, act: Act) -> Verdict {
        self.cluster.all_ready().await;
        let ended = Instant::now();
        let placed = act.load.end().await;
        self.judge.judge(&act.world, placed, ended).await
    }

    /// A whole act with one fault, which lasts so long.
    pub async fn play(&mut self, fault: Fault, lasts: Duration) {
        let act = self.act().await;
        fault.begin(&mut self.cluster).await;
        tokio::time::sleep(lasts).await;
        fault.end(&mut self.cluster).await;
        let verdict = self.end(act).await;
        println!(
            "{fault:?}: {} orders, {} paid, settled after {:?}",
            verdict.orders, verdict.paid, verdict.settled_after
        );
        verdict.is_clean();
    }

    /// Restarts a machine so that it dies at an injection point.
    pub async fn start_dying(&mut self, service: Service, machine: usize, point: &str) {
        self.cluster.end_machine(service, machine).await;
        let dies = Settings::none().with("FAULT_AT", point);
        self.cluster.start_machine_with(service, machine, &dies).await;
    }

    /// Checks out at an order machine that was started to die, until it is dead.
    pub async fn die(&mut self, machine: usize, purchase: &Purchase) {
        let direct = self.cluster.direct(machine);
        eventually("an order machine dies", DIES, async || {
            // An attempt may be given up before it gets there, by a short lease or on a very busy computer.
            let answer = direct.try_checkout(&purchase.order).await;
            let process = self.cluster.process(Service::Order, machine);
            if answer.is_ok_and(|answer| answer.status == 200) {
                // It has answered, and dies while it settles.
                process.ended(DIES).await;
            }
            (!process.is_running()).then_some(())
        })
        .await;
    }
}
