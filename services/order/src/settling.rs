//! Settling: telling the participants what was decided, and ending the attempt when all of them know.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use shardcart_protocol::batch_pacer::BatchPacer;
use shardcart_protocol::fault;
use shardcart_protocol::fault::Point;
use shardcart_protocol::participant::{Answer, BATCH_MAX, Operation, Participant, ParticipantError, Step};
use shardcart_protocol::participant_client::ParticipantClient;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics;
use shardcart_telemetry::trace;
use shardcart_telemetry::trace::span::Span;
use shardcart_telemetry::trace::{Origin, export};
use shardcart_types::ids::{OrderId, Partition, TxId, UserId};
use shardcart_types::service::Service;

use crate::attempt::{self, Attempt, Named, TakenOver};
use crate::together::TOGETHER_MAX;

/// What one participant shard is asked to reserve for an attempt.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which participant.
    pub service: Service,
    /// A partition of the shard that is asked: the user's, or the lowest of the lines on it.
    pub at: Partition,
    /// The reserve.
    pub reserve: Step,
}

/// A decided attempt with all that has to be told about it.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The order.
    pub order: OrderId,
    /// The order's partition.
    pub partition: Partition,
    /// The attempt.
    pub tx: TxId,
    /// Its deadline, Unix milliseconds.
    pub deadline_ms: u64,
    /// Confirm, or cancel.
    pub paid: bool,
    /// Who has to be told.
    pub parts: Vec<(Service, Partition)>,
    /// The trace and the request that decided it; none when recovery found it.
    pub origin: Option<Origin>,
}

impl Settlement {
    /// What to tell the `parts` of an attempt.
    pub fn of(attempt: &Attempt, paid: bool, parts: &[Part]) -> Self {
        Settlement {
            order: attempt.order.clone(),
            partition: attempt.partition,
            tx: attempt.tx.clone(),
            deadline_ms: attempt.deadline_ms,
            paid,
            parts: parts.iter().map(|part| (part.service, part.at)).collect(),
            origin: trace::own(),
        }
    }

    /// Which attempt of which order it is.
    fn named(&self) -> Named {
        Named { order: self.order.clone(), partition: self.partition, tx: self.tx.clone() }
    }

    /// Where it came from, if its trace is recorded.
    fn recorded(&self) -> Option<&Origin> {
        self.origin.as_ref().filter(|origin| origin.parent.sampled)
    }
}

/// Everyone who settles, in one thread: the order shards and both participants.
pub struct Settling {
    /// The order service's own shards.
    pub shards: Arc<Shards>,
    /// Where the thread's checkouts are; settling itself has no part in it.
    pub(crate) pacer: Rc<BatchPacer>,
    /// The stock service.
    pub stock: Rc<ParticipantClient>,
    /// The payment service.
    pub payment: Rc<ParticipantClient>,
}

impl Settling {
    /// These shards and these participants, for one thread.
    pub fn new(shards: Arc<Shards>, stock: Rc<dyn Participant>, payment: Rc<dyn Participant>) -> Rc<Self> {
        let pacer = Rc::default();
        let stock = ParticipantClient::new(Service::Stock, stock, &pacer);
        let payment = ParticipantClient::new(Service::Payment, payment, &pacer);
        Rc::new(Settling { shards, pacer, stock, payment })
    }

    /// The client in front of a participant.
    pub fn participant(&self, service: Service) -> &Rc<ParticipantClient> {
        match service {
            Service::Stock => &self.stock,
            Service::Payment => &self.payment,
        }
    }

    /// Who takes part in an attempt, and with what: each stock shard that its lines touch, then its user's.
    ///
    /// The same attempt has the same parts wherever and whenever this is asked: it follows from the frozen cart alone.
    ///
    /// # Errors
    /// A participant has not told yet how its keys are spread.
    pub async fn parts(&self, attempt: &Attempt) -> Result<Vec<Part>, ParticipantError> {
        let (item_partition, user_partition) = (self.stock.router().await?, self.payment.router().await?);
        let mut shards: BTreeMap<u16, (Partition, Vec<_>)> = BTreeMap::new();
        for (item, units) in &attempt.lines {
            let partition = item_partition(item.as_str());
            let (at, lines) = shards.entry(partition.shard()).or_insert((partition, Vec::new()));
            *at = partition.min(*at);
            lines.push((item.clone(), *units));
        }
        let stock = shards.into_values().map(|(at, lines)| Part {
            service: Service::Stock,
            at,
            reserve: Step::ReserveStock { order: attempt.order.clone(), lines },
        });
        let payment = Part {
            service: Service::Payment,
            at: user_partition(attempt.user.as_str()),
            reserve: Step::ReserveCredit {
                order: attempt.order.clone(),
                life: attempt.life.clone(),
                user: UserId::clone(&attempt.user),
                amount: attempt.total,
            },
        };
        let parts: Vec<Part> = stock.chain([payment]).collect();
        for part in &parts {
            self.participant(part.service).check_known(part.at).await?;
        }
        Ok(parts)
    }

