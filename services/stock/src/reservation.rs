//! Reservations: stock's part in a checkout.

use std::fmt::Write;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::ids::ItemId;
use shardcart_common::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Prices, Refusal, Service, Step, Topology,
};
use shardcart_common::reservation::{self, HELD, Scripts, topology};
use shardcart_common::script::Call;
use shardcart_common::shards::Shards;

use crate::error::StockError;
use crate::items;

shardcart_common::scripts! {
    RESERVE = "reserve.lua";
    CONFIRM = "confirm.lua";
    CANCEL = "cancel.lua";
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
        let mut wanted = Vec::with_capacity(operations.len());
        for operation in operations {
            let Step::ReserveStock { order, lines } = &operation.step else { return None };
            wanted.push((operation, order, lines));
        }
        let items: usize = wanted.iter().map(|(_, _, lines)| lines.len()).sum();
        let mut call = RESERVE.with_keys(2 * operations.len() + items);
        reservation::push_keys(&mut call, operations);
        let mut records = Vec::with_capacity(operations.len());
        for (operation, order, lines) in &wanted {
            let mut record = format!("{HELD}{order}");
            for (item, units) in *lines {
                let partition = self.0.partition(item.as_str());
                if partition.shard() != operation.at.shard() {
                    return None;
                }
                let key = partition.key("item", item.as_str());
                // Writing to a text cannot fail.
                let _ = write!(record, " {key} {units}");
                call.key(key);
            }
            records.push(record);
        }
        call.push(operations.len());
        for ((operation, _, lines), record) in wanted.iter().zip(records) {
            call.push(operation.tx.as_str());
            call.push(operation.deadline_ms);
            call.push(record);
            call.push(lines.len());
        }
        for (_, units) in wanted.iter().flat_map(|(_, _, lines)| lines.iter()) {
            call.push(*units);
        }
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
