//! How the whole system is at one moment: its shards, what is in flight, and what is wrong.

pub mod command;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shardcart_order::insight::{self, InFlight};
use shardcart_protocol::insight::ShardState;
use shardcart_store::shards::Shards;
use shardcart_types::ids::now_ms;

use crate::sources::Sources;

/// Attempts in flight that are listed.
const LISTED_MAX: usize = 20;
/// An attempt in flight for longer is worth a look; usually recovery has ended it by then.
const AGE_WARNING_MS: u64 = 10_000;
/// And for longer than this something stands in its way.
const AGE_ALARM_MS: u64 = 30_000;
/// A shard that is fuller is worth a look, in percent.
const FILL_WARNING: u64 = 75;
/// And fuller than this nothing may begin there soon.
const FILL_ALARM: u64 = 90;

/// The whole system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Who tells this.
    pub machine: String,
    /// When, Unix ms.
    pub now_ms: u64,
    /// All shards: order's, stock's, then payment's.
    pub shards: Vec<ShardState>,
    /// Attempts in flight on the order shards that answer.
    pub in_flight: u64,
    /// The oldest of them, the oldest first.
    pub oldest: Vec<InFlight>,
    /// What is wrong, the worst first. Empty: all is well.
    pub alarms: Vec<Alarm>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What kind of thing is wrong with what, such as `silent stock 1`: the same while the words change.
    pub kind: String,
    /// How bad it is.
    pub level: Level,
    /// What, and what follows from it.
    pub words: String,
}

/// How bad something is. The worse comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It has to be put right.
    Alarm,
    /// It is worth a look.
    Warning,
}

/// The whole system, and how much it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// How it is.
    #[serde(flatten)]
    pub system: System,
    /// What the asked machine has done in the last seconds; `None` where shards were asked and no machine.
    pub throughput: Option<Throughput>,
}

/// What a machine has done in the last seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Over so many seconds.
    pub seconds: u64,
    /// Checkouts a second, by how they ended.
    pub per_second: BTreeMap<String, f64>,
    /// What half of them took at most in the last second with any, in microseconds.
    pub median_us: u64,
    /// What 99 in 100 took at most, the same.
    pub p99_us: u64,
}

impl System {
    /// Looks at all shards. `own` are the order service's: what is in flight is read from them.
    pub async fn look(sources: &Sources, own: &Shards, machine: &str) -> Self {
        let (order, stock, payment, oldest) = tokio::join!(
            sources.order.shards(),
            sources.stock.shards(),
            sources.payment.shards(),
            insight::oldest(own, LISTED_MAX)
        );
        let mut alarms = Vec::new();
        let mut shards = Vec::new();
        for (service, states) in [("order", order), ("stock", stock), ("payment", payment)] {
            match states {
                Ok(states) => shards.extend(states),
                Err(_) => alarms.push(Alarm::bad(
                    format!("silent {service}"),
                    format!("The {service} service does not answer. Checkouts are given up until it does."),
                )),
            }
        }
        alarms.extend(shards.iter().flat_map(of_shard));
        if !own.membership().clocks_agree() {
            let words = "The clocks of the order shards and of this machine are more than 5 s apart.";
            alarms.push(Alarm::bad("clocks", words));
        }
        alarms.extend(oldest.first().and_then(of_age));
        alarms.sort_by_key(|alarm| alarm.level);
        let in_flight = shards.iter().filter(|shard| shard.service == "order").map(|shard| shard.listed).sum();
        System { machine: machine.to_owned(), now_ms: now_ms(), shards, in_flight, oldest, alarms }
    }

    /// Whether nothing is wrong that has to be put right.
    pub fn is_well(&self) -> bool {
        self.alarms.iter().all(|alarm| alarm.level != Level::Alarm)
    }
}

impl Alarm {
    /// Something that has to be put right.
    pub fn bad(kind: impl Into<String>, words: impl Into<String>) -> Self {
        Alarm { kind: kind.into(), level: Level::Alarm, words: words.into() }
    }

    /// Something that is worth a look.
    pub fn warning(kind: impl Into<String>, words: impl Into<String>) -> Self {
        Alarm { kind: kind.into(), level: Level::Warning, words: words.into() }
    }
}

fn of_shard(state: &ShardState) -> Vec<Alarm> {
    let name = format!("{} shard {}", state.service, state.shard);
    let kind = |what: &str| format!("{what} {} {}", state.service, state.shard);
    if !state.up {
        let words = format!("The {name} does not answer. What lies on it is unavailable; everything else goes on.");
        return vec![Alarm::bad(kind("silent"), words)];
    }
    let mut alarms = Vec::new();
    match state.fill_percent() {
        Some(fill @ FILL_ALARM..) => alarms.push(Alarm::bad(
            kind("full"),
            format!(
                "The {name} is {fill} % full. When it is full, nothing new can begin there; what is under way still ends."
            ),
        )),
        Some(fill @ FILL_WARNING..) => {
            alarms.push(Alarm::warning(kind("full"), format!("The {name} is {fill} % full.")));
        }
        _ => {}
    }
    match state.disk.as_str() {
        "failing" => alarms.push(Alarm::bad(kind("disk"), format!("The {name} cannot write to its disk."))),
        "off" => {
            let words = format!("The {name} keeps nothing on disk: its data ends with it.");
            alarms.push(Alarm::warning(kind("disk"), words));
        }
        _ => {}
    }
    alarms
}

fn of_age(oldest: &InFlight) -> Option<Alarm> {
    let words = format!("Order {} has been in flight for {} s.", oldest.order, oldest.age_ms / 1000);
    match oldest.age_ms {
        AGE_ALARM_MS.. => Some(Alarm::bad("age", format!("{words} A shard that it needs may be silent."))),
        AGE_WARNING_MS.. => Some(Alarm::warning("age", words)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_shard_is_told() {
        let mut state = ShardState { up: true, disk: "on".to_owned(), ..ShardState::silent("stock", 1) };
        assert_eq!(of_shard(&state), []);
        (state.used_memory, state.maxmemory) = (80, 100);
        let (warned, full) = (of_shard(&state), "full stock 1");
        assert_eq!((warned[0].level, warned[0].kind.as_str()), (Level::Warning, full));
        state.used_memory = 81;
        let fuller = of_shard(&state);
        assert!(fuller[0].words != warned[0].words && fuller[0].kind == full, "its words change, its kind does not");
        state.used_memory = 95;
        assert_eq!(of_shard(&state)[0].level, Level::Alarm);
        state.disk = "failing".to_owned();
        assert_eq!(of_shard(&state).len(), 2);
        assert!(of_shard(&ShardState::silent("stock", 1))[0].words.contains("stock shard 1 does not answer"));
    }
}
