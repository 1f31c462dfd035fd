//! Joining a data set: what a machine learns and checks once, before it serves.

mod observe;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};
use shardcart_schema::identity::SCHEMA_VERSION;
use shardcart_schema::tag::{Owner, SHARDS_MAX, Tag};
use shardcart_telemetry::metrics::{self, names};
use shardcart_types::address::Address;
use shardcart_types::ids::now_ms;
use shardcart_types::machine_id::MachineId;

use crate::connections::{Admission, run_over};
use crate::identity::{Found, Identity};
use crate::info;
use crate::script::Call;
use crate::server::Server;
use crate::settings::RedisSettings;
use crate::shard::Shard;
use crate::shard_error::ShardError;

/// Shards' clocks further apart than this are worth a warning: deadlines are compared across shards.
const CLOCK_WARNING_MS: i64 = 500;
/// Further apart than this, a machine is not ready.
const CLOCK_LIMIT_MS: i64 = 5_000;
/// How often the clocks are compared.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);
/// How long the start waits between two looks at a shard that does not answer.
const START_RETRY: Duration = Duration::from_millis(100);

/// What makes a machine stop: a shard that is not what it should be. The first cause counts.
#[derive(Debug, Clone)]
pub struct Fatal(Arc<tokio::sync::watch::Sender<Option<String>>>);

impl Default for Fatal {
    fn default() -> Self {
        Fatal(Arc::new(tokio::sync::watch::Sender::new(None)))
    }
}

impl Fatal {
    fn raise(&self, cause: &str) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(cause.to_owned());
            }
            first
        });
    }

    /// Waits until there is a cause to stop.
    pub async fn raised(&self) -> String {
        let mut causes = self.0.subscribe();
        match causes.wait_for(Option::is_some).await.map(|cause| cause.clone()) {
            Ok(Some(cause)) => cause,
            // The sender lives in `self`, so it cannot be gone.
            _ => std::future::pending().await,
        }
    }
}

