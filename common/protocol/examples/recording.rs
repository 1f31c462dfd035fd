//! What a checkout pays for being recorded: `cargo run --release -p shardcart-protocol --example recording`.
//!
//! Runs just that part of a checkout, again and again in one thread: its request's context and metrics, its own, those
//! of its steps, and those of the batches and pipelines that carry it. A lone checkout has these to itself; where many
//! are under way, a batch and its pipeline are recorded once for all that share it.
//!
//! What a whole shop pays is `benchmark growth --only metrics`: there the attempt is kept for the console as well.

use std::hint::black_box;
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use shardcart_protocol::batch_metrics;
use shardcart_protocol::participant::Answer;
use shardcart_telemetry::metrics::checkout::{self, Outcome, Step};
use shardcart_telemetry::metrics::{self, requests, shard};
use shardcart_telemetry::trace::{self, Context};
use shardcart_types::ids::{OrderId, TxId, now_ms};
use shardcart_types::service::Service;

const REPEATS: u32 = 20_000;
const ROUNDS: usize = 9;

async fn checkouts(headers: &HeaderMap, endpoint: &requests::Endpoint, order: &OrderId, tx: &TxId, together: usize) {
    let answers = vec![Answer::Held; together];
    for _ in 0..together {
        checkout(headers, endpoint, order, tx).await;
    }
    // Reserved together, and settled together.
    let began = Instant::now();
    for _ in 0..2 {
        batch(Service::Stock, "stock", &answers).await;
        batch(Service::Payment, "payment", &answers).await;
    }
    script("order").await;
    checkout::settled(together, began);
}

async fn checkout(headers: &HeaderMap, endpoint: &requests::Endpoint, order: &OrderId, tx: &TxId) {
    let began = Instant::now();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let request = Context::of_request(text("traceparent"), text("x-request-id"), began);
    trace::within(&request, async {
        let context = Context::of_checkout(trace::current(), order);
        trace::within(&context, async {
            let timed = trace::step(Step::Begin);
            script("order").await;
            drop(timed);
            trace::drives(tx);
            for step in [Step::Stock, Step::Payment] {
                let _timed = trace::step(step);
                black_box(trace::current());
            }
            let timed = trace::step(Step::Decide);
            script("order").await;
            drop(timed);
            black_box(trace::own());
            checkout::ended(Outcome::Paid, context.began().elapsed());
        })
        .await;
        black_box(context.span("order", String::new));
    })
    .await;
    black_box(request.span("order", String::new));
    endpoint.answered(began, 200, None);
}

async fn script(service: &'static str) {
    // A connection knows its shard's metrics; here they are found once, too.
    let metrics = METRICS.with(|all| {
        if service == "order" {
            all[0]
        } else if service == "stock" {
            all[1]
        } else {
            all[2]
        }
    });
    let sent = Instant::now();
    black_box(trace::export::begin(trace::current));
    metrics.answered(black_box(sent), 1);
}

async fn batch(participant: Service, service: &'static str, answers: &[Answer]) {
    let began = Instant::now();
    script(service).await;
    batch_metrics::batch(participant, began, answers);
}

thread_local! {
    static METRICS: [&'static shard::ShardMetrics; 3] = ["order", "stock", "payment"].map(|service| shard::of(service, 0));
}

/// The median of some rounds, in nanoseconds each.
async fn measure(mut work: impl AsyncFnMut()) -> f64 {
    let mut rounds: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..REPEATS {
            work().await;
        }
        rounds.push(began.elapsed() / REPEATS);
    }
    rounds.sort();
    rounds[ROUNDS / 2].as_nanos() as f64
}

fn main() {
    metrics::start("example", true);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    let name = |name| HeaderName::from_static(name);
    let mut plain = HeaderMap::new();
    plain.insert(name("host"), HeaderValue::from_static("shop"));
    let mut named = plain.clone();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    named.insert(name("traceparent"), HeaderValue::from_static(parent));
    named.insert(name("x-request-id"), HeaderValue::from_static("5e0bb9ae01c2d2d5a5ba3d8a2fbd2a0e"));
    let endpoint = requests::endpoint("order", "/checkout/{order_id}");
    let (order, tx) = (OrderId::mint(0, now_ms()), TxId::mint(0, now_ms()));
    let each = |headers: HeaderMap, together: usize| {
        let checkouts = async || checkouts(&headers, endpoint, &order, &tx, together).await;
        runtime.block_on(measure(checkouts)) / together as f64
    };
    let (alone, company, traced) = (each(plain.clone(), 1), each(plain, 16), each(named, 16));
    let clock = runtime.block_on(measure(async || {
        black_box(Instant::now());
    }));
    let record = runtime.block_on(measure(async || checkout::step(Step::Begin, black_box(Duration::from_micros(300)))));
    println!("a lone checkout             {alone:6.0} ns");
    println!("one of 16 at once           {company:6.0} ns");
    println!("  with traceparent and name {traced:6.0} ns");
    println!("reading the clock once      {clock:6.0} ns");
    println!("recording one duration      {record:6.0} ns");
    println!("{} bytes of metrics", metrics::render().len());
}
