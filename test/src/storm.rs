//! Plays planned faults in a cluster.

use std::time::{Duration, Instant};

use shardcart_harness::systems::cluster::Cluster;
use tokio::sync::watch;

use crate::schedule::Planned;

/// One thing to do: a fault begins, or ends.
struct Event {
    at: Duration,
    begins: bool,
    place: usize,
}

/// Plays faults at their times; all of them have ended when it returns, also when it is stopped before its time.
/// Gives those that have been played.
pub async fn play(cluster: &mut Cluster, planned: &[Planned], stop: &mut watch::Receiver<bool>) -> Vec<Planned> {
    let mut events: Vec<Event> = Vec::new();
    for (place, planned) in planned.iter().enumerate() {
        events.push(Event { at: planned.begins, begins: true, place });
        events.push(Event { at: planned.ends, begins: false, place });
    }
    events.sort_by_key(|event| event.at);
    let start = Instant::now();
    let mut played = Vec::new();
    let mut stopped = false;
    let mut under_way = vec![false; planned.len()];
    for Event { at, begins, place } in events {
        tokio::select! {
            () = tokio::time::sleep_until((start + at).into()), if !stopped => {}
            _ = stop.wait_for(|stop| *stop), if !stopped => stopped = true,
            else => {}
        }
        let fault = planned[place].fault;
        if begins && !stopped {
            under_way[place] = true;
            fault.begin(cluster).await;
            played.push(planned[place]);
        }
        if !begins && under_way[place] {
            fault.end(cluster).await;
        }
    }
    played
}