/// A machine's place in a service's data set.
pub struct Membership {
    service: &'static str,
    addresses: Vec<Address>,
    /// The tag of each shard: it takes work to find.
    tags: Vec<Tag>,
    settings: RedisSettings,
    machine_id: Option<MachineId>,
    /// The identity of shard 0; the others differ in their number. Empty until the data set is known.
    identity: OnceLock<Identity>,
    /// How far each shard's clock is ahead of this machine's, in milliseconds.
    clock_offsets_ms: Vec<AtomicI64>,
    fatal: Fatal,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Membership")
            .field("service", &self.service)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Membership {
    /// Connects to all shards, checks or writes their identity records, and compares their clocks.
    ///
    /// Waits up to `START_TIMEOUT_MS` for the shards. One that carried data before may be missing (its keys are
    /// unavailable until it is back, and it is checked then); a new data set or a new shard needs all of them.
    ///
    /// # Errors
    /// One sentence for the operator: what is wrong with which shard, and what to do.
    pub async fn establish(
        service: &'static str,
        addresses: Vec<Address>,
        machine_id: Option<MachineId>,
        settings: &RedisSettings,
        fatal: Fatal,
    ) -> Result<Arc<Self>, String> {
        let membership = Membership::of(service, addresses, machine_id, settings, fatal)?;
        if let Err(refused) = membership.join().await {
            // Another machine may be creating or growing the data set at this moment: its records are then
            // seen half written, and whole a moment later.
            log::warn!(service, refused:%; "the shards are not as they should be; looking once more");
            tokio::time::sleep(START_RETRY * 3).await;
            membership.join().await.map_err(|refused| format!("{service}: {refused}"))?;
        }
        membership.compare_clocks(&membership.shards()?).await;
        Ok(membership)
    }

    /// A membership that has not looked at its shards yet.
    fn of(
        service: &'static str,
        addresses: Vec<Address>,
        machine_id: Option<MachineId>,
        settings: &RedisSettings,
        fatal: Fatal,
    ) -> Result<Arc<Self>, String> {
        settings.check()?;
        let owner = Owner::parse(service).ok_or_else(|| format!("{service} is no service that keeps data"))?;
        let count = u16::try_from(addresses.len()).ok().filter(|count| (1..=SHARDS_MAX).contains(count));
        let count = count
            .ok_or_else(|| format!("{service}: {} shards given, expected 1 to {}", addresses.len(), SHARDS_MAX))?;
        if let Some(mint) = settings.mint_shards.filter(|mint| *mint > count) {
            return Err(format!("MINT_SHARDS is {mint}, but there are only {count} shards"));
        }
        // An alarm shows from the start: a series that begins with 1 has no increase.
        ["clock", "identity"].iter().for_each(|kind| drop(names::ALARMS.counter(&[service, kind])));
        let clock_offsets_ms = addresses.iter().map(|_| AtomicI64::new(0)).collect();
        Ok(Arc::new(Membership {
            service,
            addresses,
            tags: (0..count).map(|shard| Tag::of(owner, shard)).collect(),
            settings: settings.clone(),
            machine_id,
            identity: OnceLock::new(),
            clock_offsets_ms,
            fatal,
        }))
    }

    async fn join(self: &Arc<Self>) -> Result<(), String> {
        let shards = self.shards()?;
        let found = self.read_identities(&shards).await?;
        let known: Vec<&Identity> = found
            .iter()
            .flatten()
            .filter_map(|found| if let Found::Identity(identity) = found { Some(identity) } else { None })
            .collect();
        let all_answer = found.iter().all(Option::is_some);
        let mut first = match known.first() {
            Some(identity) => Identity {
                shard: 0,
                tag: self.tags[0].to_string(),
                service: self.service.to_owned(),
                schema: SCHEMA_VERSION,
                currency: self.settings.currency.clone(),
                ..(*identity).clone()
            },
            None if all_answer => {
                Identity::of_new_data_set(self.service, self.tags[0], self.count(), &self.settings.currency)
            }
            None => {
                return Err(
                    "no shard that answers holds a data set, and a new one is only made when all answer".to_owned()
                );
            }
        };
        let new_data_set = known.is_empty();
        first.members = known.iter().map(|identity| identity.members).max().unwrap_or(1);
        for (shard, found) in found.iter().enumerate() {
            let shard = u16::try_from(shard).unwrap_or(u16::MAX);
            match found {
                Some(Found::Empty) if new_data_set || shard >= first.members => {}
                Some(found) => self.identity_of(&first, shard).admit(found)?,
                None if shard >= first.members => {
                    return Err(format!("shard {shard} is new to the data set and does not answer"));
                }
                None => {
                    log::warn!(service = self.service, shard; "a shard does not answer: its keys are unavailable until it is back");
                }
            }
        }
        self.check_founding(&first)?;
        if self.count() < first.members {
            log::warn!(service = self.service, given = self.count(), members = first.members; "fewer shards than the data set has: ids on the others answer 503");
        }
        self.write_identities(&shards, &found, first).await
    }

    /// Foreign ids are spread over all founding shards: a machine without one of them could not find theirs.
    fn check_founding(&self, first: &Identity) -> Result<(), String> {
        if self.count() < first.founding {
            return Err(format!(
                "the data set was created with {} shards, but only {} addresses are given",
                first.founding,
                self.count()
            ));
        }
        Ok(())
    }

    /// Writes the records of new shards in order, then notes on all how many there are. A crash between leaves
    /// records that the next start completes.
    async fn write_identities(
        &self,
        shards: &[Shard],
        found: &[Option<Found>],
        mut first: Identity,
    ) -> Result<(), String> {
        for shard in shards.iter().filter(|shard| found[usize::from(shard.number())] == Some(Found::Empty)) {
            let number = shard.number();
            let wanted = Identity { members: first.members.max(1), ..self.identity_of(&first, number) };
            let written = shard.ask(&wanted.write()).await.map_err(|error| error.to_string()).and_then(Found::parse)?;
            if number == 0
                && let Found::Identity(winner) = &written
                && winner.service == first.service
            {
                // Two machines may create a data set at once: whoever wrote shard 0 has named it.
                first.data_set.clone_from(&winner.data_set);
                first.founding = winner.founding;
            }
            self.identity_of(&first, number).admit(&written)?;
            log::info!(service = self.service, shard = number, data_set = first.data_set.as_str(); "a new shard has joined the data set");
        }
        self.check_founding(&first)?;
        first.members = first.members.max(self.count());
        for shard in shards.iter().filter(|shard| found[usize::from(shard.number())].is_some()) {
            let raised = self.identity_of(&first, shard.number());
            shard.ask(&raised.write()).await.map_err(|error| error.to_string())?;
        }
        let _ = self.identity.set(first);
        Ok(())
    }

    /// Reads all records; `None` for a shard that did not answer in time.
    async fn read_identities(&self, shards: &[Shard]) -> Result<Vec<Option<Found>>, String> {
        let deadline = Instant::now() + self.settings.start_timeout_ms;
        let found = futures_util::future::join_all(shards.iter().map(|shard| async move {
            loop {
                let error = match self.read_identity(shard).await {
                    Ok(reply) => return Found::parse(reply).map(Some),
                    Err(error) => error,
                };
                if let Some(refused) = self.fatal.0.borrow().clone() {
                    return Err(refused);
                }
                if Instant::now() >= deadline {
                    log::warn!(service = self.service, address:% = self.addresses[usize::from(shard.number())], error:%; "a shard does not answer");
                    return Ok(None);
                }
                tokio::time::sleep(START_RETRY).await;
            }
        }));
        let found: Vec<Option<Found>> = found.await.into_iter().collect::<Result<_, _>>()?;
        if found.iter().all(Option::is_none) {
            let addresses = self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "no shard answers at {addresses}: are these Redis servers running, and is REDIS_PASSWORD right?"
            ));
        }
        Ok(found)
    }

    /// Reads the record of a shard, or the one that lies in its place.
    async fn read_identity(&self, shard: &Shard) -> Result<Value, ShardError> {
        let reply = shard.ask(&Identity::read(shard.tag())).await?;
        match Found::parse(reply.clone()) {
            Ok(Found::NotOurs) => shard.ask(&Identity::read_misplaced(self.count())).await,
            _ => Ok(reply),
        }
    }

    /// What a shard's record says, given that of the first.
    fn identity_of(&self, first: &Identity, shard: u16) -> Identity {
        first.of_shard(shard, self.tags[usize::from(shard)])
    }

    /// Shards with connections of their own, for one worker thread.
    ///
    /// # Errors
    /// A sentence: the settings cannot be turned into connections.
    pub(crate) fn shards(self: &Arc<Self>) -> Result<Vec<Shard>, String> {
        let numbered = (0..self.count()).zip(&self.addresses).zip(&self.tags);
        numbered
            .map(|((number, address), tag)| {
                let membership = Arc::clone(self);
                let admission: Arc<Admission> = Arc::new(move |connection| {
                    let membership = Arc::clone(&membership);
                    Box::pin(async move { membership.admit(number, connection).await })
                });
                let server = Server::new(self.service, number, address, &self.settings, &admission)?;
                Ok(Shard::new(number, *tag, self.settings.idempotency_records_max, Arc::new(server)))
            })
            .collect()
    }

    /// Checks a fresh connection, in one round trip: is this the server it should be, and fit to hold our data?
    async fn admit(&self, number: u16, connection: &mut MultiplexedConnection) -> Result<(), String> {
        let mut info = redis::cmd("INFO");
        info.arg("server").arg("memory").arg("replication");
        let info = run_over(connection, &Call::read(info)).await.map_err(|error| error.to_string())?;
        let info = String::from_redis_value(info).map_err(|error| error.to_string())?;
        if let Err(unfit) = check_server(number, &info) {
            self.alarm("identity");
            self.fatal.raise(&unfit);
            return Err(unfit);
        }
        if info::field(&info, "role") == Some("slave") {
            return Err(format!("shard {number} is a replica now"));
        }
        let Some(first) = self.identity.get() else {
            return Ok(());
        };
        let expected = self.identity_of(first, number);
        let call = Identity::read(self.tags[usize::from(number)]);
        let mut found = Found::parse(run_over(connection, &call).await.map_err(|error| error.to_string())?)?;
        if found == Found::NotOurs {
            let call = Identity::read_misplaced(self.count());
            found = Found::parse(run_over(connection, &call).await.map_err(|error| error.to_string())?)?;
        }
        expected.admit(&found).inspect_err(|refused| {
            self.alarm("identity");
            self.fatal.raise(&format!("{}: {refused}", self.service));
        })
    }

    fn alarm(&self, kind: &str) {
        names::ALARMS.counter(&[self.service, kind]).increment(1);
    }

    /// The number of shards in the address list.
    pub fn count(&self) -> u16 {
        u16::try_from(self.addresses.len()).unwrap_or(u16::MAX)
    }

    /// The number of shards when the data set was created.
    pub fn founding(&self) -> u16 {
        self.identity.get().map_or(self.count(), |identity| identity.founding)
    }

    /// The shards on which this machine mints while they answer.
    pub(crate) fn minting_shards(&self) -> Vec<u16> {
        let open = self.settings.mint_shards.unwrap_or(self.count());
        self.machine_id.map_or_else(|| (0..open).collect(), |machine| machine.minting_shards(open))
    }

    /// The shards that are open for new ids.
    pub(crate) fn open_shards(&self) -> u16 {
        self.settings.mint_shards.unwrap_or(self.count())
    }

    /// `order`, `stock` or `payment`.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Raised when a shard turns out not to be what it should be: the machine must stop.
    pub fn fatal(&self) -> &Fatal {
        &self.fatal
    }

    /// Whether the shards' clocks are close enough together to compare deadlines.
    pub fn clocks_agree(&self) -> bool {
        self.clock_spread_ms() <= CLOCK_LIMIT_MS
    }

    fn clock_spread_ms(&self) -> i64 {
        // This machine's own clock is the common measure across services, so it counts as one of them.
        let offsets = self.clock_offsets_ms.iter().map(|offset| offset.load(Ordering::Relaxed));
        let (low, high) = offsets.fold((0, 0), |(low, high), offset| (low.min(offset), high.max(offset)));
        high - low
    }

    async fn compare_clocks(&self, shards: &[Shard]) {
        let before = self.clock_spread_ms();
        futures_util::future::join_all(shards.iter().map(|shard| async move {
            let (asked_ms, asked) = (now_ms(), Instant::now());
            if let Ok(shard_ms) = time_ms(shard).await {
                let half_way = asked.elapsed() / 2;
                let here_ms = i64::try_from(asked_ms).unwrap_or(0) + i64::try_from(half_way.as_millis()).unwrap_or(0);
                self.clock_offsets_ms[usize::from(shard.number())].store(shard_ms - here_ms, Ordering::Relaxed);
                metrics::shard::of(self.service, shard.number()).set_clock_offset(shard_ms - here_ms);
            }
        }))
        .await;
        let spread = self.clock_spread_ms();
        if spread > CLOCK_LIMIT_MS {
            self.alarm("clock");
        }
        if spread > CLOCK_WARNING_MS && (spread - before).abs() > CLOCK_WARNING_MS / 2 {
            log::warn!(service = self.service, spread_ms = spread; "the clocks of the shards and of this machine differ: beyond 5000 ms this machine is not ready");
        }
    }

    /// Compares the shards' clocks for as long as the machine runs.
    pub async fn watch_clocks(self: Arc<Self>) {
        let Ok(shards) = self.shards() else { return };
        loop {
            tokio::time::sleep(CLOCK_INTERVAL).await;
            self.compare_clocks(&shards).await;
        }
    }
}

