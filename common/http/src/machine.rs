//! A machine: one running instance of a service, from its listeners to its last answer.

use std::future::{Future, ready};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, rt, web};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use shardcart_store::collect;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::{Shards, ShardsFactory};
use shardcart_telemetry::logging::{self, LogFormat};
use shardcart_telemetry::metrics;
use shardcart_telemetry::settings::ObserveSettings;
use shardcart_telemetry::trace;
use shardcart_types::address::Address;
use shardcart_types::code::Code;
use shardcart_types::machine_id::MachineId;
use tokio::signal::unix::{SignalKind, signal};

use crate::connection::{Connections, SPARE, Stream};
use crate::endpoint::no_route;
use crate::gate::Gate;
use crate::problem::Problem;
use crate::settings::HttpSettings;
use crate::v1::money;

/// A checkout allocates some hundred times: this takes half the time for it that the system's allocator does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long requests in flight may take when the machine stops: the usual wait of a checkout, and a little. What takes
/// longer is left to recovery.
const FINISH_LIMIT: Duration = Duration::from_secs(10);
/// actix's own deadline for the first head of a connection, which it would answer with 408, is off: [`Connections`] has
/// one for every head.
const KEPT_BY_CONNECTIONS: Duration = Duration::ZERO;
/// Connections that the kernel completes while all workers are busy.
const BACKLOG: u32 = 8192;

/// Starts the log: to stderr, `RUST_LOG` chooses (default `info`).
pub fn start_log(format: LogFormat) {
    logging::start(format, "info,actix_server=warn");
}

/// Lets this process open as many files as the system allows it: every connection is one.
pub fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        log::warn!(error:%; "the limit on open files stays as it is");
    }
}

/// A machine that is being put together. In the order of its life: [`start`](Machine::start), take the ports, join the
/// data sets, make what runs beside the requests, [`serve`](Machine::serve) on each port, [`run`](Machine::run).
pub struct Machine {
    http: HttpSettings,
    metrics_interval: Duration,
    fatal: Fatal,
    servers: Vec<Server>,
    gates: Vec<Arc<Gate>>,
    finish: Option<LocalBoxFuture<'static, ()>>,
}

impl Machine {
    /// Starts what is needed before anything else: metrics, under the program's name, and traces.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn start(program: &'static str, observe: &ObserveSettings, http: &HttpSettings) -> Result<Self, String> {
        metrics::start(program, observe.metrics);
        trace::export::start(&observe.trace)?;
        let (http, metrics_interval) = (http.clone(), observe.metrics_interval_ms);
        let (servers, gates) = (Vec::new(), Vec::new());
        Ok(Machine { http, metrics_interval, fatal: Fatal::default(), servers, gates, finish: None })
    }

    /// Takes a port, before any data is touched.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn listen(&self, setting: &str, port: u16) -> Result<TcpListener, String> {
        let address = SocketAddr::new(self.http.bind, port);
        let listener = TcpListener::bind(address);
        listener.map_err(|error| {
            format!("{setting}: cannot listen on {address}: {error}; choose another port or end what uses it")
        })
    }

    /// Joins the data set of a service. The machine stops when one of its shards turns out to be not what it should be.
    ///
    /// # Errors
    /// See [`Membership::establish`].
    pub async fn join(
        &self,
        service: &'static str,
        addresses: &[Address],
        machine_id: Option<MachineId>,
        redis: &RedisSettings,
    ) -> Result<ShardsFactory, String> {
        money::set_currency(redis.currency.parse().map_err(|error| format!("CURRENCY: {error}"))?);
        let fatal = self.fatal.clone();
        let membership = Membership::establish(service, addresses.to_vec(), machine_id, redis, fatal).await?;
        ShardsFactory::new(membership)
    }

    /// Collects the metrics of a service's shards and compares their clocks, in this thread, for as long as it runs.
    pub fn watch(&self, shards: &Arc<Shards>) {
        rt::spawn(collect::run(Arc::clone(shards), self.metrics_interval));
        rt::spawn(Arc::clone(shards.membership()).watch_clocks());
    }

    /// Serves on a port, with worker threads of its own. `configure` runs once in each worker: what it makes there
    /// (connections to shards, clients of other services) stays in that thread.
    ///
    /// # Errors
    /// A sentence: the listener cannot be used.
    pub fn serve<F>(&mut self, listener: TcpListener, gate: Arc<Gate>, configure: F) -> Result<(), String>
    where
        F: Fn(&mut web::ServiceConfig, &Arc<Gate>) + Clone + Send + 'static,
    {
        self.servers.push(server(listener, &self.http, &gate, configure)?);
        self.gates.push(gate);
        Ok(())
    }

    /// Says what is left to do when no request is left and the machine stops.
    pub fn finish_with(&mut self, finish: impl Future<Output = ()> + 'static) {
        self.finish = Some(finish.boxed_local());
    }

    /// Runs until SIGTERM or SIGINT, or until a shard turns out to be not what it should be.
    ///
    /// On a signal it turns not ready, serves on for `drain` with `Connection: close`, stops accepting, lets what is in
    /// flight finish (bounded), and then does what [`finish_with`](Machine::finish_with) was told.
    ///
    /// # Errors
    /// The cause, when the machine had to stop by itself.
    pub async fn run(self, drain: Duration) -> Result<(), String> {
        let Machine { fatal, servers, gates, finish, .. } = self;
        let handles: Vec<ServerHandle> = servers.iter().map(Server::handle).collect();
        for server in servers {
            rt::spawn(server);
        }
        let stopped = tokio::select! {
            signal = stop_signal() => signal.map_err(|error| format!("no signals can be received: {error}")),
            cause = fatal.raised() => Err(cause),
        };
        gates.iter().for_each(|gate| gate.drain());
        match &stopped {
            Ok(()) => {
                log::info!("stopping: no longer ready, finishing what is in flight");
                tokio::time::sleep(drain).await;
            }
            Err(cause) => log::error!(cause:%; "stopping"),
        }
        for handle in &handles {
            handle.pause().await;
        }
        let idle = join_all(gates.iter().map(|gate| gate.wait_until_idle(FINISH_LIMIT))).await;
        if idle.contains(&false) {
            log::warn!("some requests did not finish in time; recovery will settle what they left");
        }
        gates.iter().for_each(|gate| gate.close());
        if let Some(finish) = finish {
            finish.await;
        }
        trace::export::flush().await;
        for handle in &handles {
            handle.stop(false).await;
        }
        stopped
    }
}

