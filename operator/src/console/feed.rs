//! The console's feed, which it shows as it happens: a sample every second, and a look at all shards while somebody watches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::rt;
use serde::Serialize;
use shardcart_order::recent::{AttemptSummary, RecentAttempts};
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics::checkout::Totals;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::console::sample::{Counts, Sample};
use crate::console::top_items::{TopItem, TopItems};
use crate::sources::Sources;
use crate::status::{Alarm, System, Throughput};

/// How often a sample is taken.
const INTERVAL: Duration = Duration::from_secs(1);
/// Samples that are kept: what the curves show.
const SAMPLES_MAX: usize = 300;
/// Samples over which `shop status` tells the throughput.
const AVERAGED: usize = 10;
/// Who may watch at once.
const LISTENERS_MAX: usize = 64;
/// Attempts that are told of with a sample.
const TOLD_MAX: usize = 12;
/// How long an alarm that was counted is shown after the last time.
const ALARMED: Duration = Duration::from_secs(60);

/// The feed for all who watch.
#[derive(Debug)]
pub struct Feed {
    machine: String,
    recent: Arc<RecentAttempts>,
    samples: watch::Sender<Arc<str>>,
    system: watch::Sender<Arc<str>>,
    history: Mutex<VecDeque<Sample>>,
    /// When each kind of alarm was counted last: who is concerned, and what.
    alarmed: Mutex<BTreeMap<(&'static str, &'static str), Instant>>,
    /// The last look at all shards, and when it began.
    looked: AsyncMutex<Option<(Instant, System)>>,
    listeners: Arc<AtomicUsize>,
}

