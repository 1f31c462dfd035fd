//! Settling: the participants are told what was decided, and the attempt ends when all of them have acknowledged it.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::join_all;
use shardcart_protocol::fault::{self, Point};
use shardcart_protocol::participant::{Answer, Operation, Step};
use shardcart_schema::limit::{CALL_MAX, REQUEST_MAX};
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace::span::Span;
use shardcart_telemetry::trace::{self, Origin, export};
use shardcart_types::service::Service;

use crate::attempt::{self, AttemptRef};
use crate::participants::Participants;
use crate::settling::Settlement;

impl Participants {
    /// Settles attempts together: one batch for each participant shard, then a few calls for each order shard.
    /// An attempt that a participant does not acknowledge stays in flight, for recovery. May be repeated.
    pub async fn settle(&self, settlements: &[Settlement]) {
        let began = Instant::now();
        let mut told: BTreeMap<(Service, u16), Vec<usize>> = BTreeMap::new();
        for (place, settlement) in settlements.iter().enumerate() {
            for part in &settlement.parts {
                told.entry(*part).or_default().push(place);
            }
        }
        let unsettled = join_all(told.into_iter().map(async |((service, shard), places)| {
            let mut unsettled = Vec::new();
            for places in places.chunks(REQUEST_MAX) {
                unsettled.extend(self.tell(service, shard, settlements, places).await);
            }
            unsettled
        }));
        let mut settled = vec![true; settlements.len()];
        for place in unsettled.await.into_iter().flatten() {
            settled[place] = false;
        }
        let settled = settlements.iter().zip(settled).filter(|(_, settled)| *settled);
        self.finish(settled.map(|(settlement, _)| settlement)).await;
        record_settled(settlements, began);
    }

    /// Tells one participant shard the decisions of some attempts, given by their places in `settlements`. Returns the
    /// places that it does not acknowledge.
    async fn tell(&self, service: Service, shard: u16, settlements: &[Settlement], places: &[usize]) -> Vec<usize> {
        let operation = |place: &usize| {
            let settlement = &settlements[*place];
            let step = if settlement.paid { Step::Confirm } else { Step::Cancel };
            Operation {
                tx: settlement.tx.clone(),
                deadline_ms: settlement.deadline_ms,
                trace: settlement.origin.clone(),
                step,
            }
        };
        let answers = self.client(service).run(shard, places.iter().map(operation).collect()).await;
        fault::point(Point::MidSettle);
        let unsettled = places
            .iter()
            .copied()
            .zip(answers)
            .filter(|(place, answer)| !is_settled(&settlements[*place], service, answer));
        unsettled.map(|(place, _)| place).collect()
    }

    async fn finish(&self, settled: impl Iterator<Item = &Settlement>) {
        let mut shards: BTreeMap<u16, Vec<&Settlement>> = BTreeMap::new();
        for settlement in settled {
            shards.entry(settlement.shard).or_default().push(settlement);
        }
        join_all(shards.into_iter().map(async |(number, settlements)| {
            for together in settlements.chunks(CALL_MAX) {
                let attempts: Vec<AttemptRef> = together.iter().map(|settlement| settlement.reference()).collect();
                let sent = export::on().then(Instant::now);
                let finished = match self.shards.shard(number) {
                    Ok(shard) => attempt::finish(shard, &attempts).await.map(|_| ()),
                    Err(error) => Err(error),
                };
                if let Some(sent) = sent {
                    for origin in together.iter().filter_map(|settlement| settlement.recorded()) {
                        export::script(origin, sent, "finish.lua", "order", number, finished.is_err());
                    }
                }
                if let Err(error) = finished {
                    let orders = together.len();
                    log::warn!(shard = number, orders, error:%; "settled attempts could not be ended; recovery will");
                }
            }
        }))
        .await;
    }
}

/// Records the metrics and spans of attempts that were settled together.
fn record_settled(settlements: &[Settlement], began: Instant) {
    metrics::checkout::settled(settlements.len(), began);
    for settlement in settlements.iter().filter(|_| export::on()) {
        if let Some(Origin { parent, .. }) = settlement.recorded() {
            let span = Span::new("order", "settle".to_owned(), parent.child(), Some(parent.span), began);
            export::send(span.with("order", &settlement.order).with("tx", &settlement.tx));
        }
    }
}

fn is_settled(settlement: &Settlement, service: Service, answer: &Answer) -> bool {
    match answer {
        Answer::Confirmed | Answer::Gone if settlement.paid => true,
        Answer::Cancelled if !settlement.paid => true,
        Answer::Lost | Answer::Conflict => {
            let (order, tx, paid) = (&settlement.order, &settlement.tx, settlement.paid);
            shardcart_protocol::batch_metrics::alarm(service, answer);
            trace::aside(
                settlement.origin.as_ref(),
                || log::error!(alarm:? = answer, order:%, tx:%, service:%, paid; "a reservation is not what the decision needs; it stays in flight"),
            );
            false
        }
        _ => false,
    }
}
