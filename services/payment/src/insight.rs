//! What the payment service shows of itself to an operator. Nothing here writes.

use shardcart_protocol::insight::{self, Found, LookUp, PaymentRecord, Seen, UserRecord, Wanted};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::record::{self, field};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{OrderId, UserId};

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
                insight::at_home(shards, user.as_str(), async |shard| self::user(shard, &user).await).await
            }
            Wanted::Payment { user, order } => {
                let look = async |shard: &Shard| payment(shard, &user, &order).await;
                insight::at_home(shards, user.as_str(), look).await
            }
            Wanted::Reservations { tx } => insight::reservations(shards, &tx).await,
            _ => return None,
        };
        Some(seen)
    }
}

async fn user(shard: &Shard, user: &UserId) -> Result<Found, ShardError> {
    insight::record(shard, &record::USER, key::user(shard.tag(), user), |user| {
        let (credit, held) = (user.amount(field::CREDIT)?, user.amount(field::HELD)?);
        let here = i64::try_from(credit.saturating_add(held)).unwrap_or(i64::MAX);
        let charged = u64::try_from(user.number(field::NET)?.saturating_sub(here)).unwrap_or(0);
        Some(Found::User(UserRecord { credit, held, charged, incarnation: user.incarnation().to_owned() }))
    })
    .await
}

async fn payment(shard: &Shard, user: &UserId, order: &OrderId) -> Result<Found, ShardError> {
    insight::record(shard, &record::PAYMENT, payments::payment_key(shard, user, order), |payment| {
        let (state, by) = (payment.field(field::STATE)?, payment.field(field::BY)?);
        let (amount, incarnation) = (payment.amount(field::CHARGED)?, payment.incarnation().to_owned());
        Some(Found::Payment(PaymentRecord { state, by, amount, incarnation }))
    })
    .await
}
