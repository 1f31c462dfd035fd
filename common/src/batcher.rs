//! Collects what concurrent checkouts want of the same shard into one batch.
//!
//! What arrives while a batch is under way goes into the next; a lone operation goes at once.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::sync::oneshot;

use crate::ids::Partition;
use crate::metrics;
use crate::participant::{Answer, BATCH_MAX, Batch, Operation, Participant, ParticipantError, Service, Topology};
use crate::routing;

/// Operations that wait for one shard at most; beyond it they go unanswered at once.
const QUEUE_MAX: usize = 65_536;
/// Batches for one shard under way at most. A second one sets out only when the first is slow,
/// so that one silent machine does not hold up what another could do.
const UNDER_WAY_MAX: usize = 4;
/// A batch that takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(100);
/// A participant that stays silent is complained of this often: its batches are tried again many times a second.
const COMPLAINT: Duration = Duration::from_secs(1);

type Waiting = (Operation, oneshot::Sender<Answer>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    under_way: usize,
    last_sent: Option<Instant>,
}

/// A participant as the checkouts of one thread see it: routing, and batches.
pub struct Batcher {
    service: Service,
    participant: Rc<dyn Participant>,
    topology: Cell<Option<Topology>>,
    queues: RefCell<HashMap<u16, Queue>>,
    complained: Cell<Option<Instant>>,
}

impl Batcher {
    /// A batcher in front of a participant.
    pub fn new(service: Service, participant: Rc<dyn Participant>) -> Rc<Self> {
        Rc::new(Batcher {
            service,
            participant,
            topology: Cell::new(None),
            queues: RefCell::default(),
            complained: Cell::new(None),
        })
    }

    /// Which participant this is.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The partitions of ids at this participant. Asks it once how its keys are spread.
    ///
    /// # Errors
    /// `Unanswered`: it has never answered yet.
    pub async fn router(&self) -> Result<impl Fn(&str) -> Partition + use<>, ParticipantError> {
        let Topology { founding, .. } = self.topology().await?;
        Ok(move |id: &str| routing::partition(id, founding))
    }

    /// Makes sure that the participant knows the shard of a partition. Asks again before it says no: shards are added.
    ///
    /// # Errors
    /// `BeyondList`: it does not. `Unanswered`: it does not answer.
    pub async fn check_known(&self, partition: Partition) -> Result<(), ParticipantError> {
        let shard = partition.shard();
        if shard < self.topology().await?.shards {
            return Ok(());
        }
        self.topology.set(None);
        if shard < self.topology().await?.shards {
            Ok(())
        } else {
            Err(ParticipantError::BeyondList { service: self.service, shard })
        }
    }

    async fn topology(&self) -> Result<Topology, ParticipantError> {
        if let Some(known) = self.topology.get() {
            return Ok(known);
        }
        let topology = self.participant.topology().await?;
        self.topology.set(Some(topology));
        Ok(topology)
    }

    /// Has an operation done, together with others for the same shard.
    pub async fn submit(self: &Rc<Self>, operation: Operation) -> Answer {
        let shard = operation.at.shard();
        let (sender, receiver) = oneshot::channel();
        let departs = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(shard).or_default();
            if queue.waiting.len() >= QUEUE_MAX {
                return Answer::Unanswered;
            }
            queue.waiting.push_back((operation, sender));
            let slow = queue.last_sent.is_none_or(|sent| sent.elapsed() > SLOW);
            let departs = queue.under_way == 0 || (slow && queue.under_way < UNDER_WAY_MAX);
            queue.under_way += usize::from(departs);
            departs
        };
        if departs {
            rt::spawn(Rc::clone(self).send(shard));
        }
        receiver.await.unwrap_or(Answer::Unanswered)
    }

    /// Has operations for one shard done, outside the queue: for settling, which comes in large batches anyway.
    pub async fn run(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
        let began = Instant::now();
        let answers = self.run_batch(shard, operations).await;
        metrics::participant::batch(self.service, began, &answers);
        answers
    }

    async fn run_batch(&self, shard: u16, operations: Vec<Operation>) -> Vec<Answer> {
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

    /// Sends batch after batch until nothing waits.
    async fn send(self: Rc<Self>, shard: u16) {
        loop {
            let (operations, senders): (Vec<_>, Vec<_>) = {
                let mut queues = self.queues.borrow_mut();
                let queue = queues.entry(shard).or_default();
                // Whoever has stopped waiting needs no answer; what it asked for is cancelled by others.
                queue.waiting.retain(|(_, sender)| !sender.is_closed());
                let count = queue.waiting.len().min(BATCH_MAX);
                if count == 0 {
                    queue.under_way -= 1;
                    return;
                }
                queue.last_sent = Some(Instant::now());
                queue.waiting.drain(..count).unzip()
            };
            for (sender, answer) in senders.into_iter().zip(self.run(shard, operations).await) {
                // A receiver that is gone has nobody to tell.
                let _ = sender.send(answer);
            }
        }
    }

    fn unanswered(&self, error: &ParticipantError, shard: u16, operations: usize) -> Vec<Answer> {
        if self.complained.get().is_none_or(|last| last.elapsed() > COMPLAINT) {
            self.complained.set(Some(Instant::now()));
            log::warn!(service:% = self.service, shard, operations, error:%; "a batch went unanswered");
        }
        vec![Answer::Unanswered; operations]
    }
}
