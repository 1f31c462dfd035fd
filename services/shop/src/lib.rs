#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub mod audit;
pub mod config;
pub mod data_args;
pub mod data_dir;
pub mod look;
pub mod redis_servers;
pub mod start_error;
pub mod storage;

use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::{rt, web};
use shardcart_http::gate::Gate;
use shardcart_http::health;
use shardcart_http::health::Health;
use shardcart_http::machine;
use shardcart_order::console::access::{Access, Reach};
use shardcart_order::console::live::Live;
use shardcart_order::console::{self, Console};
use shardcart_order::inspect::Sources;
use shardcart_order::recent::Recent;
use shardcart_order::settler;
use shardcart_order::standings::LocalOrders;
use shardcart_order::{Participants, SETTLE_LIMIT};
use shardcart_payment::lives::Lives;
use shardcart_payment::reservation::LocalPayment;
use shardcart_protocol::participant::Participant;
use shardcart_protocol::review;
use shardcart_stock::reservation::LocalStock;
use shardcart_store::collect;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace;
use shardcart_types::address::Address;

use config::Config;
use storage::Storage;

/// Runs the shop until it is told to stop.
///
/// # Errors
/// One line for its user: why it could not start, or had to stop.
pub async fn run(config: Config) -> Result<(), String> {
    metrics::start("shop", config.observe.metrics);
    trace::export::start(&config.observe.trace)?;
    config.checkout.check()?;
    config.console.check()?;
    // The port first: a shop that cannot listen touches no data.
    let listener = machine::listen("--port", config.http.bind, config.port)?;
    let mut storage = Storage::open(&config)?;
    let stopped = serve(&config, listener, &mut storage).await;
    storage.close();
    stopped
}

