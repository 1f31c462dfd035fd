//! What the payment service shows of itself to an operator. Nothing here writes.

use shardcart_common::ids::{OrderId, Partition, UserId};
use shardcart_common::insight::{self, Found, LookUp, PaymentRecord, Seen, UserRecord, Wanted};
use shardcart_common::shard::{Shard, ShardError};
use shardcart_common::shards::Shards;
use shardcart_schema::key::{self, Kind};
use shardcart_schema::record;

use crate::payments;

/// The payment service itself, asked in-process.
pub type LocalInsight = insight::LocalInsight<Payment>;

/// What the payment service looks up.
#[derive(Debug)]
pub struct Payment;

impl LookUp for Payment {
    const UNDER_WAY: Kind = Kind::Held;

    async fn look_up(shards: &Shards, wanted: Wanted) -> Option<Seen> {
        let seen = match wanted {
            Wanted::User { user } => {
                insight::at_home(shards, user.as_str(), async |shard, at| self::user(shard, at, &user).await).await
            }
            Wanted::Payment { user, order } => {
                let look = async |shard: &Shard, at| payment(shard, at, &user, &order).await;
                insight::at_home(shards, user.as_str(), look).await
            }
            Wanted::Reservations { tx } => insight::reservations(shards, &tx).await,
            _ => return None,
        };
        Some(seen)
    }
}

async fn user(shard: &Shard, at: Partition, user: &UserId) -> Result<Found, ShardError> {
    insight::record(shard, &record::USER, key::user(at.0, user), |user| {
        let (credit, held) = (user.amount("credit")?, user.amount("held")?);
        let here = i64::try_from(credit.saturating_add(held)).unwrap_or(i64::MAX);
        let charged = u64::try_from(user.number("net")?.saturating_sub(here)).unwrap_or(0);
        Some(Found::User(UserRecord { credit, held, charged, life: user.life().to_owned() }))
    })
    .await
}

async fn payment(shard: &Shard, at: Partition, user: &UserId, order: &OrderId) -> Result<Found, ShardError> {
    insight::record(shard, &record::PAYMENT, payments::payment_key(at, user, order), |payment| {
        let (state, by) = (payment.field("state")?, payment.field("by")?);
        let (amount, life) = (payment.amount("charged")?, payment.life().to_owned());
        Some(Found::Payment(PaymentRecord { state, by, amount, life }))
    })
    .await
}
