//! What the services show of themselves to an operator: how their shards are, and what lies under an id.
//!
//! The console, `shop status` and `shop inspect` are made of this. Nothing here writes. In `shop` and in the command
//! line it is answered in-process, between machines over the internal port.

pub mod shards;

use std::fmt::Display;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use redis::FromRedisValue;
use serde::{Deserialize, Serialize};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::limit::WAIT_MAX_MS;
use shardcart_schema::order::{OrderStatus, lease_left_ms};
use shardcart_schema::record::{self, Layout, Record};
use shardcart_schema::reservation_record::{self, Reservation, Taken};
use shardcart_store::scan;
use shardcart_store::script::Call;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{ItemId, OrderId, TxId, UserId};

shardcart_store::scripts! {
    ATTEMPT = "attempt.lua";
}

/// Tombstones lie by the second of their attempts' deadlines: they are looked for from so long before the attempt's id was
/// made (clocks may be apart) until so long after: a deadline is shorter than the longest wait.
const CLOCKS_APART_S: u64 = 5;
const DEADLINE_S: u64 = WAIT_MAX_MS / 1_000 + CLOCKS_APART_S;

/// How one shard is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// `order`, `stock` or `payment`.
    pub service: String,
    /// Its number.
    pub shard: u16,
    /// Whether it answers. If not, all that follows is 0.
    pub up: bool,
    /// How long its answer took, in microseconds, as this machine sees it.
    pub round_trip_us: u64,
    /// Bytes of memory that its data takes.
    pub used_memory: u64,
    /// Bytes that it may take; 0: as many as there are.
    pub maxmemory: u64,
    /// Keys.
    pub keys: u64,
    /// Commands that it carries out in a second, by its own count.
    pub commands_per_second: u64,
    /// Attempts that are in flight (order), or reservations that are held (stock, payment).
    pub listed: u64,
    /// Replicas that follow it.
    pub replicas: u64,
    /// Whether it keeps its data on disk: `on`, `off`, or `failing`.
    pub disk: String,
}

impl ShardState {
    /// A shard that does not answer.
    pub fn silent(service: &str, shard: u16) -> Self {
        ShardState {
            service: service.to_owned(),
            shard,
            up: false,
            round_trip_us: 0,
            used_memory: 0,
            maxmemory: 0,
            keys: 0,
            commands_per_second: 0,
            listed: 0,
            replicas: 0,
            disk: String::new(),
        }
    }

    /// How full it is, in percent; `None` where nothing limits it.
    pub fn fill_percent(&self) -> Option<u64> {
        (self.maxmemory > 0).then(|| self.used_memory.saturating_mul(100) / self.maxmemory)
    }
}

/// Something to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wanted", rename_all = "snake_case")]
pub enum Wanted {
    /// An order with its cart. StatusQuery of the order service.
    Order {
        /// Its id.
        order: OrderId,
    },
    /// The order of an attempt, if it is still its current or last one. StatusQuery of the order service.
    OrderOf {
        /// The attempt.
        tx: TxId,
    },
    /// An item. StatusQuery of the stock service.
    Item {
        /// Its id.
        item: ItemId,
    },
    /// A user. StatusQuery of the payment service.
    User {
        /// Its id.
        user: UserId,
    },
    /// A user's payment for an order. StatusQuery of the payment service.
    Payment {
        /// Whose.
        user: UserId,
        /// For what.
        order: OrderId,
    },
    /// What a participant has on record of an attempt, on all its shards.
    Reservations {
        /// The attempt.
        tx: TxId,
    },
}

/// What was looked up, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The shard of the id.
    pub shard: u16,
    /// What is there.
    pub found: Found,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// The shard does not answer.
    Silent,
    /// The id names a shard that this machine does not know.
    BeyondList,
    /// Nothing.
    Absent,
    /// A record of another release.
    Newer,
    /// A record that no release writes.
    Unreadable,
    /// Not known: there is more to go through than there is time for.
    TooMany,
    /// An order.
    Order(OrderRecord),
    /// An item.
    Item(ItemRecord),
    /// A user.
    User(UserRecord),
    /// A payment.
    Payment(PaymentRecord),
    /// What is on record of an attempt; of a shard that does not answer nothing is.
    Reservations {
        /// One for each shard that has a record.
        records: Vec<ReservationRecord>,
        /// Shards that did not answer.
        silent: Vec<u16>,
    },
    /// It is not of this service.
    NotHere,
}

