//! Payments: what a user pays directly for an order, outside any checkout.

use shardcart_schema::key;
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::amount::{AMOUNT_MAX, Amount};
use shardcart_types::ids::{OrderId, UserId};

use crate::error::{PaymentError, Result};
use crate::incarnations::Incarnations;
use crate::scripts::{CANCEL_PAYMENT, PAY, STATUS};
use crate::users::{changed, home, unexpected};

/// The keys of a user and of its payment for an order.
pub(crate) fn keys(shard: &Shard, user: &UserId, order: &OrderId) -> [String; 2] {
    [key::user(shard.tag(), user).to_string(), payment_key(shard, user, order)]
}

/// The key of a user's payment for an order.
pub(crate) fn payment_key(shard: &Shard, user: &UserId, order: &OrderId) -> String {
    key::payment(shard.tag(), user, order).to_string()
}

/// Takes an amount from a user's credit for an order, once: a repeat with the same amount answers the same. With a key
/// it does so even when the payment was cancelled since.
///
/// # Errors
/// - `UnknownUser`, `InsufficientCredit`, `OrderPending`, `AlreadyPaid`, `KeyReused`: refused, nothing changed.
/// - `Orders`: nothing changed. `Newer`, `Shard`: see there; it may be repeated.
pub async fn pay_order(
    shards: &Shards,
    incarnations: &Incarnations,
    user: &UserId,
    order: &OrderId,
    amount: Amount,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let shard = home(shards, user).await?;
    let incarnation = incarnations.of(order).await?;
    let request = format_args!("pay {order} {amount}");
    let once = key.map(|key| key.change(shard, user.as_str(), request).for_incarnation(&incarnation).unbounded());
    let call = PAY.once(once, &keys(shard, user, order)).arg(amount.get()).arg(incarnation).repeatable();
    match change(shard, user, order, call).await {
        Err(PaymentError::OrderPending(_)) if incarnations.is_paid(order).await? => {
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
    incarnations: &Incarnations,
    user: &UserId,
    order: &OrderId,
    key: Option<&IdempotencyKey>,
) -> Result<Done> {
    let Some(shard) = shards.home(user.as_str()).await? else {
        return Err(PaymentError::UnknownPayment(order.clone()));
    };
    let incarnation = incarnations.of(order).await?;
    let request = format_args!("cancel {order}");
    let once = key.map(|key| key.change(shard, user.as_str(), request).for_incarnation(&incarnation).unbounded());
    let call = CANCEL_PAYMENT.once(once, &keys(shard, user, order)).arg(incarnation).arg(AMOUNT_MAX).repeatable();
    match change(shard, user, order, call).await {
        Err(PaymentError::OrderPending(_)) if incarnations.is_paid(order).await? => {
            Err(PaymentError::OrderPaid(order.clone()))
        }
        other => other,
    }
}

/// Whether a user has paid for an order, directly or by checkout.
///
/// # Errors
/// `Newer`, `Shard`, `Orders`: no answer.
pub async fn has_paid(shards: &Shards, incarnations: &Incarnations, user: &UserId, order: &OrderId) -> Result<bool> {
    let Some(shard) = shards.home(user.as_str()).await? else { return Ok(false) };
    let call = STATUS.keys(&keys(shard, user, order)).arg(incarnations.of(order).await?);
    let words = words(shard.run(&call).await?);
    let word = words.first().map_or("", String::as_str);
    match Reply::parse(word) {
        Some(Reply::Charged) => Ok(true),
        Some(Reply::None | Reply::Cancelled) => Ok(false),
        // Undecided here, or decided and not settled yet: the order's shard knows.
        Some(Reply::Reserved) => incarnations.is_paid(order).await,
        Some(Reply::Newer) => Err(PaymentError::Newer(user.clone())),
        _ => Err(unexpected(shard, STATUS.name(), word)),
    }
}

/// Runs a script that changes a user and its payment for an order.
async fn change(shard: &Shard, user: &UserId, order: &OrderId, call: Call) -> Result<Done> {
    let words = words(shard.run(&call).await?);
    let word = words.first().map_or("", String::as_str);
    match Reply::parse(word) {
        Some(Reply::UnknownPayment) => Err(PaymentError::UnknownPayment(order.clone())),
        Some(Reply::Pending) => Err(PaymentError::OrderPending(order.clone())),
        Some(Reply::AlreadyPaid) => Err(PaymentError::AlreadyPaid(order.clone())),
        Some(Reply::Checkout) => Err(PaymentError::OrderPaid(order.clone())),
        _ => changed(shard, user, call.name(), word),
    }
}
