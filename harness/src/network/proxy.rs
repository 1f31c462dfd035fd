//! A gateway of the tests' own: it spreads requests over the machines of each service in turn.
//!
//! It does what the shipped gateway is set up to do: the prefix is taken off and the rest of the
//! path goes through unchanged; a request that cannot reach a machine goes to the next; one that
//! was sent and not answered goes to the next only if it may be repeated, which every request with
//! an `Idempotency-Key` may; a machine that says it is not ready gets nothing while another is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderName;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::service::Service;

/// How long a machine may take to answer: longer than the longest wait of a checkout.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a machine is asked whether it is ready.
const PROBE: Duration = Duration::from_millis(100);
/// How long it may take to say so: a busy machine is not a dead one.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// The header fields that are passed on, of requests and of answers.
const REQUEST_FIELDS: [&str; 4] = ["content-type", "idempotency-key", "traceparent", "tracestate"];
const ANSWER_FIELDS: [&str; 4] = ["content-type", "retry-after", "allow", "idempotency-replayed"];

type Upstream = Client<HttpConnector, Full<Bytes>>;

/// A running proxy; its connections are closed when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy on `port` before these machines, given by their public ports and by
    /// [`Service::index`].
    pub fn start(port: u16, machines: [Vec<u16>; 3]) -> Proxy {
        let (stop, stopped) = oneshot::channel();
        // A runtime of its own: one proxy may serve several tests, each of which has its own.
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime can be built");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(port, machines) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Proxy { port, stop: Some(stop), thread: Some(thread) }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            // A proxy that panicked has failed its test already.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Machine {
    port: u16,
    ready: AtomicBool,
}

#[derive(Debug)]
struct Gateway {
    machines: [Vec<Machine>; 3],
    turns: [AtomicUsize; 3],
    upstream: Upstream,
}

async fn serve(port: u16, machines: [Vec<u16>; 3]) {
    let machine = |port| Machine { port, ready: AtomicBool::new(true) };
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let gateway = Arc::new(Gateway {
        machines: machines.map(|ports| ports.into_iter().map(machine).collect()),
        turns: Default::default(),
        upstream: Client::builder(TokioExecutor::new()).build(connector),
    });
    let listener = listen(port);
    tokio::spawn(watch(Arc::clone(&gateway)));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let gateway = Arc::clone(&gateway);
                async move { Ok::<_, hyper::Error>(gateway.answer(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that leaves in the middle is its own business.
            let _ = connection.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn listen(port: u16) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseaddr(true).expect("an unbound socket takes options");
    socket.bind(([127, 0, 0, 1], port).into()).expect("the port is free");
    // Room for a thousand clients that connect at once.
    socket.listen(4096).expect("a bound socket can listen")
}

/// Asks every machine again and again whether it is ready.
async fn watch(gateway: Arc<Gateway>) {
    loop {
        let probes = gateway.machines.iter().flatten().map(|machine| async {
            let request = Request::get(format!("http://127.0.0.1:{}/health/ready", machine.port))
                .body(Full::default())
                .expect("the parts are valid");
            let answer = tokio::time::timeout(PROBE_TIMEOUT, gateway.upstream.request(request)).await;
            let ready = matches!(answer, Ok(Ok(answer)) if answer.status() == 200);
            machine.ready.store(ready, Ordering::Relaxed);
        });
        futures_util::future::join_all(probes).await;
        tokio::time::sleep(PROBE).await;
    }
}

impl Gateway {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        if path == "/health/live" || path == "/health/ready" {
            let someone = |machines: &Vec<Machine>| machines.iter().any(Machine::is_ready);
            let fine = path.ends_with("live") || self.machines.iter().all(someone);
            return plain(if fine { 200 } else { 503 }, "");
        }
        let Some((service, rest)) = Service::ALL.into_iter().find_map(|service| {
            let rest = path.strip_prefix('/')?.strip_prefix(service.prefix())?;
            rest.starts_with('/').then_some((service, rest))
        }) else {
            return plain(404, "the proxy of the tests knows no such service");
        };
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return plain(400, "the proxy of the tests could not read the body");
        };
        let body = body.to_bytes();
        let has_key = head.headers.contains_key("idempotency-key");
        let repeatable = head.method == Method::GET || rest.starts_with("/checkout/") || has_key;
        for machine in self.in_turn(service) {
            let url = format!("http://127.0.0.1:{}{rest}", machine.port);
            let mut request = Request::builder()
                .method(head.method.clone())
                .uri(url.parse::<Uri>().expect("a path that was received can be sent"));
            for field in REQUEST_FIELDS {
                for value in head.headers.get_all(field) {
                    request = request.header(field, value);
                }
            }
            let request = request.body(Full::new(body.clone())).expect("the parts are valid");
            match tokio::time::timeout(TIMEOUT, self.upstream.request(request)).await {
                Ok(Ok(answer)) => match passed_on(answer).await {
                    Ok(answer) => return answer,
                    Err(_) if repeatable => {}
                    Err(error) => return plain(502, &error.to_string()),
                },
                Ok(Err(error)) if repeatable || Error::is_connect(&error) => {}
                Ok(Err(error)) => return plain(502, &format!("{error:?}")),
                Err(_) => return plain(504, "the machine did not answer in time"),
            }
        }
        plain(502, "no machine answered")
    }

    /// The machines of a service, each request beginning with another; those that are not ready
    /// come last.
    fn in_turn(&self, service: Service) -> Vec<&Machine> {
        let machines = &self.machines[service.index()];
        let turn = self.turns[service.index()].fetch_add(1, Ordering::Relaxed);
        let mut order: Vec<&Machine> = (0..machines.len()).map(|n| &machines[(turn + n) % machines.len()]).collect();
        order.sort_by_key(|machine| !machine.is_ready());
        order
    }
}

impl Machine {
    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

async fn passed_on(answer: Response<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = head.status;
    for field in ANSWER_FIELDS.map(HeaderName::from_static) {
        for value in head.headers.get_all(&field) {
            answer.headers_mut().append(&field, value.clone());
        }
    }
    Ok(answer)
}

fn plain(status: u16, text: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text.to_owned()));
    *answer.status_mut() = status.try_into().expect("the status is a valid one");
    answer
}
