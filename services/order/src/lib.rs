#![doc = include_str!("../README.md")]

pub mod attempt;
pub mod audit;
pub mod config;
pub mod coordinator;
pub mod error;
pub mod handlers;
pub mod orders;
pub mod recovery;
pub mod settler;
pub mod settling;
pub mod standings;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use shardcart_common::batcher::Batcher;
use shardcart_common::gate::Gate;
use shardcart_common::health::{self, Health};
use shardcart_common::internal::Internal;
use shardcart_common::machine;
use shardcart_common::membership::{Fatal, Membership};
use shardcart_common::participant::{Participant, Prices, Service};
use shardcart_common::peers::{Peers, RemoteParticipant};
use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;
use tokio::sync::mpsc;

use config::{CheckoutSettings, Config};
use coordinator::Coordinator;
use handlers::State;
use settler::{SettleQueue, Settler};
use settling::{Settlement, Settling};
use standings::LocalOrders;

/// How long the last decided attempts may take to be settled when the machine stops.
pub const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// Stock and payment as one thread of the order service reaches them: in-process, or over HTTP.
pub struct Participants {
    /// Holds items.
    pub stock: Rc<dyn Participant>,
    /// Knows what they cost.
    pub prices: Rc<dyn Prices>,
    /// Holds credit.
    pub payment: Rc<dyn Participant>,
}

impl Participants {
    fn remote(config: &Config) -> Result<Self, String> {
        let peers = |urls| Peers::new(urls, &config.machine.internal_token, config.participant_timeout_ms);
        let stock = Rc::new(RemoteParticipant::new(Service::Stock, peers(&config.stock_service_url)?));
        let payment = Rc::new(RemoteParticipant::new(Service::Payment, peers(&config.payment_service_url)?));
        Ok(Participants { stock: Rc::<RemoteParticipant>::clone(&stock), prices: stock, payment })
    }

    fn settling(&self, shards: Arc<Shards>) -> Rc<Settling> {
        let stock = Batcher::new(Service::Stock, Rc::clone(&self.stock));
        let payment = Batcher::new(Service::Payment, Rc::clone(&self.payment));
        Rc::new(Settling { shards, stock, payment })
    }
}

/// What a worker thread's handlers work with.
pub fn state(
    shards: Arc<Shards>,
    participants: Participants,
    checkout: CheckoutSettings,
    batch_init: BatchInitSettings,
    queue: SettleQueue,
    gate: Arc<Gate>,
) -> Rc<State> {
    let coordinator = Coordinator::new(participants.settling(Arc::clone(&shards)), checkout, queue, gate);
    Rc::new(State { shards, prices: participants.prices, coordinator, batch_init })
}

/// Starts what goes on in the background, in this thread: settling and recovery.
pub fn start_background(
    shards: Arc<Shards>,
    participants: &Participants,
    checkout: &CheckoutSettings,
    queue: mpsc::Receiver<Settlement>,
) -> Settler {
    let settling = participants.settling(shards);
    rt::spawn(recovery::run(Rc::clone(&settling), checkout.recovery_interval_ms));
    Settler::start(settling, queue, checkout.settle_linger_ms)
}

/// Runs an order machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    config.checkout.check()?;
    config.machine.internal_token.check_token("INTERNAL_TOKEN")?;
    let listener = machine::listen("PORT", config.http.bind, config.port)?;
    let internal_listener = machine::listen("INTERNAL_PORT", config.http.bind, config.internal_port)?;
    let addresses = config.machine.redis_addrs.clone();
    let membership =
        Membership::establish("order", addresses, config.machine.machine_id, &config.redis, Fatal::default()).await?;
    let participants = Participants::remote(&config)?;

    let (queue, decided) = settler::queue();
    let gate = Gate::for_clients(&config.http);
    let internal_gate = Gate::for_services(&config.http);
    let shards = Arc::new(Shards::new(&membership)?);
    let settler = start_background(shards, &participants, &config.checkout, decided);
    rt::spawn(Arc::clone(&membership).watch_clocks());

    let public = {
        let (config, membership, gate) = (config.clone(), Arc::clone(&membership), Arc::clone(&gate));
        machine::serve(listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            let participants = Participants::remote(&config).expect("the same settings made clients at the start");
            service.app_data(Health::new(Arc::clone(&gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            let state = state(
                shards,
                participants,
                config.checkout.clone(),
                config.batch_init.clone(),
                queue.clone(),
                Arc::clone(&gate),
            );
            handlers::endpoints(service, state);
        })?
    };
    let internal = {
        let (config, membership, gate) = (config.clone(), Arc::clone(&membership), Arc::clone(&internal_gate));
        machine::serve(internal_listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            service.app_data(Health::new(Arc::clone(&gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            let orders = Rc::new(LocalOrders::new(shards));
            Internal::new(config.machine.internal_token.clone(), None, None, Some(orders)).endpoints(service);
        })?
    };
    log::info!(port = config.port, internal_port = config.internal_port, shards = membership.count(); "the order service is ready");
    machine::run_until_stopped(
        vec![public, internal],
        vec![gate, internal_gate],
        membership.fatal(),
        config.machine.drain_ms,
        settler.close(SETTLE_LIMIT),
    )
    .await
}