async fn serve(config: &Config, listener: TcpListener, storage: &mut Storage) -> Result<(), String> {
    let fatal = Fatal::default();
    let data_set = DataSet::join(config, storage, &fatal).await?;
    let gate = Gate::for_clients(&config.http);
    let (queue, decided) = settler::queue();

    let background = data_set.in_thread()?;
    let settler = shardcart_order::start_background(
        Arc::clone(&background.order),
        &background.participants(),
        &config.checkout,
        decided,
    );
    background.start_reviews(config);
    for shards in background.all() {
        rt::spawn(collect::run(shards, config.observe.metrics_interval_ms));
    }
    data_set.watch_clocks();
    let recent = Arc::new(Recent::default());
    let live = Live::new(format!("shop on port {}", config.port), Arc::clone(&recent));
    live.start(background.sources(&recent), Arc::clone(&background.order));
    let access = Arc::new(Access::new(config.console.token().cloned(), Reach::ThisMachine));

    let server = {
        let (config, data_set, gate) = (config.clone(), data_set.clone(), Arc::clone(&gate));
        machine::serve(listener, &config.http.clone(), &Arc::clone(&gate), move |service| {
            let shards = data_set.in_thread().expect("the same settings made shards at the start");
            service.app_data(Health::new(Arc::clone(&gate), shards.all())).configure(health::endpoints);
            service.configure(shardcart_http::metrics::endpoints);
            let console = Console {
                access: Arc::clone(&access),
                live: Arc::clone(&live),
                sources: shards.sources(&recent),
                shards: Arc::clone(&shards.order),
                settling: shards.participants().settling(Arc::clone(&shards.order)),
                gate: Arc::clone(&gate),
            };
            console::endpoints(service, Rc::new(console));
            let (checkout, batch_init) = (config.checkout.clone(), config.batch_init.clone());
            let orders = shardcart_order::state(
                Arc::clone(&shards.order),
                shards.participants(),
                checkout,
                batch_init.clone(),
                queue.clone(),
                Arc::clone(&gate),
                Arc::clone(&recent),
            );
            let stock =
                shardcart_stock::handlers::State { shards: Arc::clone(&shards.stock), batch_init: batch_init.clone() };
            let payment = shardcart_payment::handlers::State {
                shards: Arc::clone(&shards.payment),
                orders: Lives::new(shards.orders()),
                batch_init,
            };
            service
                .service(web::scope("/orders").configure(|scope| shardcart_order::handlers::endpoints(scope, orders)))
                .service(web::scope("/stock").configure(|scope| shardcart_stock::handlers::endpoints(scope, stock)))
                .service(
                    web::scope("/payment").configure(|scope| shardcart_payment::handlers::endpoints(scope, payment)),
                );
        })?
    };
    print!("{}", banner(config, storage));
    let data_dir = storage.data_dir();
    if let Some(path) = &data_dir {
        data_dir::note_url(path, &url_for_this_machine(config));
    }
    let stopped = tokio::select! {
        stopped = machine::run_until_stopped(vec![server], vec![gate], &fatal, config.drain_ms, settler.close(SETTLE_LIMIT)) => stopped,
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
    match config.http.bind {
        bind if bind.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V4(bind) => format!("http://{bind}:{port}"),
        IpAddr::V6(bind) => format!("http://[{bind}]:{port}"),
    }
}

/// The data sets of the three services, joined.
#[derive(Debug, Clone)]
struct DataSet {
    order: Arc<Membership>,
    stock: Arc<Membership>,
    payment: Arc<Membership>,
}

impl DataSet {
    async fn join(config: &Config, storage: &Storage, fatal: &Fatal) -> Result<Self, String> {
        let own = storage.data_dir().is_some();
        // The shop's own servers have neither a password nor another database.
        let redis = if own {
            RedisSettings { redis_password: None, redis_db: 0, ..config.redis.clone() }
        } else {
            config.redis.clone()
        };
        let join = |service, addresses: &Vec<Address>| {
            Membership::establish(service, addresses.clone(), None, &redis, fatal.clone())
        };
        let (order, stock, payment) = tokio::join!(
            join("order", &storage.order),
            join("stock", &storage.stock),
            join("payment", &storage.payment)
        );
        Ok(DataSet { order: order?, stock: stock?, payment: payment? })
    }

    fn in_thread(&self) -> Result<ThreadShards, String> {
        Ok(ThreadShards {
            order: Arc::new(Shards::new(&self.order)?),
            stock: Arc::new(Shards::new(&self.stock)?),
            payment: Arc::new(Shards::new(&self.payment)?),
        })
    }

    fn watch_clocks(&self) {
        for membership in [&self.order, &self.stock, &self.payment] {
            rt::spawn(Arc::clone(membership).watch_clocks());
        }
    }
}

/// The shards of the three services as one thread sees them.
struct ThreadShards {
    order: Arc<Shards>,
    stock: Arc<Shards>,
    payment: Arc<Shards>,
}

impl ThreadShards {
    fn all(&self) -> Vec<Arc<Shards>> {
        vec![Arc::clone(&self.order), Arc::clone(&self.stock), Arc::clone(&self.payment)]
    }

    /// Stock and payment, called in-process.
    fn participants(&self) -> Participants {
        let stock = Rc::new(LocalStock::new(Arc::clone(&self.stock)));
        let payment = Rc::new(LocalPayment::new(Arc::clone(&self.payment)));
        Participants { stock: Rc::<LocalStock>::clone(&stock), prices: stock, payment }
    }

    /// The order service, asked in-process.
    fn orders(&self) -> Rc<LocalOrders> {
        Rc::new(LocalOrders::new(Arc::clone(&self.order)))
    }

    /// Who is asked about ids and shards.
    fn sources(&self, recent: &Arc<Recent>) -> Sources {
        Sources {
            order: Rc::new(shardcart_order::insight::LocalInsight::new(Arc::clone(&self.order))),
            stock: Rc::new(shardcart_stock::insight::LocalInsight::new(Arc::clone(&self.stock))),
            payment: Rc::new(shardcart_payment::insight::LocalInsight::new(Arc::clone(&self.payment))),
            recent: Some(Arc::clone(recent)),
        }
    }

    fn start_reviews(&self, config: &Config) {
        let stock: Rc<dyn Participant> = Rc::new(LocalStock::new(Arc::clone(&self.stock)));
        let payment: Rc<dyn Participant> = Rc::new(LocalPayment::new(Arc::clone(&self.payment)));
        rt::spawn(review::run(Arc::clone(&self.stock), stock, self.orders(), config.review_after_ms));
        rt::spawn(review::run(Arc::clone(&self.payment), payment, self.orders(), config.review_after_ms));
    }
}

fn banner(config: &Config, storage: &Storage) -> String {
    let host = if config.http.bind.is_loopback() { "localhost".to_owned() } else { config.http.bind.to_string() };
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
