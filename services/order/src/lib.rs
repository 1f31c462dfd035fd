#![doc = include_str!("../README.md")]

pub mod attempt;
pub mod audit;
pub mod config;
pub mod console;
pub mod coordinator;
pub mod error;
pub mod handlers;
pub mod insight;
pub mod inspect;
mod observed;
pub mod orders;
pub mod recent;
pub mod recovery;
pub mod settle_now;
pub mod settler;
pub mod settling;
pub mod standings;
pub mod together;
pub mod turns;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use shardcart_http::gate::Gate;
use shardcart_http::health;
use shardcart_http::health::Health;
use shardcart_http::machine;
use shardcart_protocol::internal::Internal;
use shardcart_protocol::participant::{Participant, Prices};
use shardcart_protocol::peers::{Peers, RemoteInsight};
use shardcart_protocol::remote_participant::RemoteParticipant;
use shardcart_store::collect;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace;
use shardcart_types::service::Service;
use tokio::sync::mpsc;

use config::{CheckoutSettings, Config};
use console::Console;
use console::access::{Access, Reach};
use console::live::Live;
use coordinator::Coordinator;
use handlers::State;
use insight::LocalInsight;
use inspect::Sources;
use recent::Recent;
use settler::{SettleQueue, Settler};
use settling::{Settlement, Settling};
use standings::LocalOrders;

/// How long the last decided attempts may take to be settled when the machine stops.
pub const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer about shards or ids is waited for: a participant looks at all of its shards for it.
const INSIGHT_TIMEOUT: Duration = Duration::from_secs(3);

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

    /// Who settles, in one thread: order shards and participants.
    pub fn settling(&self, shards: Arc<Shards>) -> Rc<Settling> {
        Settling::new(shards, Rc::clone(&self.stock), Rc::clone(&self.payment))
    }
}

/// Who is asked about stock and payment when somebody looks in from outside: their machines.
fn remote_sources(config: &Config, shards: &Arc<Shards>, recent: &Arc<Recent>) -> Result<Sources, String> {
    let insight = |urls| {
        let peers = Peers::new(urls, &config.machine.internal_token, INSIGHT_TIMEOUT)?;
        Ok::<_, String>(Rc::new(RemoteInsight::new(peers)))
    };
    Ok(Sources {
        order: Rc::new(LocalInsight::new(Arc::clone(shards))),
        stock: insight(&config.stock_service_url)?,
        payment: insight(&config.payment_service_url)?,
        recent: Some(Arc::clone(recent)),
    })
}

/// What a worker thread's handlers work with.
pub fn state(
    shards: Arc<Shards>,
    participants: Participants,
    checkout: CheckoutSettings,
    batch_init: BatchInitSettings,
    queue: SettleQueue,
    gate: Arc<Gate>,
    recent: Arc<Recent>,
) -> Rc<State> {
    let coordinator = Coordinator::new(participants.settling(Arc::clone(&shards)), checkout, queue, gate, recent);
    Rc::new(State { shards, prices: participants.prices, coordinator, batch_init })
}

/// Starts what goes on in the background, in this thread: settling and recovery.
pub fn start_background(
    shards: Arc<Shards>,
    participants: &Participants,
    checkout: &CheckoutSettings,
    queue: mpsc::Receiver<Settlement>,
) -> Settler {
    metrics::checkout::start();
    shardcart_protocol::batch_metrics::start();
    let settling = participants.settling(shards);
    rt::spawn(recovery::run(Rc::clone(&settling), checkout.recovery_interval_ms));
    Settler::start(settling, queue, checkout.settle_linger_ms)
}

/// Runs an order machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    metrics::start("order", config.observe.metrics);
    trace::export::start(&config.observe.trace)?;
    config.checkout.check()?;
    config.machine.internal_token.check_token("INTERNAL_TOKEN")?;
    config.console.check()?;
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
    rt::spawn(collect::run(Arc::clone(&shards), config.observe.metrics_interval_ms));
    let settler = start_background(Arc::clone(&shards), &participants, &config.checkout, decided);
    rt::spawn(Arc::clone(&membership).watch_clocks());
    let recent = Arc::new(Recent::default());
    let number = config.machine.machine_id.map(|id| format!("{id} ")).unwrap_or_default();
    let live = Live::new(format!("order machine {number}on port {}", config.port), Arc::clone(&recent));
    live.start(remote_sources(&config, &shards, &recent)?, shards);
    let access = Arc::new(Access::new(config.console.token().cloned(), Reach::PrivatePort));
    // What a thread needs to show the console.
    let console = {
        let (config, recent) = (config.clone(), Arc::clone(&recent));
        move |service: &mut web::ServiceConfig, shards: &Arc<Shards>, gate: &Arc<Gate>| {
            let unmade = "the same settings made clients at the start";
            let settling = Participants::remote(&config).expect(unmade).settling(Arc::clone(shards));
            let sources = remote_sources(&config, shards, &recent).expect(unmade);
            let (access, live) = (Arc::clone(&access), Arc::clone(&live));
            let (shards, gate) = (Arc::clone(shards), Arc::clone(gate));
            console::endpoints(service, Rc::new(Console { access, live, sources, shards, settling, gate }));
        }
    };

    let public = {
        let (config, membership, gate) = (config.clone(), Arc::clone(&membership), Arc::clone(&gate));
        let (console, recent) = (console.clone(), Arc::clone(&recent));
        machine::serve(listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            let participants = Participants::remote(&config).expect("the same settings made clients at the start");
            // A gateway leads here: only with a token is there a console for it to show.
            if config.console.token().is_some() {
                console(service, &shards, &gate);
            }
            service.app_data(Health::new(Arc::clone(&gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            let state = state(
                shards,
                participants,
                config.checkout.clone(),
                config.batch_init.clone(),
                queue.clone(),
                Arc::clone(&gate),
                Arc::clone(&recent),
            );
            handlers::endpoints(service, state);
        })?
    };
    let internal = {
        let (config, membership, gate) = (config.clone(), Arc::clone(&membership), Arc::clone(&internal_gate));
        machine::serve(internal_listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            service.app_data(Health::new(Arc::clone(&gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            console(service, &shards, &gate);
            let orders = Rc::new(LocalOrders::new(shards));
            service.configure(shardcart_http::metrics::endpoints);
            Internal::new("order", config.machine.internal_token.clone(), None, None, Some(orders)).endpoints(service);
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
