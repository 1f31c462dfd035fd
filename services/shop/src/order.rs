//! An order machine: the order service with its console, in a process of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use shardcart_common::gate::Gate;
use shardcart_common::health::{self, Health};
use shardcart_common::internal::Internal;
use shardcart_common::machine;
use shardcart_common::membership::{Fatal, Membership};
use shardcart_common::metrics::{self, collect};
use shardcart_common::participant::Service;
use shardcart_common::peers::{Peers, RemoteInsight};
use shardcart_common::remote_participant::RemoteParticipant;
use shardcart_common::shards::Shards;
use shardcart_common::trace;
use shardcart_operator::console::access::{Access, Reach};
use shardcart_operator::console::feed::Feed;
use shardcart_operator::console::{self, Console};
use shardcart_operator::sources::Sources;
use shardcart_order::insight::LocalInsight;
use shardcart_order::recent::Recent;
use shardcart_order::standings::LocalOrders;
use shardcart_order::{Participants, SETTLE_LIMIT, handlers, settler};

use crate::config::order::Config;

/// How long an answer about shards or ids is waited for: a participant looks at all of its shards for it.
const INSIGHT_TIMEOUT: Duration = Duration::from_secs(3);

/// Stock and payment as one thread reaches them over HTTP.
fn remote_participants(config: &Config) -> Result<Participants, String> {
    let peers = |urls| Peers::new(urls, &config.machine.internal_token, config.participant_timeout_ms);
    let stock = Rc::new(RemoteParticipant::new(Service::Stock, peers(&config.stock_service_url)?));
    let payment = Rc::new(RemoteParticipant::new(Service::Payment, peers(&config.payment_service_url)?));
    Ok(Participants { stock: Rc::<RemoteParticipant>::clone(&stock), prices: stock, payment })
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
    let participants = remote_participants(&config)?;

    let (queue, decided) = settler::queue();
    let gate = Gate::for_clients(&config.http);
    let internal_gate = Gate::for_services(&config.http);
    let shards = Arc::new(Shards::new(&membership)?);
    rt::spawn(collect::run(Arc::clone(&shards), config.observe.metrics_interval_ms));
    let settler = shardcart_order::start_background(Arc::clone(&shards), &participants, &config.checkout, decided);
    rt::spawn(Arc::clone(&membership).watch_clocks());
    let recent = Arc::new(Recent::default());
    let number = config.machine.machine_id.map(|id| format!("{id} ")).unwrap_or_default();
    let feed = Feed::new(format!("order machine {number}on port {}", config.port), Arc::clone(&recent));
    feed.start(remote_sources(&config, &shards, &recent)?, shards);
    let access = Arc::new(Access::new(config.console.token().cloned(), Reach::PrivatePort));
    // What a thread needs to show the console.
    let console = {
        let (config, recent) = (config.clone(), Arc::clone(&recent));
        move |service: &mut web::ServiceConfig, shards: &Arc<Shards>, gate: &Arc<Gate>| {
            let unmade = "the same settings made clients at the start";
            let settling = remote_participants(&config).expect(unmade).settling(Arc::clone(shards));
            let sources = remote_sources(&config, shards, &recent).expect(unmade);
            let (access, feed) = (Arc::clone(&access), Arc::clone(&feed));
            let (shards, gate) = (Arc::clone(shards), Arc::clone(gate));
            console::endpoints(service, Rc::new(Console { access, feed, sources, shards, settling, gate }));
        }
    };

    let public = {
        let (config, membership, gate) = (config.clone(), Arc::clone(&membership), Arc::clone(&gate));
        let (console, recent) = (console.clone(), Arc::clone(&recent));
        machine::serve(listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = Arc::new(Shards::new(&membership).expect("the same settings made shards at the start"));
            let participants = remote_participants(&config).expect("the same settings made clients at the start");
            // A gateway leads here: only with a token is there a console for it to show.
            if config.console.token().is_some() {
                console(service, &shards, &gate);
            }
            service.app_data(Health::new(Arc::clone(&gate), vec![Arc::clone(&shards)])).configure(health::endpoints);
            let state = shardcart_order::state(
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
            service.configure(metrics::endpoints);
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
