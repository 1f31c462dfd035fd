//! A participant as the checkouts of one thread see it: where its keys are, and batches of what they ask.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use shardcart_schema::limit::REQUEST_MAX;
use shardcart_types::routing;
use shardcart_types::service::Service;

use crate::batch_metrics;
use crate::batch_pacer::{BatchPacer, Stage};
use crate::coalescer::{BatchRequest, Coalescer};
use crate::participant::{Answer, Batch, Operation, Participant, ParticipantError, Topology};

/// A silent participant is logged this often: its batches are tried again many times a second.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// A participant as the checkouts of one thread see it: routing, and batches.
pub struct ParticipantClient(Rc<Coalescer<Batches>>);

/// Sends batches, and learns from the answers how the participant's keys are spread.
struct Batches {
    service: Service,
    participant: Rc<dyn Participant>,
    topology: Cell<Option<Topology>>,
    logged: Cell<Option<Instant>>,
}

impl ParticipantClient {
    /// A client in front of a participant, for the checkouts of this pacer.
    pub fn new(service: Service, participant: Rc<dyn Participant>, pacer: &Rc<BatchPacer>) -> Rc<Self> {
        let stage = match service {
            Service::Stock => Stage::Stock,
            Service::Payment => Stage::Payment,
        };
        let (topology, logged) = (Cell::new(None), Cell::new(None));
        Rc::new(ParticipantClient(Coalescer::new(Batches { service, participant, topology, logged }, pacer, stage)))
    }

    /// Which participant this is.
    pub fn service(&self) -> Service {
        self.0.request().service
    }

    /// The shards of ids at this participant. Asks it once how its keys are spread.
    ///
    /// # Errors
    /// `Unanswered`: it has never answered yet.
    pub async fn router(&self) -> Result<impl Fn(&str) -> u16 + use<>, ParticipantError> {
        let Topology { founding, .. } = self.0.request().topology().await?;
        Ok(move |id: &str| routing::shard(id, founding))
    }

    /// Makes sure that the participant knows a shard. Asks again before it says no: shards are added.
    ///
    /// # Errors
    /// - `NoShard`: nobody has it.
    /// - `BeyondList`: the machine that was asked does not know it.
    /// - `Unanswered`: it does not answer.
    pub async fn check_known(&self, shard: u16) -> Result<(), ParticipantError> {
        let batches = self.0.request();
        if shard < batches.topology().await?.shards {
            return Ok(());
        }
        batches.topology.set(None);
        if shard < batches.topology().await?.shards {
            return Ok(());
        }
        let service = batches.service;
        match batches.participant.may_have(shard).await {
            Ok(false) => Err(ParticipantError::NoShard { service, shard }),
            _ => Err(ParticipantError::BeyondList { service, shard }),
        }
    }

    /// Sends an operation, in a batch with others for the same shard.
    pub async fn submit(&self, shard: u16, operation: Operation) -> Answer {
        self.0.submit(shard, operation).await.unwrap_or(Answer::Unanswered)
    }

    /// Sends operations for one shard in a batch of their own: for settling, which comes in large batches anyway.
    pub async fn run(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        self.0.request().send(shard, operations).await
    }
}

impl Batches {
    async fn topology(&self) -> Result<Topology, ParticipantError> {
        if let Some(known) = self.topology.get() {
            return Ok(known);
        }
        let topology = self.participant.topology().await?;
        self.topology.set(Some(topology));
        Ok(topology)
    }

    fn unanswered(&self, error: &ParticipantError, shard: u16, operations: usize) -> Vec<Answer> {
        if self.logged.get().is_none_or(|last| last.elapsed() > LOG_INTERVAL) {
            self.logged.set(Some(Instant::now()));
            log::warn!(service:% = self.service, shard, operations, error:%; "a batch went unanswered");
        }
        vec![Answer::Unanswered; operations]
    }
}

impl BatchRequest for Batches {
    type Item = Operation;
    type Answer = Answer;
    const ITEMS_MAX: usize = REQUEST_MAX;

    async fn send(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        let began = Instant::now();
        let answers = self.answers(shard, operations).await;
        batch_metrics::batch(self.service, began, &answers);
        answers
    }
}

impl Batches {
    async fn answers(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        let count = operations.len();
        let founding = match self.topology().await {
            Ok(topology) => topology.founding,
            Err(error) => return self.unanswered(&error, shard, count),
        };
        match self.participant.run(Batch { founding, shard, operations }).await {
            Ok(answers) if answers.len() == count => answers,
            Ok(answers) => {
                let cause = format!("{} answers to {count} operations", answers.len());
                self.unanswered(&ParticipantError::Unanswered { service: self.service, cause }, shard, count)
            }
            Err(error) => {
                if let ParticipantError::Misrouted { topology, .. } = &error {
                    self.topology.set(Some(*topology));
                }
                self.unanswered(&error, shard, count)
            }
        }
    }
}
