//! Where spans go: to a collector, if one is set. Without one, all of this is one look at a static.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::metrics::Counter;
use clap::Args;
use reqwest::Url;
use shardcart_types::secret::Secret;
use tokio::sync::{mpsc, oneshot};

use super::otlp::Collector;
use super::parent::{Origin, TraceParent};
use super::span::Span;
use crate::metrics::names;

/// Spans that wait to be exported at most; beyond it they are dropped.
const QUEUE_MAX: usize = 16_384;
/// How long the last spans may take to be exported when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// Where traces are sent. The names are those of OpenTelemetry.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceSettings {
    /// The OpenTelemetry collector that gets the spans of checkouts, as OTLP over HTTP with JSON: http://host:4318 (default: none, and tracing costs nothing)
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = shardcart_types::parse::base_url)]
    pub otel_exporter_otlp_endpoint: Option<Url>,
    /// Header fields for the collector: name=value, comma-separated
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true)]
    pub otel_exporter_otlp_headers: Option<Secret>,
    /// Which share of traces that begin here is exported, from 0 to 1. One that a client's traceparent begins is exported if the client samples it
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = share)]
    pub otel_traces_sampler_arg: f64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

enum Sent {
    Span(Box<Span>),
    Flush(oneshot::Sender<()>),
}

/// The way to the thread that exports.
struct Exporter {
    queue: mpsc::Sender<Sent>,
    share: f64,
    dropped: Counter,
}

static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// Starts exporting if a collector is set: in a thread of its own, so that no request waits for it.
///
/// # Errors
/// A sentence that names the setting.
pub fn start(settings: &TraceSettings) -> Result<(), String> {
    let (exported, dropped) = (names::SPANS_EXPORTED.counter(&[]), names::SPANS_DROPPED.counter(&[]));
    let Some(url) = &settings.otel_exporter_otlp_endpoint else { return Ok(()) };
    let collector = Collector::new(url, settings.otel_exporter_otlp_headers.as_ref(), exported, dropped.clone())?;
    let (queue, spans) = mpsc::channel(QUEUE_MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime for the export of traces: {error}"))?;
    std::thread::Builder::new()
        .name("traces".to_owned())
        .spawn(move || runtime.block_on(run(spans, collector)))
        .map_err(|error| format!("no thread for the export of traces: {error}"))?;
    log::info!(collector:% = url, share = settings.otel_traces_sampler_arg; "traces are exported");
    // A second start in one process (tests) keeps the first.
    let _ = EXPORTER.set(Exporter { queue, share: settings.otel_traces_sampler_arg, dropped });
    Ok(())
}

/// Whether spans are exported at all.
pub fn on() -> bool {
    EXPORTER.get().is_some()
}

/// Whether a trace that begins now is to be recorded.
pub(super) fn samples() -> bool {
    EXPORTER.get().is_some_and(|exporter| fastrand::f64() < exporter.share)
}

/// Whether spans of this trace are exported.
pub fn wants(parent: TraceParent) -> bool {
    parent.sampled && on()
}

/// Begins to measure something for an origin, if it is to be exported.
pub fn begin(origin: impl FnOnce() -> Option<Origin>) -> Option<(Origin, Instant)> {
    EXPORTER.get()?;
    origin().filter(|origin| origin.parent.sampled).map(|origin| (origin, Instant::now()))
}

/// Exports the span of a script call that has been answered now, or not.
pub fn script(origin: &Origin, began: Instant, name: &str, service: &'static str, shard: u16, failed: bool) {
    let parent = origin.parent;
    let mut span = Span::new(service, name.to_owned(), parent.child(), Some(parent.span), began).with("shard", &shard);
    span.failed = failed;
    send(span);
}

/// Exports the span of a script call for which [`begin`] has said that it is wanted.
pub fn ended(began: Option<(Origin, Instant)>, name: &str, service: &'static str, shard: u16, failed: bool) {
    if let Some((origin, began)) = began {
        script(&origin, began, name, service, shard, failed);
    }
}

/// Exports a span. Never waits: if too many wait already, it is dropped.
pub fn send(span: Span) {
    if let Some(exporter) = EXPORTER.get()
        && exporter.queue.try_send(Sent::Span(Box::new(span))).is_err()
    {
        exporter.dropped.increment(1);
    }
}

/// Has exported what was sent until now; gives up after a moment.
pub async fn flush() {
    let Some(exporter) = EXPORTER.get() else { return };
    let (done, flushed) = oneshot::channel();
    let flush = async {
        if exporter.queue.send(Sent::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    };
    let _ = tokio::time::timeout(FLUSH_LIMIT, flush).await;
}

/// Exports in batches: what has come within a second, or as soon as there are enough.
async fn run(mut queue: mpsc::Receiver<Sent>, mut collector: Collector) {
    const TOGETHER_MAX: usize = 512;
    const LINGER: Duration = Duration::from_secs(1);
    let mut batch = Vec::new();
    let mut flushed = Vec::new();
    while let Some(first) = queue.recv().await {
        let full = tokio::time::Instant::now() + LINGER;
        let mut next = Some(first);
        while let Some(sent) = next {
            match sent {
                Sent::Span(span) => batch.push(*span),
                Sent::Flush(done) => flushed.push(done),
            }
            if batch.len() >= TOGETHER_MAX || !flushed.is_empty() {
                break;
            }
            next = tokio::time::timeout_at(full, queue.recv()).await.ok().flatten();
        }
        if !batch.is_empty() {
            collector.export(std::mem::take(&mut batch)).await;
        }
        for done in flushed.drain(..) {
            // Who has stopped waiting needs no answer.
            let _: Result<(), ()> = done.send(());
        }
    }
}
