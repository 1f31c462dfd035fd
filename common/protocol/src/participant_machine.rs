//! A machine of a participant: stock and payment differ in what they serve, not in how they run.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::{rt, web};

use crate::insight::Insight;
use crate::internal::Internal;
use crate::orders::Orders;
use crate::participant::{Participant, Prices};
use crate::peers::{Peers, RemoteOrders};
use crate::review;
use crate::settings::{MachineSettings, OrderServiceSettings};
use shardcart_http::gate::Gate;
use shardcart_http::health;
use shardcart_http::health::Health;
use shardcart_http::machine;
use shardcart_http::settings::HttpSettings;
use shardcart_store::collect;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics;
use shardcart_telemetry::settings::ObserveSettings;
use shardcart_telemetry::trace;

/// What a participant's machine is started with.
#[derive(Debug)]
pub struct Settings {
    /// `stock` or `payment`.
    pub service: &'static str,
    /// Port for clients.
    pub port: u16,
    /// Port for the other services.
    pub internal_port: u16,
    /// Shards, identity, secret.
    pub machine: MachineSettings,
    /// Who knows the orders.
    pub orders: OrderServiceSettings,
    /// Connections to the shards.
    pub redis: RedisSettings,
    /// The listeners.
    pub http: HttpSettings,
    /// Logs, metrics, traces.
    pub observe: ObserveSettings,
}

/// What a participant serves in one thread, over the shards it was given.
pub struct Served {
    /// Its part in checkouts.
    pub participant: Rc<dyn Participant>,
    /// What items cost, if it knows.
    pub prices: Option<Rc<dyn Prices>>,
    /// What it shows of itself.
    pub insight: Rc<dyn Insight>,
    /// Binds its endpoints for clients.
    pub endpoints: Box<dyn FnOnce(&mut web::ServiceConfig)>,
}

/// Runs a participant's machine until it is told to stop. `serve` makes what a thread serves.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run<F>(settings: Settings, serve: F) -> Result<(), String>
where
    F: Fn(Arc<Shards>, Rc<dyn Orders>) -> Served + Clone + Send + 'static,
{
    let Settings { service: name, port, internal_port, machine: identity, orders, redis, http, observe } = settings;
    metrics::start(name, observe.metrics);
    trace::export::start(&observe.trace)?;
    let token = identity.internal_token;
    token.check_token("INTERNAL_TOKEN")?;
    let listener = machine::listen("PORT", http.bind, port)?;
    let internal_listener = machine::listen("INTERNAL_PORT", http.bind, internal_port)?;
    let membership =
        Membership::establish(name, identity.redis_addrs, identity.machine_id, &redis, Fatal::default()).await?;

    let ask = {
        let token = token.clone();
        let (urls, timeout) = (orders.order_service_url, orders.order_timeout_ms);
        move || Peers::new(&urls, &token, timeout).map(|peers| Rc::new(RemoteOrders::new(peers)))
    };
    let shards = Arc::new(Shards::new(&membership)?);
    let reviewer: Rc<dyn Orders> = ask()?;
    let participant = serve(Arc::clone(&shards), Rc::clone(&reviewer)).participant;
    rt::spawn(collect::run(Arc::clone(&shards), observe.metrics_interval_ms));
    rt::spawn(review::run(shards, participant, reviewer, orders.review_after_ms));
    rt::spawn(Arc::clone(&membership).watch_clocks());

    // In each worker thread of either listener: shards, health, and what the service makes of them.
    let in_thread = {
        let membership = Arc::clone(&membership);
        move |config: &mut web::ServiceConfig, gate: &Arc<Gate>| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            config.app_data(Health::new(Arc::clone(gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            serve(shards, ask().expect("the same settings made a client at the start"))
        }
    };
    let gate = Gate::for_clients(&http);
    let public = {
        let (gate, in_thread) = (Arc::clone(&gate), in_thread.clone());
        machine::serve(listener, &http, &Arc::clone(&gate), move |config| {
            (in_thread(config, &gate).endpoints)(config);
        })?
    };
    let internal_gate = Gate::for_services(&http);
    let internal = {
        let gate = Arc::clone(&internal_gate);
        machine::serve(internal_listener, &http, &Arc::clone(&gate), move |config| {
            let served = in_thread(config, &gate);
            config.configure(shardcart_http::metrics::endpoints);
            Internal::new(name, token.clone(), Some(served.participant), served.prices, None)
                .with_insight(served.insight)
                .endpoints(config);
        })?
    };
    log::info!(service = name, port, internal_port, shards = membership.count(); "ready");
    machine::run_until_stopped(
        vec![public, internal],
        vec![gate, internal_gate],
        membership.fatal(),
        identity.drain_ms,
        async {},
    )
    .await
}
