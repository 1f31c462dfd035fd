//! The whole shop in one process: the three services behind one port, over Redis servers of its own.

use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::rt;
use actix_web::web::{self, ServiceConfig};
use shardcart_http::gate::Gate;
use shardcart_http::index;
use shardcart_http::machine::Machine;
use shardcart_http::v1;
use shardcart_operator::console::access::Reach;
use shardcart_operator::reference;
use shardcart_order::order_status::LocalOrders;
use shardcart_protocol::orders::Orders;
use shardcart_protocol::review;
use shardcart_store::settings::{BatchInitSettings, RedisSettings};
use shardcart_store::shards::{Shards, ShardsFactory};

use super::bind_health;
use crate::config::shop::Config;
use crate::data_dir;
use crate::reference::common;
use crate::services::order::{OrderService, Reached, Settings};
use crate::services::{self, Served};
use crate::storage::Storage;

/// Runs the shop until it is told to stop.
///
/// # Errors
/// One line for its user: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    let machine = Machine::start("shop", &config.common.observe, &config.common.http)?;
    config.checkout.check()?;
    config.console.check()?;
    // The port first: a shop that cannot listen touches no data.
    let listener = machine.listen("--port", config.port)?;
    let mut storage = Storage::open(&config)?;
    let stopped = serve(&config, machine, listener, &mut storage).await;
    storage.close();
    stopped
}

async fn serve(
    config: &Config,
    mut machine: Machine,
    listener: TcpListener,
    storage: &mut Storage,
) -> Result<(), String> {
    let factories = Factories::join(config, storage, &machine).await?;
    let here = factories.in_thread();
    let settings = Settings {
        checkout: config.checkout.clone(),
        batch_init: config.common.batch_init.clone(),
        console: config.console.clone(),
        reach: Reach::ThisMachine,
        machine: format!("shop on port {}", config.port),
    };
    let order = OrderService::start(settings, &here.reached, &mut machine);
    here.start_reviews(config);
    here.shards().iter().for_each(|shards| machine.watch(shards));

    let common = common(&config.common.http);
    machine.serve(listener, Gate::for_clients(&config.common.http), move |config: &mut ServiceConfig, gate| {
        let thread = factories.in_thread();
        bind_health(config, gate, thread.shards());
        let more = ["GET /metrics", "GET /console", "/orders, /stock, /payment and /v1: the API"];
        index::endpoints(config, "shop", &more);
        config.configure(shardcart_http::metrics::endpoints);
        order.bind_console(config, &thread.reached, gate);
        let Thread { reached, stock, payment, .. } = thread;
        config
            .service(web::scope("/orders").configure(|scope| order.bind(scope, &reached, gate)))
            .service(web::scope("/stock").configure(stock.endpoints))
            .service(web::scope("/payment").configure(payment.endpoints))
            .service(v1::scope("shop", &common, |config| {
                (stock.v1)(config);
                (payment.v1)(config);
                reference::endpoints(config, "shop");
            }));
    })?;
    print!("{}", banner(config, storage));
    let data_dir = storage.data_dir();
    if let Some(path) = &data_dir {
        data_dir::note_url(path, &url_for_this_machine(config));
    }
    let stopped = tokio::select! {
        stopped = machine.run(config.drain_ms) => stopped,
        () = storage.look_after() => Ok(()),
    };
    if let Some(path) = &data_dir {
        data_dir::forget_url(path);
    }
    stopped
}

/// Where this machine reaches the shop, whatever it listens on.
fn url_for_this_machine(config: &Config) -> String {
    let port = config.port;
    match config.common.http.bind {
        bind if bind.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V4(bind) => format!("http://{bind}:{port}"),
        IpAddr::V6(bind) => format!("http://[{bind}]:{port}"),
    }
}

/// What each thread makes its shards from: the data sets of the three services.
#[derive(Debug, Clone)]
struct Factories {
    order: ShardsFactory,
    stock: ShardsFactory,
    payment: ShardsFactory,
    batch_init: BatchInitSettings,
}

impl Factories {
    async fn join(config: &Config, storage: &Storage, machine: &Machine) -> Result<Self, String> {
        let own = storage.data_dir().is_some();
        // The shop's own servers have neither a password nor another database.
        let redis = if own {
            RedisSettings { redis_password: None, redis_db: 0, ..config.common.redis.clone() }
        } else {
            config.common.redis.clone()
        };
        let (order, stock, payment) = tokio::join!(
            machine.join("order", &storage.order, None, &redis),
            machine.join("stock", &storage.stock, None, &redis),
            machine.join("payment", &storage.payment, None, &redis)
        );
        let batch_init = config.common.batch_init.clone();
        Ok(Factories { order: order?, stock: stock?, payment: payment?, batch_init })
    }

    fn in_thread(&self) -> Thread {
        let (order, stock, payment) = (self.order.shards(), self.stock.shards(), self.payment.shards());
        let orders: Rc<dyn Orders> = Rc::new(LocalOrders::new(Arc::clone(&order)));
        let (stock_served, prices) = services::stock::serve(Arc::clone(&stock), &self.batch_init);
        let payment_served = services::payment::serve(Arc::clone(&payment), Rc::clone(&orders), &self.batch_init);
        let reached = Reached {
            shards: order,
            stock: Rc::clone(&stock_served.participant),
            prices,
            stock_insight: Rc::clone(&stock_served.insight),
            payment: Rc::clone(&payment_served.participant),
            payment_insight: Rc::clone(&payment_served.insight),
        };
        Thread {
            reached,
            orders,
            stock: stock_served,
            stock_shards: stock,
            payment: payment_served,
            payment_shards: payment,
        }
    }
}

/// The three services in one thread, which call one another in-process.
struct Thread {
    reached: Reached,
    orders: Rc<dyn Orders>,
    stock: Served,
    stock_shards: Arc<Shards>,
    payment: Served,
    payment_shards: Arc<Shards>,
}

impl Thread {
    fn shards(&self) -> Vec<Arc<Shards>> {
        vec![Arc::clone(&self.reached.shards), Arc::clone(&self.stock_shards), Arc::clone(&self.payment_shards)]
    }

    fn start_reviews(&self, config: &Config) {
        for (shards, served) in [(&self.stock_shards, &self.stock), (&self.payment_shards, &self.payment)] {
            let (participant, orders) = (Rc::clone(&served.participant), Rc::clone(&self.orders));
            rt::spawn(review::run(Arc::clone(shards), participant, orders, config.review_after_ms));
        }
    }
}

fn banner(config: &Config, storage: &Storage) -> String {
    let host = if config.common.http.bind.is_loopback() {
        "localhost".to_owned()
    } else {
        config.common.http.bind.to_string()
    };
    let url = format!("http://{host}:{}", config.port);
    let data = storage.data_dir().map_or_else(
        || "Redis servers given by address".to_owned(),
        |path| format!("{} (fsync {})", path.display(), config.fsync.as_str()),
    );
    let (order, stock, payment) = (storage.order.len(), storage.stock.len(), storage.payment.len());
    format!(
        "
Shardcart is open at {url}
  shards   {order} order, {stock} stock, {payment} payment
  data     {data}
  console  {url}/console
  try      curl -X POST {url}/stock/item/create/5
           curl {url}/health/ready
  stop     Ctrl-C

"
    )
}