fn server<F>(listener: TcpListener, settings: &HttpSettings, gate: &Arc<Gate>, configure: F) -> Result<Server, String>
where
    F: Fn(&mut web::ServiceConfig, &Arc<Gate>) + Clone + Send + 'static,
{
    let (gate, limits) = (Arc::clone(gate), settings.clone());
    // The kernel keeps the longer backlog of the two; std's is 128, too short for a burst of clients.
    rustix::net::listen(&listener, i32::try_from(BACKLOG).unwrap_or(i32::MAX)).map_err(|error| error.to_string())?;
    let builder = Server::build()
        .workers(usize::from(settings.workers))
        .max_concurrent_connections(settings.connections_max.saturating_add(SPARE))
        .shutdown_timeout(1)
        .disable_signals();
    // What `HttpServer` does, with our own stream between the socket and HTTP.
    let builder = builder.listen("shardcart", listener, move || {
        let (passed, gate, configure) = (Arc::clone(&gate), Arc::clone(&gate), configure.clone());
        let app = App::new()
            .app_data(web::QueryConfig::default().error_handler(|error, _| {
                Problem::new(Code::InvalidPath, format!("the query cannot be read: {error}")).into()
            }))
            .wrap(from_fn(move |request, next| Arc::clone(&passed).pass(request, next)))
            .configure(move |config| configure(config, &gate))
            .default_service(web::to(no_route));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let keep_alive = Duration::from_secs(limits.keep_alive_s);
        let connections = Connections::new(limits.connections_max, limits.client_timeout_ms, keep_alive);
        let http = HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(KEPT_BY_CONNECTIONS)
            .client_disconnect_timeout(Duration::from_secs(1))
            .on_connect_ext(|stream: &Stream, extensions| {
                extensions.insert(stream.handle());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        let take = move |stream: TcpStream| {
            let client = stream.peer_addr().ok();
            ready(Ok::<_, DispatchError>((connections.take(stream), client)))
        };
        fn_service(take).and_then(http)
    });
    Ok(builder.map_err(|error| format!("the listener cannot be used: {error}"))?.run())
}

async fn stop_signal() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// The exit code of a machine; a failure is said in one line.
pub fn exit(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: {cause}");
            ExitCode::FAILURE
        }
    }
}
