//! Metrics as numbers: what this process, or another whose `/metrics` was fetched, counted up to a moment.

use std::time::{Duration, Instant};

/// One line: a name, labels and a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name; for histograms with its ending (`_bucket`, `_sum`, `_count`).
    pub name: String,
    /// Names and values of the labels, in the order in which they were written.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.name == name && labels.iter().all(|(label, value)| self.label(label) == Some(value))
    }
}

/// All metrics at one moment.
///
/// Wherever labels are asked for, those that are not named may have any value, and values are added up over them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken.
    pub taken: Instant,
    /// All lines.
    pub samples: Vec<Sample>,
}

impl Snapshot {
    /// The metrics of this process, now. About a millisecond of work; it waits for nothing.
    pub fn here() -> Self {
        Snapshot::parse(&super::render())
    }

    /// Reads what a `/metrics` endpoint answered. Lines that cannot be read are left out.
    pub fn parse(text: &str) -> Self {
        Snapshot { taken: Instant::now(), samples: text.lines().filter_map(sample).collect() }
    }

    /// The lines of a name with these labels.
    pub fn find<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.has(name, labels))
    }

    /// The sum of a counter or gauge over all series with these labels; `None` if there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.known(name, labels).reduce(|sum, value| sum + value)
    }

    /// The largest value among all series with these labels.
    pub fn max(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.known(name, labels).reduce(f64::max)
    }

    /// What a shard has not said yet is no number.
    fn known<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = f64> {
        self.find(name, labels).map(|sample| sample.value).filter(|value| !value.is_nan())
    }

    /// By how much a counter has grown since an earlier snapshot of the same process.
    pub fn increase(&self, earlier: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (now, before) = (self.sum(name, labels).unwrap_or(0.0), earlier.sum(name, labels).unwrap_or(0.0));
        // Less than before: the process has been started anew, and counts from 0.
        if now < before { now } else { now - before }
    }

    /// By how much a counter has grown each second since an earlier snapshot of the same process.
    pub fn rate(&self, earlier: &Snapshot, name: &str, labels: &[(&str, &str)]) -> f64 {
        let seconds = self.taken.saturating_duration_since(earlier.taken).as_secs_f64();
        if seconds > 0.0 { self.increase(earlier, name, labels) / seconds } else { 0.0 }
    }

    /// A quantile (0 to 1) of what a histogram has recorded since an earlier snapshot, or ever: as Prometheus'
    /// `histogram_quantile`, by the line between the bounds of a bucket. `None` if nothing was recorded.
    pub fn quantile(
        &self,
        earlier: Option<&Snapshot>,
        name: &str,
        labels: &[(&str, &str)],
        quantile: f64,
    ) -> Option<f64> {
        let buckets = self.buckets(earlier, name, labels);
        let (_, count) = *buckets.last()?;
        if count <= 0.0 {
            return None;
        }
        let rank = quantile * count;
        let place = buckets.iter().position(|(_, up_to)| *up_to >= rank)?;
        let (bound, up_to) = buckets[place];
        let (lower, below) = if place == 0 { (0.0, 0.0) } else { buckets[place - 1] };
        if bound.is_infinite() || up_to <= below {
            return Some(lower);
        }
        Some(lower + (bound - lower) * (rank - below) / (up_to - below))
    }

    /// The same as a duration.
    pub fn quantile_duration(
        &self,
        earlier: Option<&Snapshot>,
        name: &str,
        labels: &[(&str, &str)],
        quantile: f64,
    ) -> Option<Duration> {
        Duration::try_from_secs_f64(self.quantile(earlier, name, labels, quantile)?).ok()
    }

    /// Upper bounds, rising, and how many values were at most that.
    fn buckets(&self, earlier: Option<&Snapshot>, name: &str, labels: &[(&str, &str)]) -> Vec<(f64, f64)> {
        let name = format!("{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        let mut add = |sample: &Sample, sign: f64| {
            let Some(bound) = sample.label("le").and_then(|bound| bound.parse::<f64>().ok()) else { return };
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += sign * sample.value,
                None => buckets.push((bound, sign * sample.value)),
            }
        };
        self.find(&name, labels).for_each(|sample| add(sample, 1.0));
        if let Some(earlier) = earlier {
            earlier.find(&name, labels).for_each(|sample| add(sample, -1.0));
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        buckets
    }
}

/// Reads `name{label="value",…} 1.5`.
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels));
    let mut rest = labels.strip_suffix('}').unwrap_or(labels);
    let mut labels = Vec::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (value, after) = quoted(after)?;
        labels.push((label.trim_start_matches(',').to_owned(), value));
        rest = after;
    }
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// Reads up to the closing quote; gives what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total A\n# TYPE a_total counter\na_total{service=\"order\",path=\"/x/{id}\"} 3\n\
        a_total{service=\"stock\",path=\"a \\\"b\\\" c\"} 4\nb 1.5\nbroken\n\
        h_bucket{le=\"0.1\"} 2\nh_bucket{le=\"0.2\"} 6\nh_bucket{le=\"+Inf\"} 8\nh_sum{} 1\nh_count{} 8\n";

    #[test]
    fn lines_are_read_with_their_labels() {
        let snapshot = Snapshot::parse(TEXT);
        assert_eq!(snapshot.sum("a_total", &[]), Some(7.0));
        assert_eq!(snapshot.sum("a_total", &[("service", "order"), ("path", "/x/{id}")]), Some(3.0));
        assert_eq!(snapshot.sum("a_total", &[("path", "a \"b\" c")]), Some(4.0));
        assert_eq!(snapshot.sum("b", &[]), Some(1.5));
        assert_eq!(snapshot.sum("c", &[]), None);
        assert_eq!(snapshot.max("a_total", &[]), Some(4.0));
    }

    #[test]
    fn a_counter_that_began_again_has_grown_by_what_it_is() {
        let (before, after) = (Snapshot::parse("a 7"), Snapshot::parse("a 2"));
        assert_eq!(after.increase(&before, "a", &[]), 2.0);
        assert_eq!(Snapshot::parse("a 9").increase(&before, "a", &[]), 2.0);
    }

    #[test]
    fn a_quantile_is_where_prometheus_says() {
        let snapshot = Snapshot::parse(TEXT);
        let quantile = |quantile| snapshot.quantile(None, "h", &[], quantile);
        assert_eq!(quantile(0.25), Some(0.1));
        assert!((quantile(0.5).unwrap() - 0.15).abs() < 1e-9);
        assert_eq!(quantile(0.99), Some(0.2));
        assert_eq!(snapshot.quantile(Some(&snapshot), "h", &[], 0.5), None);
    }

    #[test]
    fn this_process_can_be_read() {
        crate::metrics::start("test");
        let here = Snapshot::here();
        assert_eq!(here.sum("shardcart_build_info", &[("program", "test")]), Some(1.0));
        assert!(here.sum("process_cpu_seconds_total", &[]).unwrap() > 0.0);
    }
}
