//! Reservations: stock's part in a checkout. What it has in common with payment's is in `shardcart-protocol`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_protocol::participant::{Answer, Operation, ParticipantError, Prices, Refusal, Step};
use shardcart_protocol::reservation::{LocalParticipant, Places, reserve_call};
use shardcart_schema::key;
use shardcart_schema::reply::Reply;
use shardcart_schema::reservation_record;
use shardcart_store::script::{Call, Script};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;
use shardcart_types::service::Service;

use crate::error::StockError;
use crate::items;
use crate::scripts::{CANCEL, CONFIRM, RESERVE};

/// The stock service as a participant, in-process.
pub struct LocalStock(Arc<Shards>);

impl LocalStock {
    /// Takes part with these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalStock(shards)
    }
}

impl LocalParticipant for LocalStock {
    const SERVICE: Service = Service::Stock;

    fn shards(&self) -> &Shards {
        &self.0
    }

    /// `None`: an operation is not for stock, or has an item of another shard.
    fn reserve(&self, shard: &Shard, operations: &[&Operation]) -> Option<Call> {
        let (mut items, mut known) = (Places::with_capacity(operations.len()), 0);
        let (mut wanted, mut kept) = (Vec::new(), Vec::with_capacity(operations.len()));
        for operation in operations {
            let Step::ReserveStock { order, lines } = &operation.step else { return None };
            wanted.extend(reservation_record::double(operation.deadline_ms));
            wanted.extend(reservation_record::double(lines.len() as u64));
            let mut own = Vec::with_capacity(lines.len());
            for (item, units) in lines {
                let place = items.of(item.as_str());
                if place > known {
                    known = place;
                    if self.0.shard_of(item.as_str()) != shard.number() {
                        return None;
                    }
                }
                wanted.extend(reservation_record::double(place as u64));
                wanted.extend(reservation_record::double(*units));
                own.push((key::item(shard.tag(), item), *units));
            }
            kept.push(reservation_record::units(operation.deadline_ms, order.as_str(), own.into_iter()));
        }
        let keys = items.keys().iter().map(|item| key::item(shard.tag(), item));
        Some(reserve_call(shard, &RESERVE, operations, keys, &wanted, &kept))
    }

    fn confirm(&self) -> &'static Script {
        &CONFIRM
    }

    fn cancel(&self) -> &'static Script {
        &CANCEL
    }

    /// A refusal names its line.
    fn understand(&self, operation: &Operation, reply: Reply, line: &str) -> Option<Answer> {
        let Step::ReserveStock { lines, .. } = &operation.step else {
            return None;
        };
        let (item, _) = lines.get(line.parse::<usize>().ok()?.checked_sub(1)?)?;
        let item = item.clone();
        match reply {
            Reply::Unknown => Some(Answer::Refused(Refusal::UnknownItem(item))),
            Reply::Insufficient => Some(Answer::Refused(Refusal::InsufficientStock(item))),
            Reply::Busy => Some(Answer::Busy(Refusal::InsufficientStock(item))),
            _ => None,
        }
    }
}

impl Prices for LocalStock {
    fn price<'a>(&'a self, item: &'a ItemId) -> LocalBoxFuture<'a, Result<Option<u64>, ParticipantError>> {
        async move {
            match items::find(&self.0, item).await {
                Ok(found) => Ok(Some(found.price)),
                Err(StockError::UnknownItem(_)) => Ok(None),
                Err(StockError::Shard(ShardError::BeyondList { shard })) => {
                    Err(ParticipantError::BeyondList { service: Service::Stock, shard })
                }
                Err(error) => Err(ParticipantError::Unanswered { service: Service::Stock, cause: error.to_string() }),
            }
        }
        .boxed_local()
    }
}
