//! Reservations: stock's part in a checkout.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::ids::ItemId;
use shardcart_common::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Prices, Refusal, Service, Step, Topology,
};
use shardcart_common::reservation::{self, Scripts, topology};
use shardcart_common::script::Call;
use shardcart_common::shards::Shards;
use shardcart_schema::key;
use shardcart_schema::reply::Reply;
use shardcart_schema::reservation_record;

use crate::error::StockError;
use crate::items;

shardcart_common::scripts! {
    RESERVE = "reserve.lua";
    CONFIRM = "confirm.lua" including "settle";
    CANCEL = "cancel.lua" including "settle";
}

/// The stock service as a participant, in-process.
pub struct LocalStock(Arc<Shards>);

impl LocalStock {
    /// Takes part with these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalStock(shards)
    }

    /// The call of reserves; `None`: one of them is not for stock, or has an item of another shard.
    fn reserve(&self, operations: &[&Operation]) -> Option<Call> {
        let (mut places, mut keys) = (HashMap::new(), Vec::new());
        let (mut wanted, mut kept) = (Vec::new(), Vec::with_capacity(operations.len()));
        for operation in operations {
            let Step::ReserveStock { order, lines } = &operation.step else { return None };
            wanted.extend(reservation_record::double(operation.deadline_ms));
            wanted.extend(reservation_record::double(lines.len() as u64));
            let mut own = Vec::with_capacity(lines.len());
            for (item, units) in lines {
                let place = *places.entry(item.as_str()).or_insert_with(|| {
                    keys.push(self.0.partition(item.as_str()));
                    keys.len()
                });
                let partition = keys[place - 1];
                if partition.shard() != operation.at.shard() {
                    return None;
                }
                wanted.extend(reservation_record::double(place as u64));
                wanted.extend(reservation_record::double(*units));
                own.push((key::item(partition.0, item), *units));
            }
            kept.push(reservation_record::units(operation.deadline_ms, order.as_str(), own.into_iter()));
        }
        let mut items: Vec<(&str, usize)> = places.into_iter().collect();
        items.sort_unstable_by_key(|(_, place)| *place);
        let mut call = reservation::call(&RESERVE, operations, items.len());
        for (item, place) in items {
            call.key(key::item(keys[place - 1].0, item));
        }
        call.push(operations.len());
        call.push(reservation::ends_ms(operations));
        call.push(&wanted[..]);
        operations.iter().for_each(|operation| call.push(operation.tx.as_str()));
        kept.iter().for_each(|kept| call.push(&kept[..]));
        Some(call)
    }
}

/// Understands a reply; behind the word of a refusal stands its line.
fn understand(operation: &Operation, reply: Reply, line: &str) -> Option<Answer> {
    if let Some(answer) = reservation::answer(reply) {
        return Some(answer);
    }
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

impl Participant for LocalStock {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        async move {
            let scripts = Scripts { reserve: |wanted: &[&_]| self.reserve(wanted), confirm: &CONFIRM, cancel: &CANCEL };
            reservation::run(Service::Stock, &self.0, &batch, &scripts, understand).await
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(topology(&self.0)) }.boxed_local()
    }
}

impl Prices for LocalStock {
    fn price<'a>(&'a self, item: &'a ItemId) -> LocalBoxFuture<'a, Result<Option<u64>, ParticipantError>> {
        async move {
            match items::find(&self.0, item).await {
                Ok(found) => Ok(Some(found.price)),
                Err(StockError::UnknownItem(_)) => Ok(None),
                Err(error) => Err(ParticipantError::Unanswered { service: Service::Stock, cause: error.to_string() }),
            }
        }
        .boxed_local()
    }
}
