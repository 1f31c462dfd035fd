//! A participant as the checkouts of one thread see it: where its keys are, and batches of what they ask.

use shardcart_schema::limit::REQUEST_MAX;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::collector::{Collector, Together};
use crate::flow::{Flow, Stage};
use crate::ids::Partition;
use crate::metrics;
use crate::participant::{Answer, Batch, Operation, Participant, ParticipantError, Service, Topology};
use crate::routing;

/// A participant that stays silent is complained of this often: its batches are tried again many times a second.
const COMPLAINT: Duration = Duration::from_secs(1);

/// A participant as the checkouts of one thread see it: routing, and batches.
pub struct Batcher(Rc<Collector<Batches>>);

/// Sends batches, and learns from the answers how the participant's keys are spread.
struct Batches {
    service: Service,
    participant: Rc<dyn Participant>,
    topology: Cell<Option<Topology>>,
    complained: Cell<Option<Instant>>,
}

impl Batcher {
    /// A batcher in front of a participant, for the checkouts of this flow.
    pub fn new(service: Service, participant: Rc<dyn Participant>, flow: &Rc<Flow>) -> Rc<Self> {
        let stage = match service {
            Service::Stock => Stage::Stock,
            Service::Payment => Stage::Payment,
        };
        let (topology, complained) = (Cell::new(None), Cell::new(None));
        Rc::new(Batcher(Collector::new(Batches { service, participant, topology, complained }, flow, stage)))
    }

    /// Which participant this is.
    pub fn service(&self) -> Service {
        self.0.together().service
    }

    /// The partitions of ids at this participant. Asks it once how its keys are spread.
    ///
    /// # Errors
    /// `Unanswered`: it has never answered yet.
    pub async fn router(&self) -> Result<impl Fn(&str) -> Partition + use<>, ParticipantError> {
        let Topology { founding, .. } = self.0.together().topology().await?;
        Ok(move |id: &str| routing::partition(id, founding))
    }

    /// Makes sure that the participant knows the shard of a partition. Asks again before it says no: shards are added.
    ///
    /// # Errors
    /// `BeyondList`: it does not. `Unanswered`: it does not answer.
    pub async fn check_known(&self, partition: Partition) -> Result<(), ParticipantError> {
        let (batches, shard) = (self.0.together(), partition.shard());
        if shard < batches.topology().await?.shards {
            return Ok(());
        }
        batches.topology.set(None);
        if shard < batches.topology().await?.shards {
            Ok(())
        } else {
            Err(ParticipantError::BeyondList { service: batches.service, shard })
        }
    }

    /// Has an operation done, together with others for the same shard.
    pub async fn submit(&self, operation: Operation) -> Answer {
        self.0.submit(operation.at.shard(), operation).await.unwrap_or(Answer::Unanswered)
    }

    /// Has operations for one shard done, outside the queue: for settling, which comes in large batches anyway.
    pub async fn run(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        self.0.together().ask(shard, operations).await
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
        if self.complained.get().is_none_or(|last| last.elapsed() > COMPLAINT) {
            self.complained.set(Some(Instant::now()));
            log::warn!(service:% = self.service, shard, operations, error:%; "a batch went unanswered");
        }
        vec![Answer::Unanswered; operations]
    }
}

impl Together for Batches {
    type Asked = Operation;
    type Answer = Answer;
    const MOST: usize = REQUEST_MAX;

    async fn ask(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        let began = Instant::now();
        let answers = self.answers(shard, operations).await;
        metrics::participant::batch(self.service, began, &answers);
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
