//! An attempt to pay an order, as its shard records it: the scripts that begin, decide and end it.

use std::time::Duration;

use shardcart_protocol::insight::LEASE_MAX_MS;
use shardcart_protocol::participant::Refusal;
use shardcart_store::record;
use shardcart_store::record::Found;
use shardcart_store::script::{Call, each, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::walk::Key;
use shardcart_types::ids::{ItemId, OrderId, Partition, TxId, UserId};

use crate::orders::{inflight_key, keys, parse_lines};

shardcart_store::scripts! {
    BEGIN = "begin.lua";
    DECIDE = "decide.lua";
    ABORT = "abort.lua";
    REFUSE = "refuse.lua";
    FINISH = "finish.lua";
    CLAIM = "claim.lua";
    TAKE_OVER = "take_over.lua";
    STANDING = "standing.lua";
}

/// An attempt that was begun: what the order's shard has frozen for it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The order.
    pub order: OrderId,
    /// The order's partition.
    pub partition: Partition,
    /// The attempt's id: its fencing token.
    pub tx: TxId,
    /// Until when participants may reserve, in Unix milliseconds by the order shard's clock.
    pub deadline_ms: u64,
    /// Who pays.
    pub user: UserId,
    /// How much.
    pub total: u64,
    /// Which life of a foreign order id this is; empty for an id minted here.
    pub life: String,
    /// Items and units.
    pub lines: Vec<(ItemId, u64)>,
}

/// Which attempt of which order: what its scripts are told.
#[derive(Debug, Clone)]
pub struct Named {
    /// The order.
    pub order: OrderId,
    /// The order's partition.
    pub partition: Partition,
    /// The attempt.
    pub tx: TxId,
}

impl Attempt {
    /// Which one it is.
    pub fn named(&self) -> Named {
        Named { order: self.order.clone(), partition: self.partition, tx: self.tx.clone() }
    }
}

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No attempt is under way.
    Open,
    /// An attempt is under way and undecided.
    Pending,
    /// An attempt is being given up: it will never be decided.
    Aborting,
    /// Paid, for ever.
    Paid,
    /// There is no such order.
    Unknown,
    /// A later release wrote it.
    Newer,
}

/// What an order's shard says of the order: the truth, whatever was asked of it.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The status now.
    pub status: Status,
    /// The current attempt, or the last one.
    pub tx: String,
    /// Why that attempt was given up, if it was.
    pub refusal: String,
}

impl Truth {
    /// Why the attempt was given up.
    pub fn refusal(&self) -> Refusal {
        Refusal::from_record(&self.refusal)
    }
}

/// The answer to begin.
#[derive(Debug)]
pub enum Begun {
    /// It is the caller's to drive.
    Attempt(Attempt),
    /// It is not; this is how the order stands.
    Standing(Truth),
    /// The tx is not later than the order's last: mint a later one.
    Moved {
        /// The Unix milliseconds of the last.
        last_ms: u64,
    },
}

/// What recovery finds when it takes an order over.
#[derive(Debug)]
pub enum TakenOver {
    /// Confirm at all participants, then finish.
    Paid(Attempt),
    /// Undecided until now: nobody can decide it any more. Cancel at all participants, then finish.
    Taken(Attempt),
    /// Given up before. Cancel at all participants, then finish.
    Aborting(Attempt),
    /// Nothing to do now.
    Nothing,
}

type Answer<T> = Result<T, ShardError>;

/// Begins attempts on orders of one shard, in one call: one answer each, in order. May be repeated: a tx begins at most once.
///
/// # Errors
/// See [`ShardError`].
pub async fn begin(shard: &Shard, named: &[Named], lease: Duration, deadline: Duration) -> Answer<Vec<Answer<Begun>>> {
    let mut call = BEGIN.with_keys(1 + 2 * named.len());
    call.key(inflight_key(shard.number()));
    push_keys(&mut call, named, "order");
    push_keys(&mut call, named, "cart");
    call.push(millis(lease));
    call.push(millis(deadline));
    named.iter().for_each(|named| call.push(named.tx.as_str()));
    let replies = replies(shard, call.repeatable(), named.len()).await?;
    Ok(replies.into_iter().zip(named).map(|(reply, named)| begun(shard, named, reply)).collect())
}

fn begun(shard: &Shard, named: &Named, reply: redis::Value) -> Answer<Begun> {
    if let redis::Value::BulkString(bytes) = &reply
        && let Some(end) = bytes.iter().position(|byte| *byte == b'\n')
    {
        let attempt = attempt_of(named, &bytes[end + 1..], &bytes[..end]);
        return attempt.map(Begun::Attempt).ok_or_else(|| unexpected(shard, BEGIN.name(), &[]));
    }
    let words = split(reply);
    if words.first().is_some_and(|word| word == "MOVED") {
        let last = words.get(1).map_or("", String::as_str);
        return Ok(Begun::Moved { last_ms: shardcart_types::ids::minted_ms(last) });
    }
    truth(shard, BEGIN.name(), &words).map(Begun::Standing)
}

