//! Users: their credit, and what they pay directly, outside any checkout.

use std::sync::Arc;

use redis::FromRedisValue;
use shardcart_store::bulk;
use shardcart_store::bulk::LoadError;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused};
use shardcart_store::record;
use shardcart_store::record::Found;
use shardcart_store::script::{Call, words};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::{OrderId, Partition, TxId, UserId, now_ms};

use crate::error::{PaymentError, Result};
use crate::lives::Lives;

shardcart_store::scripts! {
    CREATE = "create.lua";
    ADD_FUNDS = "add_funds.lua";
    PAY = "pay.lua";
    CANCEL_PAYMENT = "cancel_payment.lua";
    STATUS = "status.lua";
    LOAD = "load.lua";
}

/// The keys of a user and of its payment for an order.
pub(crate) fn keys(partition: Partition, user: &UserId, order: &OrderId) -> [String; 2] {
    [partition.key("user", user.as_str()), payment_key(partition, user, order)]
}

/// The key of a user's payment for an order.
pub(crate) fn payment_key(partition: Partition, user: &UserId, order: &OrderId) -> String {
    partition.key("payment", &format!("{user}:{order}"))
}

/// Creates a user without credit. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, key: Option<&IdempotencyKey>) -> Result<Done<UserId>> {
    let created = shards.mint_once(key, |partition, now_ms| {
        let user = UserId::mint(partition, now_ms);
        let once = key.map(|key| key.creation(partition, user.as_str(), "create_user"));
        let call = CREATE.once(once, &[partition.key("user", user.as_str())]);
        (user, call)
    });
    Ok(created.await??)
}

/// A user's credit, in units that can be spent now.
///
/// # Errors
/// - `UnknownUser`.
/// - `Newer`, `Shard`: no answer.
pub async fn credit(shards: &Shards, user: &UserId) -> Result<u64> {
    let (shard, partition) = shards.route(user.as_str())?;
    let bytes = shard.run(&Call::get(partition.name("user", user.as_str()))).await?;
    let bytes =
        Option::<Vec<u8>>::from_redis_value(bytes).map_err(|error| unexpected(shard, "GET", &error.to_string()))?;
    match record::USER.read(bytes.as_deref()) {
        Found::Absent => Err(PaymentError::UnknownUser(user.clone())),
        Found::Newer => Err(PaymentError::Newer(user.clone())),
        Found::Unreadable => Err(unexpected(shard, "GET", "no user")),
        Found::Record(found) => found.amount("credit").ok_or_else(|| unexpected(shard, "GET", "no amount")),
    }
}

/// Adds to a user's credit. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownUser`, `OutOfRange`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add_funds(shards: &Shards, user: &UserId, amount: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let (shard, partition) = shards.route(user.as_str())?;
    let once = key.map(|key| key.change(partition, user.as_str(), format_args!("add_funds {amount}")));
    let call = ADD_FUNDS.once(once, &[partition.key("user", user.as_str())]).arg(amount.get()).arg(AMOUNT_MAX);
    change(shard, user, None, call).await
}

/// Takes an amount from a user's credit. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownUser`, `InsufficientCredit`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn pay(shards: &Shards, user: &UserId, amount: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let (shard, partition) = shards.route(user.as_str())?;
    let once = key.map(|key| key.change(partition, user.as_str(), format_args!("pay {amount}")));
    let call = PAY.once(once, &[partition.key("user", user.as_str())]).arg(amount.get()).arg("");
    change(shard, user, None, call).await
}

/// Takes an amount from a user's credit for an order, once: a repeat with the same amount answers the same. With a key
/// it does so even when the payment was cancelled since.
///
/// # Errors
/// - `UnknownUser`, `InsufficientCredit`, `OrderPending`, `AlreadyPaid`, `KeyReused`: refused, nothing changed.
/// - `Orders`: nothing changed. `Newer`, `Shard`: see there; it may be repeated.
pub async fn pay_order(
    shards: &Shards,
    lives: &Lives,
    user: &UserId,
    order: &OrderId,
    amount: Amount,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let (shard, partition) = shards.route(user.as_str())?;
    let life = lives.of(order).await?;
    let request = format_args!("pay {order} {amount}");
    let once = key.map(|key| key.change(partition, user.as_str(), request).for_life(&life));
    let call = PAY.once(once, &keys(partition, user, order)).arg(amount.get()).arg(life).repeatable();
    match change(shard, user, Some(order), call).await {
        Err(PaymentError::OrderPending(_)) if lives.is_paid(order).await? => {
            Err(PaymentError::AlreadyPaid(order.clone()))
        }
        other => other,
    }
}

