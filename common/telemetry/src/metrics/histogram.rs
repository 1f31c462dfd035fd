//! Histograms of fixed buckets: bounded memory, two atomic additions a measurement.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::names::{Kind, Metric};
use crate::metrics;

/// Upper bounds of durations, in nanoseconds: 100 µs to 10 s.
const SECONDS: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// Upper bounds of sizes.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// How often values fell into each bucket, and what they add up to.
#[derive(Debug)]
pub struct Histogram {
    name: &'static str,
    help: &'static str,
    /// As they are written: `step="begin",`, with a comma at the end if there are any.
    labels: String,
    bounds: &'static [u64],
    /// By what a value is divided when it is written: durations are kept in nanoseconds.
    scale: f64,
    /// The last is for what is above all bounds.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(super) fn new(metric: &Metric, labels: String) -> Self {
        let (bounds, scale) = if metric.kind == Kind::Size { (SIZES, 1.0) } else { (SECONDS, 1e9) };
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { name: metric.name, help: metric.help, labels, bounds, scale, buckets, sum: AtomicU64::new(0) }
    }

    /// Takes note of what took from `began` until now.
    pub fn record_since(&self, began: Instant) {
        if metrics::on() {
            self.record(began.elapsed());
        }
    }

    /// Takes note of a duration.
    pub fn record(&self, duration: Duration) {
        self.add(nanoseconds(duration), 1);
    }

    /// Takes note that each of `times` took this long.
    pub fn record_each(&self, duration: Duration, times: usize) {
        self.add(nanoseconds(duration), u64::try_from(times).unwrap_or(u64::MAX));
    }

    /// Takes note of a size.
    pub fn record_size(&self, size: usize) {
        self.add(u64::try_from(size).unwrap_or(u64::MAX), 1);
    }

    fn add(&self, value: u64, times: u64) {
        if !metrics::on() {
            return;
        }
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[place].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Ordering::Relaxed);
    }

    /// How often values fell into each bucket so far.
    pub(super) fn counts(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect()
    }

    /// What this share of values (0 to 1) comes to at most, in nanoseconds where they are durations; `counts` says how
    /// many fell into each bucket. As Prometheus' `histogram_quantile`, by the line between the bounds of a bucket. `None`
    /// if there are none.
    pub(super) fn quantile(&self, counts: &[u64], share: f64) -> Option<f64> {
        let rank = share * counts.iter().sum::<u64>() as f64;
        let (mut below, mut lower) = (0, 0.0);
        for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            lower = place.checked_sub(1).map_or(0.0, |place| self.bounds[place] as f64);
            if (below + count) as f64 >= rank {
                // The last bucket has no end.
                let upper = self.bounds.get(place).map_or(lower, |bound| *bound as f64);
                return Some(lower + (upper - lower) * (rank - below as f64) / *count as f64);
            }
            below += count;
        }
        (below > 0).then_some(lower)
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn help(&self) -> &'static str {
        self.help
    }

    pub(super) fn render(&self, text: &mut String) {
        let Histogram { name, labels, .. } = self;
        let mut count = 0;
        for (bucket, bound) in self.buckets.iter().zip(self.bounds) {
            count += bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{{labels}le=\"{}\"}} {count}", *bound as f64 / self.scale);
        }
        count += self.buckets[self.bounds.len()].load(Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / self.scale;
        let own = labels.trim_end_matches(',');
        let _ = writeln!(text, "{name}_bucket{{{labels}le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{{own}}} {sum}\n{name}_count{{{own}}} {count}");
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::names;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::new(&names::BATCH_OPERATIONS, "participant=\"stock\",".to_owned());
        for size in [1, 2, 3, 512, 513] {
            histogram.record_size(size);
        }
        let mut text = String::new();
        histogram.render(&mut text);
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        has("shardcart_participant_batch_operations_bucket{participant=\"stock\",le=\"1\"} 1");
        has("shardcart_participant_batch_operations_bucket{participant=\"stock\",le=\"2\"} 2");
        has("shardcart_participant_batch_operations_bucket{participant=\"stock\",le=\"4\"} 3");
        has("shardcart_participant_batch_operations_bucket{participant=\"stock\",le=\"512\"} 4");
        has("shardcart_participant_batch_operations_bucket{participant=\"stock\",le=\"+Inf\"} 5");
        has("shardcart_participant_batch_operations_sum{participant=\"stock\"} 1031");
        has("shardcart_participant_batch_operations_count{participant=\"stock\"} 5");
    }

    #[test]
    fn a_quantile_is_where_prometheus_says() {
        let histogram = Histogram::new(&names::BATCH_OPERATIONS, String::new());
        let counts = |counts: &[(usize, u64)]| {
            let mut all = histogram.counts();
            counts.iter().for_each(|(place, count)| all[*place] = *count);
            all
        };
        // Two up to 1, four up to 2, two beyond all bounds.
        let counts = [counts(&[(0, 2), (1, 4), (10, 2)]), counts(&[])];
        for (share, expected) in [(0.125, 0.5), (0.25, 1.0), (0.5, 1.5), (0.75, 2.0), (0.99, 512.0), (1.0, 512.0)] {
            assert_eq!(histogram.quantile(&counts[0], share), Some(expected), "{share}");
        }
        assert_eq!(histogram.quantile(&counts[1], 0.5), None);
    }

    #[test]
    fn durations_are_written_in_seconds() {
        let histogram = Histogram::new(&names::CHECKOUT_DURATION, String::new());
        histogram.record(Duration::from_micros(250));
        histogram.record_each(Duration::from_millis(2), 3);
        let mut text = String::new();
        histogram.render(&mut text);
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        has("shardcart_checkout_duration_seconds_bucket{le=\"0.0001\"} 0");
        has("shardcart_checkout_duration_seconds_bucket{le=\"0.00025\"} 1");
        has("shardcart_checkout_duration_seconds_bucket{le=\"0.0025\"} 4");
        has("shardcart_checkout_duration_seconds_sum{} 0.00625");
    }
}