/// An attempt that was begun, from the order's record and its cart.
fn attempt_of(named: &Named, record: &[u8], cart: &[u8]) -> Option<Attempt> {
    let Found::Record(order) = record::ORDER.read(Some(record)) else { return None };
    let mut words = std::str::from_utf8(cart).ok()?.split_ascii_whitespace();
    let mut lines = Vec::new();
    while let Some(item) = words.next() {
        let (units, _sum) = (words.next()?.parse().ok()?, words.next()?.parse::<u64>().ok()?);
        lines.push((ItemId::parse(item).ok()?, units));
    }
    Some(Attempt {
        order: named.order.clone(),
        partition: named.partition,
        tx: named.tx.clone(),
        deadline_ms: order.amount("deadline")?,
        user: UserId::parse(order.text("user")).ok()?,
        total: order.amount("total")?,
        life: order.life().to_owned(),
        lines,
    })
}

/// Commits attempts that are still pending on orders of one shard, in one call: how each order stands now, in order.
/// May be repeated.
///
/// # Errors
/// `Unanswered`: any of them may be paid now; only asking again tells.
pub async fn decide(shard: &Shard, named: &[Named]) -> Answer<Vec<Answer<Truth>>> {
    let mut call = DECIDE.with_keys(named.len());
    push_keys(&mut call, named, "order");
    named.iter().for_each(|named| call.push(named.tx.as_str()));
    let replies = replies(shard, call.repeatable(), named.len()).await?;
    Ok(replies.into_iter().zip(named).map(|(reply, named)| standing_of(shard, DECIDE.name(), named, reply)).collect())
}

/// Gives an attempt up, first step of two. May be repeated.
///
/// # Errors
/// See [`ShardError`].
pub async fn abort(shard: &Shard, attempt: &Attempt, refusal: &Refusal) -> Answer<Truth> {
    let [record, ..] = keys(attempt.partition, attempt.order.as_str());
    tell(shard, ABORT.keys(&[record]).arg(attempt.tx.as_str()).arg(refusal.to_record())).await
}

/// Gives attempts on orders of one shard up in one step, in one call: only where nobody holds anything for them, now or ever.
/// How each order stands now, in order. May be repeated.
///
/// # Errors
/// See [`ShardError`].
pub async fn refuse(shard: &Shard, refused: &[(Named, Refusal)]) -> Answer<Vec<Answer<Truth>>> {
    let mut call = REFUSE.with_keys(1 + refused.len());
    call.key(inflight_key(shard.number()));
    refused.iter().for_each(|(named, _)| call.key(named.partition.name("order", named.order.as_str())));
    refused.iter().for_each(|(named, _)| call.push(named.tx.as_str()));
    refused.iter().for_each(|(_, refusal)| call.push(refusal.to_record()));
    let replies = replies(shard, call.repeatable(), refused.len()).await?;
    let standing = |(reply, (named, _)): (_, &(Named, _))| standing_of(shard, REFUSE.name(), named, reply);
    Ok(replies.into_iter().zip(refused).map(standing).collect())
}

/// Ends settled attempts on orders of one shard, in one call: how each order stands now, in order. May be repeated.
///
/// # Errors
/// See [`ShardError`].
pub async fn finish(shard: &Shard, named: &[Named]) -> Answer<Vec<Answer<Truth>>> {
    let mut call = FINISH.with_keys(1 + named.len());
    call.key(inflight_key(shard.number()));
    push_keys(&mut call, named, "order");
    named.iter().for_each(|named| call.push(named.tx.as_str()));
    let replies = replies(shard, call.repeatable(), named.len()).await?;
    Ok(replies.into_iter().zip(named).map(|(reply, named)| standing_of(shard, FINISH.name(), named, reply)).collect())
}

/// Claims what is due on a shard, for as long as `hold`: the orders, with their partitions.
///
/// # Errors
/// See [`ShardError`].
pub async fn claim(shard: &Shard, hold: Duration, most: usize) -> Answer<Vec<(Partition, OrderId)>> {
    let call = CLAIM.keys(&[inflight_key(shard.number())]).arg(millis(hold)).arg(most).arg(LEASE_MAX_MS).repeatable();
    let due = words(shard.run(&call).await?);
    let order =
        |key: &String| order_of_key(key).and_then(|(partition, id)| Some((partition, OrderId::parse(id).ok()?)));
    Ok(due.iter().filter_map(order).collect())
}

/// The partition and the id of an order in its key; `None` for another key.
pub(crate) fn order_of_key(key: &str) -> Option<(Partition, &str)> {
    Key::parse(key).filter(|key| key.kind == "order").map(|key| (key.partition, key.name))
}

