//! Users and their credit, outside any checkout.

mod load;

use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_schema::record::{self, Found, field};
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused, TooManyKeys};
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::UserId;

use crate::error::{PaymentError, Result};
use crate::scripts::{ADD_FUNDS, CREATE, PAY};

pub use load::load;

fn user_key(shard: &Shard, user: &UserId) -> String {
    key::user(shard.tag(), user).to_string()
}

/// The shard of a user.
///
/// # Errors
/// - `UnknownUser`: nobody can have made this id.
/// - `Shard`: this machine does not know the shard.
pub(crate) async fn home<'a>(shards: &'a Shards, user: &UserId) -> Result<&'a Shard> {
    shards.home(user.as_str()).await?.ok_or_else(|| PaymentError::UnknownUser(user.clone()))
}

/// Creates a user without credit. A repeat creates another, unless it has the same key.
///
/// # Errors
/// - `KeyReused`, `TooManyKeys`: refused, nothing changed.
/// - `Shard`: no shard takes it.
pub async fn create(shards: &Shards, key: Option<&IdempotencyKey>) -> Result<Done<UserId>> {
    let created = shards.mint_once(key, |shard, now_ms| {
        let user = UserId::mint(shard.number(), now_ms);
        let once = key.map(|key| key.creation(shard, user.as_str(), "create_user"));
        let call = CREATE.once(once, &[user_key(shard, &user)]);
        (user, call)
    });
    Ok(created.await?)
}

/// A user's credit, in units that can be spent now.
///
/// # Errors
/// - `UnknownUser`.
/// - `Newer`, `Shard`: no answer.
pub async fn credit(shards: &Shards, user: &UserId) -> Result<u64> {
    let shard = home(shards, user).await?;
    let bytes = shard.run(&Call::get(key::user(shard.tag(), user))).await?;
    let bytes =
        Option::<Vec<u8>>::from_redis_value(bytes).map_err(|error| unexpected(shard, "GET", &error.to_string()))?;
    match record::USER.read(bytes.as_deref()) {
        Found::Absent => Err(PaymentError::UnknownUser(user.clone())),
        Found::Newer => Err(PaymentError::Newer(user.clone())),
        Found::Unreadable => Err(unexpected(shard, "GET", "no user")),
        Found::Record(found) => found.amount(field::CREDIT).ok_or_else(|| unexpected(shard, "GET", "no amount")),
    }
}

/// Adds to a user's credit. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownUser`, `OutOfRange`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn add_funds(shards: &Shards, user: &UserId, amount: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let shard = home(shards, user).await?;
    let once = key.map(|key| key.change(shard, user.as_str(), format_args!("add_funds {amount}")).unbounded());
    let call = ADD_FUNDS.once(once, &[user_key(shard, user)]).arg(amount.get()).arg(AMOUNT_MAX);
    change(shard, user, call).await
}

/// Takes an amount from a user's credit. Safe to repeat only with a key.
///
/// # Errors
/// - `UnknownUser`, `InsufficientCredit`, `KeyReused`: refused, nothing changed.
/// - `Newer`, `Shard`: see there.
pub async fn pay(shards: &Shards, user: &UserId, amount: Amount, key: Option<&IdempotencyKey>) -> Result<Done> {
    let shard = home(shards, user).await?;
    let once = key.map(|key| key.change(shard, user.as_str(), format_args!("pay {amount}")).unbounded());
    let call = PAY.once(once, &[user_key(shard, user)]).arg(amount.get()).arg("");
    change(shard, user, call).await
}

/// Runs a script that changes a user.
async fn change(shard: &Shard, user: &UserId, call: Call) -> Result<Done> {
    let words = words(shard.run(&call).await?);
    changed(shard, user, call.name(), words.first().map_or("", String::as_str))
}

/// What a script that changes a user answers in one word.
pub(crate) fn changed(shard: &Shard, user: &UserId, script: &str, word: &str) -> Result<Done> {
    match Reply::parse(word) {
        Some(Reply::Done) => Ok(Done::now(())),
        Some(Reply::Replayed) => Ok(Done::before(())),
        Some(Reply::Reused) => Err(KeyReused.into()),
        Some(Reply::TooManyKeys) => Err(TooManyKeys.into()),
        Some(Reply::Unknown) => Err(PaymentError::UnknownUser(user.clone())),
        Some(Reply::Insufficient) => Err(PaymentError::InsufficientCredit(user.clone())),
        Some(Reply::OutOfRange) => Err(PaymentError::OutOfRange(user.clone())),
        Some(Reply::Newer) => Err(PaymentError::Newer(user.clone())),
        _ => Err(unexpected(shard, script, word)),
    }
}

/// A reply that no script gives: it may have run.
pub(crate) fn unexpected(shard: &Shard, script: &str, reply: &str) -> PaymentError {
    ShardError::Unanswered { shard: shard.number(), cause: format!("{script} answered {reply:?}") }.into()
}
