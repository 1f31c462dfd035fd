//! Reservations: stock's part in a checkout.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Prices, Refusal, Step, Topology,
};
use shardcart_protocol::reservation;
use shardcart_protocol::reservation::{Scripts, topology};
use shardcart_store::held;
use shardcart_store::script::Call;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;
use shardcart_types::service::Service;

use crate::error::StockError;
use crate::items;

shardcart_store::scripts! {
    RESERVE = "reserve.lua";
}

shardcart_store::scripts! {
    CONFIRM = "confirm.lua" with "settle.lua";
    CANCEL = "cancel.lua" with "settle.lua";
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
            wanted.extend(held::double(operation.deadline_ms));
            wanted.extend(held::double(lines.len() as u64));
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
                wanted.extend(held::double(place as u64));
                wanted.extend(held::double(*units));
                own.push((partition.name("item", item.as_str()), *units));
            }
            kept.push(held::units(operation.deadline_ms, order.as_str(), own.into_iter()));
        }
        let mut items: Vec<(&str, usize)> = places.into_iter().collect();
        items.sort_unstable_by_key(|(_, place)| *place);
        let mut call = reservation::call(&RESERVE, operations, items.len());
        for (item, place) in items {
            call.key(keys[place - 1].name("item", item));
        }
        call.push(operations.len());
        call.push(reservation::ends_ms(operations));
        call.push(&wanted[..]);
        operations.iter().for_each(|operation| call.push(operation.tx.as_str()));
        kept.iter().for_each(|kept| call.push(&kept[..]));
        Some(call)
    }
}

/// Understands one word of answer; a refusal names its line.
fn understand(operation: &Operation, word: &str) -> Option<Answer> {
    if let Some(answer) = reservation::answer(word) {
        return Some(answer);
    }
    let (word, line) = word.split_once(' ')?;
    let Step::ReserveStock { lines, .. } = &operation.step else {
        return None;
    };
    let (item, _) = lines.get(line.parse::<usize>().ok()?.checked_sub(1)?)?;
    let item = item.clone();
    match word {
        "UNKNOWN" => Some(Answer::Refused(Refusal::UnknownItem(item))),
        "INSUFFICIENT" => Some(Answer::Refused(Refusal::InsufficientStock(item))),
        "BUSY" => Some(Answer::Busy(Refusal::InsufficientStock(item))),
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
