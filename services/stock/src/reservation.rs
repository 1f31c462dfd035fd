//! Reservations: stock's part in a checkout.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::ids::ItemId;
use shardcart_common::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Prices, Refusal, Service, Step, Topology,
};
use shardcart_common::reservation::{self, keys, settle, topology};
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

    fn call(&self, operation: &Operation) -> Option<Call> {
        match &operation.step {
            Step::ReserveStock { order, lines } => {
                let items = lines.iter().map(|(item, _)| (self.0.partition(item.as_str()), item));
                let mut wanted = keys(operation).to_vec();
                for (partition, item) in items {
                    if partition.shard() != operation.at.shard() {
                        return None;
                    }
                    wanted.push(partition.key("item", item.as_str()));
                }
                let call =
                    RESERVE.keys(&wanted).arg(operation.tx.as_str()).arg(operation.deadline_ms).arg(order.as_str());
                Some(lines.iter().fold(call, |call, (_, units)| call.arg(*units)))
            }
            Step::Confirm => Some(settle(&CONFIRM, operation)),
            Step::Cancel => Some(settle(&CANCEL, operation)),
            Step::ReserveCredit { .. } => None,
        }
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
            reservation::run(
                Service::Stock,
                &self.0,
                &batch,
                |operation| self.call(operation),
                understand,
            )
            .await
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
