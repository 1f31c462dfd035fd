//! What the payment service shows of itself to an operator. Nothing here writes.

use redis::FromRedisValue;
use shardcart_common::ids::{OrderId, Partition, UserId};
use shardcart_common::insight::{self, Found, LookUp, PaymentRecord, Seen, UserRecord, Wanted};
use shardcart_common::script::Call;
use shardcart_common::shard::{Shard, ShardError};
use shardcart_common::shards::Shards;
use shardcart_common::walk;

use crate::users;

/// The payment service itself, asked in-process.
pub type LocalInsight = insight::LocalInsight<Payment>;

/// What the payment service looks up.
#[derive(Debug)]
pub struct Payment;

impl LookUp for Payment {
    const UNDER_WAY: &'static str = "held";

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

type UserFields = (Option<u64>, Option<u64>, Option<i64>, Option<String>, Option<String>);

async fn user(shard: &Shard, at: Partition, user: &UserId) -> Result<Found, ShardError> {
    let mut read = redis::cmd("HMGET");
    read.arg(at.key("user", user.as_str())).arg(&["credit", "held", "net", "life", "v"]);
    let reply = shard.ask(&Call::read(read)).await?;
    let fields = UserFields::from_redis_value(reply).map_err(|error| walk::odd(shard, "HMGET", &error.to_string()))?;
    Ok(match fields {
        (.., Some(_)) => Found::Newer,
        (Some(credit), Some(held), Some(net), life, None) => {
            let here = i64::try_from(credit.saturating_add(held)).unwrap_or(i64::MAX);
            let charged = u64::try_from(net.saturating_sub(here)).unwrap_or(0);
            Found::User(UserRecord { credit, held, charged, life: life.unwrap_or_default() })
        }
        (None, None, None, ..) => Found::Absent,
        _ => Found::Unreadable,
    })
}

type PaymentFields = (Option<String>, Option<String>, Option<u64>, Option<String>, Option<String>);

async fn payment(shard: &Shard, at: Partition, user: &UserId, order: &OrderId) -> Result<Found, ShardError> {
    let [_, key] = users::keys(at, user, order);
    let mut read = redis::cmd("HMGET");
    read.arg(key).arg(&["state", "by", "charged", "life", "v"]);
    let reply = shard.ask(&Call::read(read)).await?;
    let fields =
        PaymentFields::from_redis_value(reply).map_err(|error| walk::odd(shard, "HMGET", &error.to_string()))?;
    Ok(match fields {
        (.., Some(_)) => Found::Newer,
        (Some(state), Some(by), Some(amount), Some(life), None) => {
            Found::Payment(PaymentRecord { state, by, amount, life })
        }
        (None, None, ..) => Found::Absent,
        _ => Found::Unreadable,
    })
}
