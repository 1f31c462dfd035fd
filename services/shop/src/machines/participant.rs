//! A machine of a participant: stock and payment differ in what they serve, not in how they run.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::rt;
use actix_web::web::ServiceConfig;
use shardcart_http::gate::Gate;
use shardcart_http::index;
use shardcart_http::machine::Machine;
use shardcart_http::v1;
use shardcart_operator::reference;
use shardcart_protocol::internal::Internal;
use shardcart_protocol::orders::Orders;
use shardcart_protocol::participant::Prices;
use shardcart_protocol::peers::{PeersFactory, RemoteOrders};
use shardcart_protocol::review;
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::{Shards, ShardsFactory};

use super::bind_health;
use crate::config::common::Common;
use crate::config::participant::Settings;
use crate::config::{payment, stock};
use crate::reference::common;
use crate::services::{self, Served};

/// Makes what a thread serves, and what tells it the prices if it knows them: of its shards and of the order service.
type Serve = fn(Arc<Shards>, Rc<dyn Orders>, &BatchInitSettings) -> (Served, Option<Rc<dyn Prices>>);

/// Runs a stock machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run_stock(config: stock::Config) -> Result<(), String> {
    let serve: Serve = |shards, _orders, batch_init| {
        let (stock, prices) = services::stock::serve(shards, batch_init);
        (stock, Some(prices))
    };
    run("stock", (config.port, config.internal_port), config.settings, serve).await
}

/// Runs a payment machine until it is told to stop.
///
/// # Errors
/// A sentence for the operator: why it could not start, or had to stop.
pub async fn run_payment(config: payment::Config) -> Result<(), String> {
    let serve: Serve = |shards, orders, batch_init| (services::payment::serve(shards, orders, batch_init), None);
    run("payment", (config.port, config.internal_port), config.settings, serve).await
}

/// What each thread makes its shards and its client of the order service from.
#[derive(Clone)]
struct Factories {
    shards: ShardsFactory,
    orders: PeersFactory,
    batch_init: BatchInitSettings,
    serve: Serve,
}

impl Factories {
    fn in_thread(&self) -> Thread {
        let shards = self.shards.shards();
        let orders: Rc<dyn Orders> = Rc::new(RemoteOrders::new(self.orders.peers()));
        let (served, prices) = (self.serve)(Arc::clone(&shards), Rc::clone(&orders), &self.batch_init);
        Thread { shards, orders, served, prices }
    }
}

/// A participant in one thread.
struct Thread {
    shards: Arc<Shards>,
    orders: Rc<dyn Orders>,
    served: Served,
    prices: Option<Rc<dyn Prices>>,
}

async fn run(service: &'static str, ports: (u16, u16), settings: Settings, serve: Serve) -> Result<(), String> {
    let Settings { orders, machine: identity, common: Common { redis, http, observe, batch_init } } = settings;
    let (port, internal_port) = ports;
    let mut machine = Machine::start(service, &observe, &http)?;
    let token = identity.internal_token;
    token.check_token("INTERNAL_TOKEN")?;
    let clients = machine.listen("PORT", port)?;
    let services = machine.listen("INTERNAL_PORT", internal_port)?;
    let shards = machine.join(service, &identity.redis_addrs, identity.machine_id, &redis).await?;
    let remote = PeersFactory::new(&orders.order_service_url, &token, orders.order_timeout_ms)?;
    let factories = Factories { shards, orders: remote, batch_init, serve };

    let Thread { shards, orders: asked, served, .. } = factories.in_thread();
    machine.watch(&shards);
    rt::spawn(review::run(Arc::clone(&shards), served.participant, asked, orders.review_after_ms));

    machine.serve(clients, Gate::for_clients(&http), {
        let (factories, common) = (factories.clone(), common(&http));
        move |config: &mut ServiceConfig, gate| {
            let Thread { shards, served, .. } = factories.in_thread();
            bind_health(config, gate, vec![shards]);
            index::endpoints(config, service, &[]);
            (served.endpoints)(config);
            config.service(v1::scope(service, &common, |config| {
                (served.v1)(config);
                reference::endpoints(config, service);
            }));
        }
    })?;
    machine.serve(services, Gate::for_services(&http), move |config: &mut ServiceConfig, gate| {
        let Thread { shards, served, prices, .. } = factories.in_thread();
        bind_health(config, gate, vec![shards]);
        config.configure(shardcart_http::metrics::endpoints);
        let internal = Internal::of(service, token.clone()).participant(served.participant).insight(served.insight);
        let internal = match prices {
            Some(prices) => internal.prices(prices),
            None => internal,
        };
        internal.endpoints(config);
    })?;
    log::info!(service, port, internal_port, shards = shards.membership().count(); "ready");
    machine.run(identity.drain_ms).await
}
