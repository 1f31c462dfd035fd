//! Waiting until nothing is in flight: a committed checkout is settled after its answer, and that work belongs to
//! its cost.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use serde::Serialize;
use shardcart_harness::ids;
use shardcart_harness::service::Service;

use crate::measure::cpu::Watched;

/// How often is looked whether nothing is in flight.
const IN_FLIGHT_POLL: Duration = Duration::from_millis(20);

/// Longest wait for nothing in flight, where the order shards can be asked.
pub const IN_FLIGHT_WAIT: Duration = Duration::from_secs(10);

/// Over this long the processes' CPU use is looked at; two in a row must be idle.
const IDLE_WINDOW: Duration = Duration::from_millis(100);

/// Longest wait for idle processes after the last answer, and the whole wait where there is nothing to look at.
pub const IDLE_WAIT: Duration = Duration::from_millis(1500);

/// How long a Redis server may take to answer.
const REDIS_PATIENCE: Duration = Duration::from_secs(10);

/// How a wait ended.
#[derive(Debug, Clone, Serialize)]
pub struct Settled {
    /// What was looked at.
    pub by: &'static str,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it was seen that nothing was left to do. Where there is nothing to look at, false.
    pub seen: bool,
}

/// Order shards whose `inflight` can be looked at, in shard order.
pub struct OrderShards {
    connections: Vec<MultiplexedConnection>,
}

/// Connects to a Redis server: `host:port`, `unix:/path`, or a Redis URL.
///
/// # Errors
/// It is no address or cannot be reached.
pub async fn connect(address: &str) -> Result<MultiplexedConnection, String> {
    let url = if address.contains("://") || address.starts_with("unix:") {
        address.replacen("unix:/", "unix:///", usize::from(!address.contains("://")))
    } else {
        format!("redis://{address}")
    };
    // The usual half second is too little on a machine that a measurement keeps busy.
    let patient = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_PATIENCE))
        .set_response_timeout(Some(REDIS_PATIENCE));
    let opened = async { redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await }.await;
    opened.map_err(|error| format!("could not reach the Redis server at {address}: {error}"))
}

impl OrderShards {
    /// Connects to each of `addresses`: `host:port`, `unix:/path`, or a Redis URL.
    ///
    /// # Errors
    /// One of them is no address or cannot be reached.
    pub async fn connect(addresses: &[String]) -> Result<Self, String> {
        let mut connections = Vec::new();
        for address in addresses {
            connections.push(connect(address).await?);
        }
        Ok(Self { connections })
    }

    /// How many checkouts are begun and not settled.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn in_flight(&mut self) -> Result<u64, String> {
        let mut sum = 0;
        for (shard, connection) in self.connections.iter_mut().enumerate() {
            let count: u64 = redis::cmd("ZCARD")
                .arg(ids::own_key(Service::Order, shard, "inflight"))
                .query_async(connection)
                .await
                .map_err(|error| format!("order shard {shard} did not say what is in flight: {error}"))?;
            sum += count;
        }
        Ok(sum)
    }

    /// Waits until nothing is in flight.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn settle(&mut self) -> Result<Settled, String> {
        let begun = Instant::now();
        loop {
            let seen = self.in_flight().await? == 0;
            if seen || begun.elapsed() >= IN_FLIGHT_WAIT {
                return Ok(Settled {
                    by: "in flight on the order shards",
                    seconds: begun.elapsed().as_secs_f64(),
                    seen,
                });
            }
            tokio::time::sleep(IN_FLIGHT_POLL).await;
        }
    }
}

/// Waits until the watched processes hardly use CPU, at most `wait`.
///
/// # Errors
/// One of them is gone.
pub async fn idle(watched: &Watched, wait: Duration) -> Result<Settled, String> {
    let begun = Instant::now();
    let mut idle_windows = 0;
    let (mut before, mut at) = (watched.read()?, begun);
    while idle_windows < 2 && begun.elapsed() < wait {
        tokio::time::sleep(IDLE_WINDOW).await;
        let (after, now) = (watched.read()?, Instant::now());
        let used = after.total().saturating_sub(before.total());
        // An idle Redis wakes ten times a second and more, an idle service looks for something to recover.
        let share = 0.05 + 0.01 * after.processes() as f64;
        let idle = used.as_secs_f64() < share * (now - at).as_secs_f64();
        idle_windows = if idle { idle_windows + 1 } else { 0 };
        (before, at) = (after, now);
    }
    Ok(Settled { by: "idle processes", seconds: begun.elapsed().as_secs_f64(), seen: idle_windows == 2 })
}

/// Waits for as long as settling should take at most, where there is nothing to look at.
pub async fn blind() -> Settled {
    tokio::time::sleep(IDLE_WAIT).await;
    Settled { by: "time alone", seconds: IDLE_WAIT.as_secs_f64(), seen: false }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;
    use shardcart_harness::processes::child::Child;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_sleeping_process_is_idle_and_a_busy_one_is_not() {
        let start = |script| {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", script]);
            Child::start(command, Signal::SIGKILL)
        };
        let (asleep, busy) = (start("exec sleep 20"), start("while :; do :; done"));
        let of = |child: &Child| Watched { alone: vec![child.id()], ..Watched::default() };

        let quiet = idle(&of(&asleep), Duration::from_secs(10)).await.unwrap();
        let loud = idle(&of(&busy), Duration::from_millis(400)).await.unwrap();
        assert!(quiet.seen, "{quiet:?}");
        assert!(!loud.seen, "{loud:?}");
    }
}