/// Gives back what [`pay_order`] took for an order, once: a repeat changes nothing.
///
/// # Errors
/// - `UnknownPayment`, `OrderPending`, `OrderPaid`, `OutOfRange`, `KeyReused`: refused, nothing changed.
/// - `Orders`: nothing changed. `Newer`, `Shard`: see there; it may be repeated.
pub async fn cancel_payment(
    shards: &Shards,
    lives: &Lives,
    user: &UserId,
    order: &OrderId,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let (shard, partition) = shards.route(user.as_str())?;
    let life = lives.of(order).await?;
    let request = format_args!("cancel {order}");
    let once = key.map(|key| key.change(partition, user.as_str(), request).for_life(&life));
    let call = CANCEL_PAYMENT.once(once, &keys(partition, user, order)).arg(life).arg(AMOUNT_MAX).repeatable();
    match change(shard, user, Some(order), call).await {
        Err(PaymentError::OrderPending(_)) if lives.is_paid(order).await? => {
            Err(PaymentError::OrderPaid(order.clone()))
        }
        other => other,
    }
}

/// Whether a user has paid for an order, directly or by checkout.
///
/// # Errors
/// `Newer`, `Shard`, `Orders`: no answer.
pub async fn has_paid(shards: &Shards, lives: &Lives, user: &UserId, order: &OrderId) -> Result<bool> {
    let (shard, partition) = shards.route(user.as_str())?;
    let call = STATUS.keys(&keys(partition, user, order)).arg(lives.of(order).await?);
    match words(shard.run(&call).await?).first().map_or("", String::as_str) {
        "CHARGED" => Ok(true),
        "NONE" | "CANCELLED" => Ok(false),
        // Undecided here, or decided and not settled yet: the order's shard knows.
        "RESERVED" => lives.is_paid(order).await,
        "NEWER" => Err(PaymentError::Newer(user.clone())),
        other => Err(unexpected(shard, STATUS.name(), other)),
    }
}

/// Overwrites users `0..count`. May be repeated.
///
/// # Errors
/// See [`LoadError`].
pub async fn load(
    shards: &Arc<Shards>,
    settings: &BatchInitSettings,
    count: u64,
    credit: Amount,
) -> std::result::Result<(), LoadError> {
    bulk::check(settings, count)?;
    bulk::load(shards, settings, count, |shard, chunk| {
        let held = [Partition::first_of(shard).own_key("held")].into_iter();
        let users = chunk.iter().map(|(partition, user)| partition.key("user", &user.to_string()));
        let life = TxId::mint(chunk.first().map_or(Partition(0), |(partition, _)| *partition), now_ms());
        LOAD.keys(&held.chain(users).collect::<Vec<_>>()).arg(credit.get()).arg(life.as_str())
    })
    .await
}

/// Runs a script that changes a user, and maybe its payment for an order.
async fn change(shard: &Shard, user: &UserId, order: Option<&OrderId>, call: Call) -> Result<Done> {
    let words = words(shard.run(&call).await?);
    let word = words.first().map_or("", String::as_str);
    match (word, order) {
        ("DONE", _) => Ok(Done::now(())),
        ("REPLAYED", _) => Ok(Done::before(())),
        ("REUSED", _) => Err(KeyReused.into()),
        ("UNKNOWN", _) => Err(PaymentError::UnknownUser(user.clone())),
        ("INSUFFICIENT", _) => Err(PaymentError::InsufficientCredit(user.clone())),
        ("OUT_OF_RANGE", _) => Err(PaymentError::OutOfRange(user.clone())),
        ("NEWER", _) => Err(PaymentError::Newer(user.clone())),
        ("UNKNOWN_PAYMENT", Some(order)) => Err(PaymentError::UnknownPayment(order.clone())),
        ("PENDING", Some(order)) => Err(PaymentError::OrderPending(order.clone())),
        ("ALREADY_PAID", Some(order)) => Err(PaymentError::AlreadyPaid(order.clone())),
        ("CHECKOUT", Some(order)) => Err(PaymentError::OrderPaid(order.clone())),
        _ => Err(unexpected(shard, call.name(), word)),
    }
}

/// A reply that no script gives: it may have run.
fn unexpected(shard: &Shard, script: &str, reply: &str) -> PaymentError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {reply:?}") }.into()
}
