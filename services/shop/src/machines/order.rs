//! An order machine: the order service with its console, in a process of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use shardcart_http::gate::Gate;
use shardcart_http::index;
use shardcart_http::machine::Machine;
use shardcart_http::v1;
use shardcart_operator::console::access::Reach;
use shardcart_operator::reference;
use shardcart_order::order_status::LocalOrders;
use shardcart_protocol::internal::Internal;
use shardcart_protocol::peers::{PeersFactory, RemoteInsight};
use shardcart_protocol::remote_participant::RemoteParticipant;
use shardcart_store::shards::ShardsFactory;
use shardcart_types::service::Service;

use super::bind_health;
use crate::config::order::Config;
use crate::reference::common;
use crate::services::order::{OrderService, Reached, Settings};

/// How long an answer about shards or ids is waited for: a participant looks at all of its shards for it.
const INSIGHT_TIMEOUT: Duration = Duration::from_secs(3);

/// The clients of one participant's machines. Questions of operators may take longer than a step of a checkout.
#[derive(Clone)]
struct Remote {
    steps: PeersFactory,
    insight: PeersFactory,
}

/// What each thread makes its shards and its clients from.
#[derive(Clone)]
struct Factories {
    shards: ShardsFactory,
    stock: Remote,
    payment: Remote,
}

impl Factories {
    fn new(config: &Config, shards: ShardsFactory) -> Result<Self, String> {
        let remote = |urls| {
            let peers = |timeout| PeersFactory::new(urls, &config.machine.internal_token, timeout);
            Ok::<_, String>(Remote { steps: peers(config.participant_timeout_ms)?, insight: peers(INSIGHT_TIMEOUT)? })
        };
        let (stock, payment) = (remote(&config.stock_service_url)?, remote(&config.payment_service_url)?);
        Ok(Factories { shards, stock, payment })
    }

    fn in_thread(&self) -> Reached {
        let insight = |remote: &Remote| Rc::new(RemoteInsight::new(remote.insight.peers()));
        let stock = Rc::new(RemoteParticipant::new(Service::Stock, self.stock.steps.peers()));
        Reached {
            shards: self.shards.shards(),
            stock: Rc::<RemoteParticipant>::clone(&stock),
            prices: stock,
            stock_insight: insight(&self.stock),
            payment: Rc::new(RemoteParticipant::new(Service::Payment, self.payment.steps.peers())),
            payment_insight: insight(&self.payment),
        }
    }
}

/// Runs an order machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    let mut machine = Machine::start("order", &config.common.observe, &config.common.http)?;
    config.checkout.check()?;
    let token = config.machine.internal_token.clone();
    token.check_token("INTERNAL_TOKEN")?;
    config.console.check()?;
    let clients = machine.listen("PORT", config.port)?;
    let services = machine.listen("INTERNAL_PORT", config.internal_port)?;
    let identity = &config.machine;
    let shards = machine.join("order", &identity.redis_addrs, identity.machine_id, &config.common.redis).await?;
    let factories = Factories::new(&config, shards)?;

    let here = factories.in_thread();
    machine.watch(&here.shards);
    let number = identity.machine_id.map(|id| format!("{id} ")).unwrap_or_default();
    let settings = Settings {
        checkout: config.checkout.clone(),
        batch_init: config.common.batch_init.clone(),
        console: config.console.clone(),
        reach: Reach::PrivatePort,
        machine: format!("order machine {number}on port {}", config.port),
    };
    let order = OrderService::start(settings, &here, &mut machine);

    // A gateway leads to the port for clients: only with a token is there a console for it to show.
    let has_token = config.console.token().is_some();
    machine.serve(clients, Gate::for_clients(&config.common.http), {
        let (factories, order, common) = (factories.clone(), order.clone(), common(&config.common.http));
        move |config: &mut ServiceConfig, gate| {
            let reached = factories.in_thread();
            if has_token {
                order.bind_console(config, &reached, gate);
            }
            bind_health(config, gate, vec![Arc::clone(&reached.shards)]);
            index::endpoints(config, "order", if has_token { &["GET /console"] } else { &[] });
            order.bind(config, &reached, gate);
            config.service(v1::scope("order", &common, |config| reference::endpoints(config, "order")));
        }
    })?;
    machine.serve(services, Gate::for_services(&config.common.http), move |config: &mut ServiceConfig, gate| {
        let reached = factories.in_thread();
        bind_health(config, gate, vec![Arc::clone(&reached.shards)]);
        order.bind_console(config, &reached, gate);
        config.configure(shardcart_http::metrics::endpoints);
        let orders = Rc::new(LocalOrders::new(reached.shards));
        Internal::of("order", token.clone()).orders(orders).endpoints(config);
    })?;
    let shards = here.shards.membership().count();
    log::info!(port = config.port, internal_port = config.internal_port, shards; "the order service is ready");
    machine.run(config.machine.drain_ms).await
}