    /// Settles attempts together: one batch for each participant shard, then a few calls for each order shard.
    /// What a participant does not acknowledge stays in flight, for recovery. May be repeated.
    pub async fn settle(&self, settlements: &[Settlement]) {
        let began = Instant::now();
        let mut told: BTreeMap<(Service, u16), Vec<(usize, Partition)>> = BTreeMap::new();
        for (place, settlement) in settlements.iter().enumerate() {
            for (service, at) in &settlement.parts {
                told.entry((*service, at.shard())).or_default().push((place, *at));
            }
        }
        let unsettled = join_all(told.into_iter().map(async |((service, shard), parts)| {
            let mut unsettled = Vec::new();
            for parts in parts.chunks(BATCH_MAX) {
                unsettled.extend(self.tell(service, shard, settlements, parts).await);
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

    /// Tells one participant shard of some attempts, by their places; gives those that it does not acknowledge.
    async fn tell(
        &self,
        service: Service,
        shard: u16,
        settlements: &[Settlement],
        parts: &[(usize, Partition)],
    ) -> Vec<usize> {
        let operation = |(place, at): &(usize, Partition)| {
            let settlement = &settlements[*place];
            let step = if settlement.paid { Step::Confirm } else { Step::Cancel };
            Operation {
                at: *at,
                tx: settlement.tx.clone(),
                deadline_ms: settlement.deadline_ms,
                trace: settlement.origin.clone(),
                step,
            }
        };
        let answers = self.participant(service).run(shard, parts.iter().map(operation).collect()).await;
        fault::point(Point::MidSettle);
        let places = parts.iter().map(|(place, _)| *place);
        let unsettled =
            places.zip(answers).filter(|(place, answer)| !is_settled(&settlements[*place], service, answer));
        unsettled.map(|(place, _)| place).collect()
    }

    async fn finish(&self, settled: impl Iterator<Item = &Settlement>) {
        let mut shards: BTreeMap<u16, Vec<&Settlement>> = BTreeMap::new();
        for settlement in settled {
            shards.entry(settlement.partition.shard()).or_default().push(settlement);
        }
        join_all(shards.into_iter().map(async |(number, settlements)| {
            for together in settlements.chunks(TOGETHER_MAX) {
                let named: Vec<Named> = together.iter().map(|settlement| settlement.named()).collect();
                let sent = export::on().then(Instant::now);
                let finished = match self.shards.shard(number) {
                    Ok(shard) => attempt::finish(shard, &named).await.map(|_| ()),
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

    /// Takes an order over from a coordinator that is late, and settles it as far as its participants answer.
    /// May be repeated.
    ///
    /// # Errors
    /// The order's shard gives no answer.
    pub async fn resolve(&self, order: &OrderId) -> Result<(), ShardError> {
        let (shard, partition) = self.shards.route(order.as_str())?;
        let began = export::begin(trace::current);
        let reply = shard.run(&attempt::take_over(partition, order)).await;
        export::ended(began, "take_over.lua", "order", shard.number(), reply.is_err());
        if let Some(settlement) = self.settlement(attempt::taken_over(shard, partition, order, reply?)?).await {
            self.settle(&[settlement]).await;
        }
        Ok(())
    }

    /// What is to be told about an order that was taken over; `None` if nothing is, or a participant is silent.
    pub async fn settlement(&self, taken: TakenOver) -> Option<Settlement> {
        // Only this once: what a participant keeps in flight is found again every two seconds.
        if matches!(taken, TakenOver::Taken(_)) {
            metrics::checkout::taken_over();
        }
        let (attempt, paid) = match taken {
            TakenOver::Paid(attempt) => (attempt, true),
            TakenOver::Taken(attempt) | TakenOver::Aborting(attempt) => (attempt, false),
            TakenOver::Nothing => return None,
        };
        log::info!(order:% = attempt.order, tx:% = attempt.tx, paid; "recovery settles an attempt");
        fault::point(Point::MidRecovery);
        match self.parts(&attempt).await {
            Ok(parts) => Some(Settlement::of(&attempt, paid, &parts)),
            Err(error) => {
                log::warn!(order:% = attempt.order, tx:% = attempt.tx, error:%; "recovery has to wait");
                None
            }
        }
    }
}

/// Records attempts that were settled together, as far as their participants answered.
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
