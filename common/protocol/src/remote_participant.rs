//! A participant over HTTP. Batches that are sent at the same moment share a request, also those for different shards.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use shardcart_schema::limit::REQUEST_MAX;
use shardcart_types::ids::ItemId;
use shardcart_types::service::Service;
use tokio::sync::oneshot;

use crate::participant::{Answer, Batch, Participant, ParticipantError, Prices, Topology};
use crate::peers::{Failure, Peers};

/// How long the batches of a shard that did not answer have requests of their own.
const APART: Duration = Duration::from_secs(1);

/// What a batch came to.
type Ran = Result<Vec<Answer>, ParticipantError>;

/// A participant over HTTP, as one thread sees it.
pub struct RemoteParticipant(Rc<Requests>);

struct Requests {
    service: Service,
    peers: Peers,
    /// What goes with the next request.
    waiting: RefCell<Vec<(Batch, oneshot::Sender<Ran>)>>,
    /// Until when the batches of a shard go alone, so that those of others need not wait for its answers.
    apart: RefCell<HashMap<u16, Instant>>,
}

impl RemoteParticipant {
    /// The machines of `service`.
    pub fn new(service: Service, peers: Peers) -> Self {
        let (waiting, apart) = (RefCell::default(), RefCell::default());
        RemoteParticipant(Rc::new(Requests { service, peers, waiting, apart }))
    }
}

impl Requests {
    async fn run(self: &Rc<Self>, batch: Batch) -> Ran {
        if self.is_apart(batch.shard) {
            return self.run_alone(batch).await;
        }
        let (sender, receiver) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.push((batch, sender));
            waiting.len() == 1
        };
        if is_first {
            // It sets out when this thread has run what is ready now, and so takes all of that along.
            rt::spawn(Rc::clone(self).send());
        }
        receiver.await.unwrap_or_else(|_| Err(self.unanswered("the request was given up")))
    }

    /// Sends what waits: in one request, unless it is too much for one, or does not go together.
    async fn send(self: Rc<Self>) {
        let mut requests: Vec<(Vec<Batch>, Vec<oneshot::Sender<Ran>>)> = Vec::new();
        for (batch, sender) in self.waiting.take() {
            let together = requests.last_mut().filter(|(batches, _)| fits(batches, &batch));
            match together {
                Some((batches, senders)) => {
                    batches.push(batch);
                    senders.push(sender);
                }
                None => requests.push((vec![batch], vec![sender])),
            }
        }
        join_all(requests.into_iter().map(|(batches, senders)| self.request(batches, senders))).await;
    }

    /// Asks together. Who has no answer is asked once more, alone: the others do not wait for that.
    async fn request(&self, batches: Vec<Batch>, senders: Vec<oneshot::Sender<Ran>>) {
        let answers: Vec<Result<Option<Vec<Answer>>, ParticipantError>> = match self.ask(&batches).await {
            Ok(answers) if answers.len() == batches.len() => answers.into_iter().map(Ok).collect(),
            Ok(_) => vec![Ok(None); batches.len()],
            Err(error) => vec![Err(error); batches.len()],
        };
        join_all(batches.into_iter().zip(answers).zip(senders).map(async |((batch, answers), sender)| {
            let ran = match answers {
                Ok(Some(answers)) => Ok(answers),
                Ok(None) => {
                    self.apart.borrow_mut().insert(batch.shard, Instant::now() + APART);
                    self.run_alone(batch).await
                }
                Err(error) => Err(error),
            };
            // A receiver that is gone has nobody to tell.
            let _ = sender.send(ran);
        }))
        .await;
    }

    async fn run_alone(&self, batch: Batch) -> Ran {
        let ran = self.ask(&[batch]).await?;
        ran.into_iter().next().flatten().ok_or_else(|| self.unanswered("another number of batches was answered"))
    }

    async fn ask(&self, batches: &[Batch]) -> Result<Vec<Option<Vec<Answer>>>, ParticipantError> {
        self.peers.ask("internal/v1/batches", &batches).await.map_err(|failure| self.failed(failure))
    }

    fn is_apart(&self, shard: u16) -> bool {
        let mut apart = self.apart.borrow_mut();
        let is_apart = apart.get(&shard).is_some_and(|until| Instant::now() < *until);
        if !is_apart {
            apart.remove(&shard);
        }
        is_apart
    }

    fn failed(&self, failure: Failure) -> ParticipantError {
        match failure {
            Failure::Broken(cause) | Failure::Silent(cause) => self.unanswered(cause),
            Failure::BeyondList(shard) => ParticipantError::BeyondList { service: self.service, shard },
            Failure::Misrouted(topology) => ParticipantError::Misrouted { service: self.service, topology },
        }
    }

    fn unanswered(&self, cause: impl Into<String>) -> ParticipantError {
        ParticipantError::Unanswered { service: self.service, cause: cause.into() }
    }
}

/// Whether a batch may go with these: a request has so many operations at most, and one routing.
fn fits(batches: &[Batch], batch: &Batch) -> bool {
    let operations: usize = batches.iter().map(|batch| batch.operations.len()).sum();
    operations + batch.operations.len() <= REQUEST_MAX && batches.iter().all(|other| other.founding == batch.founding)
}

impl Participant for RemoteParticipant {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Ran> {
        self.0.run(batch).boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        let requests = &self.0;
        async { requests.peers.ask("internal/v1/topology", &()).await.map_err(|failure| requests.failed(failure)) }
            .boxed_local()
    }

    fn may_have(&self, shard: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        let requests = &self.0;
        async move { requests.peers.ask("internal/v1/may_have", &shard).await.map_err(|failure| requests.failed(failure)) }
            .boxed_local()
    }
}

impl Prices for RemoteParticipant {
    fn price<'a>(&'a self, item: &'a ItemId) -> LocalBoxFuture<'a, Result<Option<u64>, ParticipantError>> {
        let requests = &self.0;
        async move { requests.peers.ask("internal/v1/price", item).await.map_err(|failure| requests.failed(failure)) }
            .boxed_local()
    }
}