/// The call that takes an order over; its reply is read with [`taken_over`]. May be repeated.
pub fn take_over(partition: Partition, order: &OrderId) -> Call {
    TAKE_OVER
        .keys(&keys(partition, order.as_str()))
        .arg(Refusal::CheckoutAborted.to_record())
        .arg(LEASE_MAX_MS)
        .repeatable()
}

/// Reads the reply of [`take_over`].
///
/// # Errors
/// `Unanswered`: a reply that the script does not give.
pub fn taken_over(shard: &Shard, partition: Partition, order: &OrderId, reply: redis::Value) -> Answer<TakenOver> {
    let words = words(reply);
    let attempt = || attempt(order, partition, &words).ok_or_else(|| unexpected(shard, TAKE_OVER.name(), &words));
    if words.first().is_some_and(|word| word == "TAKEN") {
        return attempt().map(TakenOver::Taken);
    }
    match truth(shard, TAKE_OVER.name(), &words)?.status {
        _ if words.len() <= 3 => Ok(TakenOver::Nothing),
        Status::Paid => attempt().map(TakenOver::Paid),
        _ => attempt().map(TakenOver::Aborting),
    }
}

/// The call that tells how an order stands (read with [`stands`]), and has recovery look at it if `held` is its current attempt.
pub fn standing(partition: Partition, order: &OrderId, held: Option<&TxId>) -> Call {
    let [record, _, inflight] = keys(partition, order.as_str());
    STANDING.keys(&[record, inflight]).arg(held.map_or("", TxId::as_str)).repeatable()
}

/// Reads the reply of [`standing`]: how the order stands, and which life of a foreign id it is.
///
/// # Errors
/// `Unanswered`: a reply that the script does not give.
pub fn stands(shard: &Shard, reply: redis::Value) -> Answer<(Truth, String)> {
    let words = words(reply);
    let life = words.get(3).cloned().unwrap_or_default();
    Ok((truth(shard, STANDING.name(), &words)?, life))
}

fn push_keys(call: &mut Call, named: &[Named], kind: &str) {
    for Named { partition, order, .. } in named {
        call.key(partition.name(kind, order.as_str()));
    }
}

/// Runs a call that asks several things; one reply each.
async fn replies(shard: &Shard, call: Call, count: usize) -> Answer<Vec<redis::Value>> {
    let reply = shard.run(&call).await?;
    each(reply, count).ok_or_else(|| unexpected(shard, call.name(), &[]))
}

async fn tell(shard: &Shard, call: Call) -> Answer<Truth> {
    let call = call.repeatable();
    truth(shard, call.name(), &words(shard.run(&call).await?))
}

/// How an order stands after a script that was asked many things: `PAID` is short for paid by this attempt.
fn standing_of(shard: &Shard, script: &str, named: &Named, reply: redis::Value) -> Answer<Truth> {
    let words = split(reply);
    if let [word] = words.as_slice()
        && word == "PAID"
    {
        return Ok(Truth { status: Status::Paid, tx: named.tx.as_str().to_owned(), refusal: String::new() });
    }
    truth(shard, script, &words)
}

/// `status tx refusal`, as scripts that are asked many things answer; a refusal may name an item after a space.
fn split(reply: redis::Value) -> Vec<String> {
    words(reply).first().map(|line| line.splitn(3, ' ').map(str::to_owned).collect()).unwrap_or_default()
}

/// Reads `{ status, tx, … }`.
fn truth(shard: &Shard, script: &str, words: &[String]) -> Answer<Truth> {
    let status = match words.first().map(String::as_str) {
        Some("open") => Status::Open,
        Some("pending") => Status::Pending,
        Some("aborting") => Status::Aborting,
        Some("paid") => Status::Paid,
        Some("UNKNOWN") => Status::Unknown,
        Some("NEWER") => Status::Newer,
        _ => return Err(unexpected(shard, script, words)),
    };
    let word = |place: usize| words.get(place).cloned().unwrap_or_default();
    Ok(Truth { status, tx: word(1), refusal: word(2) })
}

/// Reads `{ _, tx, _, deadline, user, total, life, item, line, … }`.
fn attempt(order: &OrderId, partition: Partition, words: &[String]) -> Option<Attempt> {
    let [_, tx, _, deadline, user, total, life, lines @ ..] = words else {
        return None;
    };
    Some(Attempt {
        order: order.clone(),
        partition,
        tx: TxId::parse(tx).ok()?,
        deadline_ms: deadline.parse().ok()?,
        user: UserId::parse(user).ok()?,
        total: total.parse().ok()?,
        life: life.clone(),
        lines: parse_lines(lines)?,
    })
}

fn unexpected(shard: &Shard, script: &str, words: &[String]) -> ShardError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {words:?}") }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