/// An order as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Its id.
    pub order: String,
    /// `open`, `pending`, `aborting` or `paid`.
    pub status: String,
    /// Whose it is.
    pub user: String,
    /// What a checkout charges.
    pub total: u64,
    /// The current or last attempt.
    pub tx: String,
    /// Why the last attempt was given up; empty if it was not.
    pub refusal: String,
    /// Until when that attempt may reserve, Unix ms by the shard's clock; 0 before the first attempt.
    pub deadline_ms: u64,
    /// Until when it is its coordinator's alone, Unix ms; 0 before the first attempt.
    pub lease_ms: u64,
    /// When recovery looks at it, Unix ms; `None` if it is not in flight.
    pub due_ms: Option<u64>,
    /// The shard's clock, Unix ms.
    pub now_ms: u64,
    /// Which of the orders that had this id; empty for a minted one.
    pub incarnation: String,
    /// Item, units, and the sum quoted for them.
    pub lines: Vec<(String, u64, u64)>,
}

impl OrderRecord {
    /// Its status; `None`: one that this release does not know.
    pub fn status(&self) -> Option<OrderStatus> {
        OrderStatus::parse(&self.status)
    }

    /// For how long its attempt is still its coordinator's alone, in milliseconds; 0: it is not, or there is none.
    pub fn lease_left_ms(&self) -> u64 {
        lease_left_ms(&self.status, self.lease_ms, self.now_ms)
    }
}

/// An item as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRecord {
    /// What one costs.
    pub price: u64,
    /// Units that can be bought now.
    pub stock: u64,
    /// Units in undecided or unsettled attempts.
    pub held: u64,
    /// Units that checkouts have sold.
    pub sold: u64,
    /// What describes it, if it is a product.
    #[serde(default)]
    pub product: Option<ProductRecord>,
}

/// What describes an item to buyers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRecord {
    /// What it is called.
    pub name: String,
    /// Its unique handle; empty if it has none.
    pub handle: String,
    /// Whether it is listed.
    pub is_listed: bool,
    /// How often it was written.
    pub revision: u64,
}

/// A user as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// What can be spent now.
    pub credit: u64,
    /// What undecided or unsettled attempts hold.
    pub held: u64,
    /// What checkouts have charged.
    pub charged: u64,
    /// Which of the users that had this id; empty for a minted one.
    pub incarnation: String,
}

/// A payment as it lies on its shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// `reserved`, `charged` or `cancelled`.
    pub state: String,
    /// `checkout` or `pay`.
    pub by: String,
    /// How much.
    pub amount: u64,
    /// `<incarnation of the user>/<incarnation of the order>`.
    pub incarnation: String,
}

/// What a participant has on record of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRecord {
    /// The shard.
    pub shard: u16,
    /// `held`, `confirmed`, `cancelled`, or the refusal, in lower case.
    pub state: String,
    /// The order, of a held one.
    pub order: Option<String>,
    /// What is held: items and units, or the user and an amount.
    pub holds: Vec<(String, u64)>,
}

/// What a service shows of itself. Only reads, and may be asked again.
pub trait Insight {
    /// How its shards are. One that does not answer is among them; it takes at most as long as a reply is waited for.
    ///
    /// # Errors
    /// A sentence: the service itself does not answer.
    fn shards(&self) -> LocalBoxFuture<'_, Result<Vec<ShardState>, String>>;

    /// Looks things up, each with its own answer, in the order of asking.
    ///
    /// # Errors
    /// A sentence: the service itself does not answer.
    fn look_up(&self, wanted: Vec<Wanted>) -> LocalBoxFuture<'_, Result<Vec<Seen>, String>>;
}

/// What one service looks up on its own shards.
pub trait LookUp: 'static {
    /// What is under way on a shard stands in this one key of it: `inflight` or `held`.
    const UNDER_WAY: Kind;

    /// Looks one thing up; `None` where the service keeps nothing of its kind.
    fn look_up(shards: &Shards, wanted: Wanted) -> impl Future<Output = Option<Seen>>;
}

/// A service itself, asked in-process.
pub struct LocalInsight<L> {
    shards: Arc<Shards>,
    service: PhantomData<L>,
}

impl<L: LookUp> LocalInsight<L> {
    /// Shows these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalInsight { shards, service: PhantomData }
    }

    async fn look(&self, wanted: Wanted) -> Seen {
        let elsewhere = Seen { shard: 0, found: Found::NotHere };
        L::look_up(&self.shards, wanted).await.unwrap_or(elsewhere)
    }
}

impl<L: LookUp> Insight for LocalInsight<L> {
    fn shards(&self) -> LocalBoxFuture<'_, Result<Vec<ShardState>, String>> {
        async { Ok(shards::states(&self.shards, L::UNDER_WAY).await) }.boxed_local()
    }

    fn look_up(&self, wanted: Vec<Wanted>) -> LocalBoxFuture<'_, Result<Vec<Seen>, String>> {
        async move { Ok(join_all(wanted.into_iter().map(|wanted| self.look(wanted))).await) }.boxed_local()
    }
}

