//! Clients that buy in a world for as long as they are let, and note what they are told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::Method;
use shardcart_harness::front::Front;
use shardcart_harness::service::Service;
use shardcart_harness::systems::cluster::Cluster;
use tokio::task::JoinHandle;

use super::orders::{Outcome, Placed, Told};
use super::people::{PRICE, World};

/// How often one order is checked out, at most, by a client that wants a definite answer.
const TRIES: usize = 200;
/// The pause before a client asks again.
const PAUSE: Duration = Duration::from_millis(50);

/// The ways to a system.
#[derive(Debug, Clone)]
pub struct Fronts {
    /// Behind the gateway.
    pub gateway: Front,
    /// To each machine of its own.
    pub machines: Vec<Front>,
}

impl Fronts {
    /// The ways to a cluster of two machines a service.
    pub fn of(cluster: &Cluster) -> Fronts {
        Fronts { gateway: cluster.front(), machines: vec![cluster.direct(0), cluster.direct(1)] }
    }
}

/// What all clients together were told.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers to checkouts, by word.
    pub answers: Mutex<BTreeMap<String, u64>>,
    /// Checkouts that were answered 200 for the first time.
    pub paid: AtomicU64,
    /// The longest that a client waited for an answer, in milliseconds.
    pub waited_ms: AtomicU64,
}

impl Tally {
    fn note(&self, told: &Told) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry(told.outcome.word()).or_default() += 1;
        let waited = u64::try_from((told.heard - told.sent).as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_max(waited, Ordering::Relaxed);
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Placed>>>,
    tally: Arc<Tally>,
}

impl Load {
    /// Starts clients; each pauses for up to twice `think` before it places an order.
    pub fn start(
        fronts: &Fronts,
        world: &Arc<World>,
        clients: u64,
        think: Duration,
        seed: u64,
        tally: &Arc<Tally>,
    ) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: u64| {
            let client = Client {
                fronts: fronts.clone(),
                world: Arc::clone(world),
                stop: Arc::clone(&stop),
                tally: Arc::clone(tally),
            };
            let random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
            tokio::spawn(client.shop(random, think))
        };
        let clients = (0..clients).map(client).collect();
        Load { stop, clients, tally: Arc::clone(tally) }
    }

    /// Waits until so many checkouts of all that share this tally have been paid.
    ///
    /// # Panics
    /// When that takes more than a minute.
    pub async fn paid(&self, more: u64) {
        let wanted = self.tally.paid.load(Ordering::Relaxed) + more;
        shardcart_harness::wait::eventually(
            format!("{wanted} checkouts are paid"),
            Duration::from_secs(60),
            async || (self.tally.paid.load(Ordering::Relaxed) >= wanted).then_some(()),
        )
        .await;
    }

    /// Tells the clients to repeat nothing and to begin nothing more, and gives all that they placed.
    pub async fn end(self) -> Vec<Placed> {
        self.stop.store(true, Ordering::Relaxed);
        let mut placed = Vec::new();
        for client in self.clients {
            placed.extend(client.await.expect("a client does not panic"));
        }
        placed
    }
}

struct Client {
    fronts: Fronts,
    world: Arc<World>,
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

impl Client {
    async fn shop(self, mut random: fastrand::Rng, think: Duration) -> Vec<Placed> {
        let mut all = Vec::new();
        while !self.is_over() {
            tokio::time::sleep(think.mul_f64(2.0 * random.f64())).await;
            if let Some(mut placed) = self.place(&mut random).await {
                self.buy(&mut placed, &mut random).await;
                all.push(placed);
            }
        }
        all
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Fills a cart. One of which it is not known what is in it is left and never checked out.
    async fn place(&self, random: &mut fastrand::Rng) -> Option<Placed> {
        let (user, lines) = self.world.cart(random);
        let user = self.world.users[user].0.clone();
        let front = &self.fronts.gateway;
        let created = self.post(front, Service::Order, format!("/create/{user}")).await?;
        let order = created["order_id"].as_str()?.to_owned();
        for (item, units) in &lines {
            self.post(front, Service::Order, format!("/addItem/{order}/{item}/{units}")).await?;
        }
        let total = lines.values().sum::<u64>() * PRICE;
        Some(Placed { order, user, lines, total, told: Vec::new(), paid_directly: Vec::new(), given_back: false })
    }

    /// The body of a success; `None` for all else, after a pause.
    async fn post(&self, front: &Front, service: Service, path: String) -> Option<serde_json::Value> {
        match front.try_call(Method::POST, service, &path).await {
            Ok(answer) if answer.status == 200 => Some(answer.body),
            _ => {
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }

    async fn buy(&self, placed: &mut Placed, random: &mut fastrand::Rng) {
        let Fronts { gateway, machines } = &self.fronts;
        let Some(machine) = random.choice(machines) else { return };
        match random.u8(0..20) {
            // As a client should: until it is definite.
            0..9 => self.insist(gateway, placed).await,
            // Directly, and again when it has its answer.
            9..12 => {
                self.insist(machine, placed).await;
                self.check_out(gateway, placed).await;
            }
            // By three at once, over different machines.
            12..16 => {
                let order = placed.order.clone();
                let all = machines.iter().chain([gateway]).map(|front| self.told(front, &order));
                placed.told.extend(join_all(all).await);
                self.insist(gateway, placed).await;
            }
            // Once, and left at that.
            16..18 => self.check_out(machine, placed).await,
            // While it is also paid directly, which may be given back.
            _ => {
                let pay = format!("/pay/{}/{}/{}", placed.user, placed.order, placed.total);
                let pay = gateway.try_call(Method::POST, Service::Payment, &pay);
                let (order, mut answered) = (placed.order.clone(), Vec::new());
                let (told, paid) = tokio::join!(self.told(gateway, &order), pay);
                placed.told.push(told);
                answered.push(Outcome::of(&paid));
                if random.bool() {
                    placed.given_back = true;
                    let cancel = format!("/cancel/{}/{}", placed.user, placed.order);
                    let _ = gateway.try_call(Method::POST, Service::Payment, &cancel).await;
                }
                placed.paid_directly = answered;
                self.check_out(gateway, placed).await;
            }
        }
        if placed.told.iter().any(|told| told.outcome == Outcome::Paid) {
            self.tally.paid.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks until the answer is definite, or the faults are over.
    async fn insist(&self, front: &Front, placed: &mut Placed) {
        for _ in 0..TRIES {
            self.check_out(front, placed).await;
            let last = placed.told.last().map(|told| &told.outcome);
            if self.is_over() || !last.is_some_and(Outcome::is_open) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn check_out(&self, front: &Front, placed: &mut Placed) {
        let told = self.told(front, &placed.order).await;
        placed.told.push(told);
    }

    async fn told(&self, front: &Front, order: &str) -> Told {
        let sent = Instant::now();
        let answer = front.try_checkout(order).await;
        let told = Told { sent, heard: Instant::now(), outcome: Outcome::of(&answer) };
        self.tally.note(&told);
        told
    }
}