async fn time_ms(shard: &Shard) -> Result<i64, ShardError> {
    let reply = shard.ask(&Call::read(redis::cmd("TIME"))).await?;
    let (seconds, micros) = <(i64, i64)>::from_redis_value(reply)
        .map_err(|error| ShardError::Unanswered { shard: shard.number(), cause: error.to_string() })?;
    Ok(seconds * 1000 + micros / 1000)
}

/// Redis 7.0 or newer (or Valkey, which reports the Redis version it is compatible with), and one that never evicts.
fn check_server(shard: u16, info: &str) -> Result<(), String> {
    let version = info::field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 7) {
        return Err(format!("shard {shard} runs Redis {version}: 7.0 or newer is needed (or Valkey)"));
    }
    match info::field(info, "maxmemory_policy") {
        Some("noeviction") => Ok(()),
        other => Err(format!(
            "shard {shard} is configured to evict (maxmemory-policy {}): set maxmemory-policy noeviction",
            other.unwrap_or("unknown")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_evicts_or_is_too_old_is_refused() {
        let info = |version: &str, policy: &str| {
            format!("# Server\r\nredis_version:{version}\r\n# Memory\r\nmaxmemory_policy:{policy}\r\n")
        };
        assert_eq!(check_server(0, &info("7.0.15", "noeviction")), Ok(()));
        assert!(check_server(0, &info("6.2.1", "noeviction")).unwrap_err().contains("7.0"));
        assert!(check_server(3, &info("7.2.4", "allkeys-lru")).unwrap_err().contains("shard 3 is configured to evict"));
    }
}