/// Somebody who watches, until dropped.
#[derive(Debug)]
pub struct Listener {
    listeners: Arc<AtomicUsize>,
    /// Each second's sample, ready to be sent.
    pub samples: watch::Receiver<Arc<str>>,
    /// Each look at the system, ready to be sent; empty before the first.
    pub system: watch::Receiver<Arc<str>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Feed {
    /// Shows what `recent` remembers. `machine` says whose it is.
    pub fn new(machine: String, recent: Arc<RecentAttempts>) -> Arc<Self> {
        let nothing = || watch::Sender::new(Arc::from(""));
        let history = Mutex::new(VecDeque::with_capacity(SAMPLES_MAX));
        let (samples, system) = (nothing(), nothing());
        let (alarmed, looked, listeners) = (Mutex::default(), AsyncMutex::default(), Arc::default());
        Arc::new(Feed { machine, recent, samples, system, history, alarmed, looked, listeners })
    }

    /// Starts taking samples, in this thread.
    pub fn start(self: &Arc<Self>, sources: Sources, shards: Arc<Shards>) {
        rt::spawn(Arc::clone(self).take_samples());
        rt::spawn(Arc::clone(self).look(sources, shards));
    }

    /// One more who watches; `None` if there are too many.
    pub fn listen(&self) -> Option<Listener> {
        if self.listeners.fetch_add(1, Ordering::AcqRel) >= LISTENERS_MAX {
            self.listeners.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let listeners = Arc::clone(&self.listeners);
        Some(Listener { listeners, samples: self.samples.subscribe(), system: self.system.subscribe() })
    }

    /// What a console gets first: who this is, the samples so far, and the last attempts.
    pub fn hello(&self) -> Arc<str> {
        let (recent, _) = self.recent.since(0, TOLD_MAX);
        let history = self.history();
        event("hello", &serde_json::json!({ "machine": self.machine, "beats": &*history, "recent": recent }))
    }

    /// What this machine has done in the last seconds.
    pub fn throughput(&self) -> Throughput {
        let history = self.history();
        let last: Vec<&Sample> = history.iter().rev().take(AVERAGED).collect();
        let seconds = last.len().max(1);
        let mean = |of: fn(&Sample) -> u64| last.iter().map(|sample| of(sample) as f64).sum::<f64>() / seconds as f64;
        let per_second = BTreeMap::from([
            ("paid".to_owned(), mean(|sample| sample.paid)),
            ("repeated".to_owned(), mean(|sample| sample.repeated)),
            ("refused".to_owned(), mean(|sample| sample.refused)),
            ("aborted".to_owned(), mean(|sample| sample.aborted)),
            ("unknown".to_owned(), mean(|sample| sample.unknown)),
            ("turned_away".to_owned(), mean(|sample| sample.turned_away)),
        ]);
        let busy = last.iter().find(|sample| sample.median_us > 0);
        Throughput {
            seconds: seconds as u64,
            per_second,
            median_us: busy.map_or(0, |sample| sample.median_us),
            p99_us: busy.map_or(0, |sample| sample.p99_us),
        }
    }

    /// How the system is, with what this machine itself has to tell of it.
    pub async fn system(&self, sources: &Sources, shards: &Shards) -> System {
        let mut system = self.one_look(sources, shards).await;
        let turned_away: u64 = self.history().iter().rev().take(AVERAGED).map(|sample| sample.turned_away).sum();
        if turned_away > 0 {
            let words = format!(
                "{turned_away} requests were turned away within {AVERAGED} s (429): this machine has too much to do. Nothing was done for them."
            );
            system.alarms.push(Alarm::warning("turned away", words));
        }
        let alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = alarmed.iter().filter(|(_, last)| last.elapsed() < ALARMED);
        for ((service, kind), _) in lately {
            let words = format!(
                "A reservation at {service} is not what its decision needs ({kind}). This must never happen: run shop audit."
            );
            system.alarms.insert(0, Alarm::bad(format!("{kind} {service}"), words));
        }
        system
    }

    /// A look at all shards that began after it was asked for. There is one at a time. All who ask meanwhile share the
    /// next one, so that many questions make a shard work no more than a few.
    async fn one_look(&self, sources: &Sources, shards: &Shards) -> System {
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        if let Some((began, system)) = &*looked
            && *began >= asked
        {
            return system.clone();
        }
        let began = Instant::now();
        let system = System::look(sources, shards, &self.machine).await;
        *looked = Some((began, system.clone()));
        system
    }

    /// Takes note of alarms that were counted between two moments.
    fn note_alarms(&self, earlier: &Totals, now: &Totals) {
        for alarm in now.alarms(earlier) {
            self.alarmed.lock().unwrap_or_else(PoisonError::into_inner).insert(alarm, Instant::now());
        }
    }

    fn history(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample every second, also when nobody watches: a console that opens later shows what was before.
    async fn take_samples(self: Arc<Self>) {
        let mut clock = tokio::time::interval_at(Instant::now() + INTERVAL, INTERVAL);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut top_items, mut seen, mut before) = (TopItems::default(), 0, Counts::now());
        loop {
            clock.tick().await;
            let now = Counts::now();
            let sample = now.since(&before);
            self.note_alarms(&before.checkouts, &now.checkouts);
            before = now;
            top_items.count(&self.recent);
            let (recent, came) = self.recent.since(seen, TOLD_MAX);
            seen = came;
            {
                let mut history = self.history();
                if history.len() >= SAMPLES_MAX {
                    history.pop_front();
                }
                history.push_back(sample.clone());
            }
            if self.listeners.load(Ordering::Acquire) > 0 {
                self.samples.send_replace(sample_event(&sample, &recent, &top_items.top()));
            }
        }
    }

    /// Looks at all shards while somebody watches; each look takes as long as the slowest shard.
    async fn look(self: Arc<Self>, sources: Sources, shards: Arc<Shards>) {
        loop {
            if self.listeners.load(Ordering::Acquire) > 0 {
                let system = self.system(&sources, &shards).await;
                self.system.send_replace(event("system", &system));
                tokio::time::sleep(INTERVAL).await;
            } else {
                // What was seen last grows old: whoever comes is told how it is, not how it was.
                self.system.send_if_modified(|latest| {
                    *latest = Arc::from("");
                    false
                });
                // So that whoever comes does not wait long, and nobody pays while nobody is there.
                tokio::time::sleep(INTERVAL / 10).await;
            }
        }
    }
}

fn sample_event(sample: &Sample, recent: &[AttemptSummary], top_items: &[TopItem]) -> Arc<str> {
    event("beat", &serde_json::json!({ "beat": sample, "recent": recent, "hot": top_items }))
}

/// A server-sent event. JSON has no line breaks of its own.
fn event(name: &str, data: &impl Serialize) -> Arc<str> {
    let data = serde_json::to_string(data).unwrap_or_default();
    Arc::from(format!("event: {name}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_counted_and_bounded() {
        let feed = Feed::new("a test".to_owned(), Arc::default());
        let all: Vec<Listener> = std::iter::from_fn(|| feed.listen()).collect();
        assert_eq!(all.len(), LISTENERS_MAX);
        drop(all);
        assert!(feed.listen().is_some());
    }
}
