//! Metrics: what a machine counts and measures of itself, and how it is read, by Prometheus or within the process.
//!
//! [`names`] lists all of them. Handles are made once and kept: recording is a few plain atomic additions, no label is
//! formatted or looked up. Counters and gauges are handles of the `metrics` crate, kept and written out by its
//! Prometheus exporter. Histograms are this module's own ([`histogram`]): the exporter's keep every sample (16 bytes)
//! until somebody scrapes, which has no bound when nobody does, and read the clock once more for each.

pub mod checkout;
pub mod histogram;
pub mod names;
pub mod process;
pub mod requests;
pub mod shard;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use ::metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder};
use histogram::Histogram;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use names::{ALL, Kind, Metric};

/// The content type of what [`render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

static METADATA: Metadata<'static> = Metadata::new("shardcart", Level::INFO, None);

static OFF: AtomicBool = AtomicBool::new(false);

/// Whether anything is counted in this process.
pub fn on() -> bool {
    !OFF.load(Ordering::Relaxed)
}

/// Everything that this process counts.
struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    histograms: Kept<(&'static str, String), Histogram>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let recorder = PrometheusBuilder::new().build_recorder();
    for metric in ALL {
        let help = metric.help.into();
        match metric.kind {
            Kind::Counter => recorder.describe_counter(metric.name.into(), None, help),
            Kind::Gauge => recorder.describe_gauge(metric.name.into(), None, help),
            Kind::Seconds | Kind::Size => {}
        }
    }
    let handle = recorder.handle();
    Registry { recorder, handle, histograms: Kept::new() }
});

/// Things that are made once for each key and then kept for as long as the process runs: their number is bounded by
/// the number of services, endpoints and shards.
pub(crate) struct Kept<K, V: 'static>(Mutex<BTreeMap<K, &'static V>>);

impl<K: Ord, V> Kept<K, V> {
    pub(crate) const fn new() -> Self {
        Kept(Mutex::new(BTreeMap::new()))
    }

    /// What is kept under a key; made if there is nothing yet.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> V) -> &'static V {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(key).or_insert_with(|| Box::leak(Box::new(make())))
    }

    /// All that are kept, in the order of their keys.
    pub(crate) fn all(&self) -> Vec<&'static V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
    }
}

/// A counter that can be read within the process: the exporter's cannot.
pub(crate) struct Counted {
    exported: Counter,
    count: AtomicU64,
}

impl Counted {
    pub(crate) fn of(exported: Counter) -> Self {
        Counted { exported, count: AtomicU64::new(0) }
    }

    pub(crate) fn increment(&self) {
        if on() {
            self.exported.increment(1);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Metric {
    /// A handle on this counter with these values of its labels. It shows as 0 from now on.
    pub fn counter(&self, values: &[&str]) -> Counter {
        if on() { REGISTRY.recorder.register_counter(&self.key(values), &METADATA) } else { Counter::noop() }
    }

    /// A handle on this gauge with these values of its labels. It shows as 0 from now on.
    pub fn gauge(&self, values: &[&str]) -> Gauge {
        if on() { REGISTRY.recorder.register_gauge(&self.key(values), &METADATA) } else { Gauge::noop() }
    }

    /// This histogram with these values of its labels. It shows as empty from now on.
    pub fn histogram(&self, values: &[&str]) -> &'static Histogram {
        let mut labels = String::new();
        for (name, value) in self.pairs(values) {
            let _ = write!(labels, "{name}=\"{value}\",");
        }
        REGISTRY.histograms.get((self.name, labels.clone()), || Histogram::new(self, labels))
    }

    fn key(&self, values: &[&str]) -> Key {
        let labels: Vec<Label> = self.pairs(values).map(|(name, value)| Label::new(name, value.to_owned())).collect();
        Key::from_parts(self.name, labels)
    }

    fn pairs<'a>(&self, values: &'a [&'a str]) -> impl Iterator<Item = (&'static str, &'a str)> {
        debug_assert_eq!(self.labels.len(), values.len(), "{} has the labels {:?}", self.name, self.labels);
        self.labels.iter().copied().zip(values.iter().copied())
    }
}

/// Everything in Prometheus' text format, with what the operating system tells of this process.
///
/// It waits for nothing: what needs work to know (memory of shards, what is held) was collected before.
pub fn render() -> String {
    requests::collect();
    let mut text = REGISTRY.handle.render();
    process::render(&mut text);
    let mut last = "";
    for histogram in REGISTRY.histograms.all() {
        if histogram.name() != last {
            last = histogram.name();
            let _ = write!(text, "# HELP {last} {}\n# TYPE {last} histogram\n", histogram.help());
        }
        histogram.render(&mut text);
    }
    text
}

/// Makes the metrics that do not depend on what the machine is asked show from the start, so that their first change
/// is a change: `program` is `shop`, `order`, `stock` or `payment`. To be called before anything is counted.
///
/// Without `counts`, nothing ever is.
pub fn start(program: &'static str, counts: bool) {
    OFF.store(!counts, Ordering::Relaxed);
    names::BUILD_INFO.gauge(&[program, env!("CARGO_PKG_VERSION")]).set(1.0);
    process::start();
    requests::start(program);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_made_twice_counts_together() {
        let (first, second) = (names::ALARMS.counter(&["test", "lost"]), names::ALARMS.counter(&["test", "lost"]));
        first.increment(2);
        second.increment(1);
        assert!(render().contains("shardcart_alarms_total{service=\"test\",kind=\"lost\"} 3"));
        let (first, second) =
            (names::SHARD_ROUND_TRIP.histogram(&["test", "0"]), names::SHARD_ROUND_TRIP.histogram(&["test", "0"]));
        assert!(std::ptr::eq(first, second));
    }
}