/// Looks one thing up where its id leads.
pub async fn at_home(shards: &Shards, id: &str, look: impl AsyncFnOnce(&Shard) -> Result<Found, ShardError>) -> Seen {
    let number = shards.shard_of(id);
    let found = match shards.shard(number) {
        Ok(shard) => look(shard).await.unwrap_or(Found::Silent),
        Err(_) => Found::BeyondList,
    };
    Seen { shard: number, found }
}

/// What lies under a record's key. `found` makes of it what is shown; `None` of one that lacks something.
///
/// # Errors
/// The shard's.
pub async fn record(
    shard: &Shard,
    layout: &'static Layout,
    key: impl Display,
    found: impl FnOnce(Record<'_>) -> Option<Found>,
) -> Result<Found, ShardError> {
    let reply = shard.ask(&Call::get(key)).await?;
    let bytes = Option::<Vec<u8>>::from_redis_value(reply)
        .map_err(|error| scan::unexpected_reply(shard, "GET", &error.to_string()))?;
    Ok(match layout.read(bytes.as_deref()) {
        record::Found::Absent => Found::Absent,
        record::Found::Newer => Found::Newer,
        record::Found::Unreadable => Found::Unreadable,
        record::Found::Record(record) => found(record).unwrap_or(Found::Unreadable),
    })
}

/// What a participant's shards have on record of an attempt: what they hold for it, or how it ended.
pub async fn reservations(shards: &Shards, tx: &TxId) -> Seen {
    let looked = shards.iter().map(|shard| async move { (shard.number(), reservation(shard, tx).await) });
    let (mut records, mut silent) = (Vec::new(), Vec::new());
    for (number, record) in join_all(looked).await {
        match record {
            Ok(record) => records.extend(record),
            Err(_) => silent.push(number),
        }
    }
    Seen { shard: shards.shard_of(tx.as_str()), found: Found::Reservations { records, silent } }
}

async fn reservation(shard: &Shard, tx: &TxId) -> Result<Option<ReservationRecord>, ShardError> {
    let minted_s = tx.minted_ms() / 1_000;
    let seconds = minted_s.saturating_sub(CLOCKS_APART_S)..minted_s + DEADLINE_S;
    let mut keys = vec![scan::held_key(shard)];
    keys.extend(seconds.map(|second| key::ended(shard.tag(), second).to_string()));
    let reply = shard.ask(&ATTEMPT.keys(&keys).arg(tx.as_str())).await?;
    let (state, held) = <(Option<String>, Option<Vec<u8>>)>::from_redis_value(reply)
        .map_err(|error| scan::unexpected_reply(shard, ATTEMPT.name(), &error.to_string()))?;
    Ok(match (held, state) {
        (Some(bytes), _) => Some(held_record(shard.number(), &bytes)),
        (None, Some(state)) => Some(ReservationRecord {
            shard: shard.number(),
            state: state.to_lowercase(),
            order: None,
            holds: Vec::new(),
        }),
        (None, None) => None,
    })
}

fn held_record(shard: u16, bytes: &[u8]) -> ReservationRecord {
    let name = |key: &str| key::parse(key).map_or(key, |key| key.name).to_owned();
    let amount = |number: i64| u64::try_from(number).unwrap_or(0);
    let Some(held) = Reservation::read(bytes) else {
        let state = if reservation_record::is_newer(bytes) { "of another release" } else { "unreadable" };
        return ReservationRecord { shard, state: state.to_owned(), order: None, holds: Vec::new() };
    };
    let holds = match held.taken {
        Taken::Units(lines) => lines.into_iter().map(|(key, units)| (name(key), amount(units))).collect(),
        Taken::Credit { user, amount: credit, .. } => vec![(name(user), amount(credit))],
    };
    ReservationRecord { shard, state: "held".to_owned(), order: Some(held.order.to_owned()), holds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_told_in_words() {
        let lines = [("{s1hvf}:item:a", 2), ("{s1hvf}:item:b", 3)];
        let units = held_record(1, &reservation_record::units(5, "7", lines.into_iter()));
        assert_eq!((units.state.as_str(), units.order.as_deref()), ("held", Some("7")));
        assert_eq!(units.holds, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
        let credit =
            held_record(0, &reservation_record::credit(5, "7", "{p0sul}:user:ann", "{p0sul}:payment:ann:7", 30));
        assert_eq!(credit.holds, [("ann".to_owned(), 30)]);
        assert_eq!(held_record(0, b"\x02").state, "of another release");
        assert_eq!(held_record(0, b"\x01").state, "unreadable");
    }

    #[test]
    fn a_shard_without_a_limit_is_never_full() {
        let mut shard = ShardState::silent("stock", 0);
        assert_eq!(shard.fill_percent(), None);
        (shard.used_memory, shard.maxmemory) = (30, 40);
        assert_eq!(shard.fill_percent(), Some(75));
    }
}
