//! Other services over HTTP: the client side of the internal listeners.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shardcart_types::secret::Secret;

use crate::insight::{Insight, Seen, ShardState, Wanted};
use crate::orders::{Orders, StatusAnswer, StatusQuery};
use crate::participant::Topology;

/// How long a machine that did not answer is asked last.
const SHUNNED: Duration = Duration::from_secs(1);
/// How long an idle connection is kept: shorter than the other side keeps it, which would close it in our hands.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// Idle connections kept to each machine.
const IDLE_CONNECTIONS: usize = 8;

/// The machines of another service.
pub struct Peers {
    client: Client,
    machines: Vec<(Url, Cell<Option<Instant>>)>,
    turn: Cell<usize>,
    token: Secret,
    /// How long all machines together are asked.
    time_max: Duration,
}

/// Makes the client of another service for one worker thread after the other.
#[derive(Debug, Clone)]
pub struct PeersFactory {
    urls: Vec<Url>,
    token: Secret,
    timeout: Duration,
}

impl PeersFactory {
    /// Checks that a client can be made, by making one. The arguments are those of [`Peers::new`].
    ///
    /// # Errors
    /// A sentence: no HTTP client can be made.
    pub fn new(urls: &[Url], token: &Secret, timeout: Duration) -> Result<Self, String> {
        Peers::new(urls, token, timeout)?;
        Ok(PeersFactory { urls: urls.to_vec(), token: token.clone(), timeout })
    }

    /// The machines of the service, with connections of their own, for one thread.
    pub fn peers(&self) -> Peers {
        // A client depends on nothing but these values: it looks nothing up and opens nothing.
        Peers::new(&self.urls, &self.token, self.timeout).expect("`new` made a client from the same values")
    }
}

pub(crate) enum Failure {
    /// There was no usable answer: no connection, a broken one, or an error. It may have happened.
    Broken(String),
    /// There was no answer in time. It may have happened, and the caller has waited long enough.
    Silent(String),
    /// 421: the machine does not know this shard. Nothing happened.
    BeyondList(u16),
    /// 409: the machine's topology is another.
    Misrouted(Topology),
}

impl Peers {
    /// Machines by their base URLs, with the secret they share. `timeout` bounds each request.
    ///
    /// # Errors
    /// A sentence: no HTTP client can be made.
    pub fn new(urls: &[Url], token: &Secret, timeout: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .no_proxy()
            .connect_timeout(timeout / 2)
            .timeout(timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        let machines = urls.iter().map(|url| (url.clone(), Cell::new(None))).collect();
        Ok(Peers { client, machines, turn: Cell::new(0), token: token.clone(), time_max: timeout * 3 / 2 })
    }

    /// Asks one machine after the other until one answers, those that failed just now last. All internal calls may be
    /// repeated: after a broken connection, which is what a machine that stops leaves behind, the next one is asked,
    /// at the end the first once more. After a silence the caller decides.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, Failure> {
        let answer = tokio::time::timeout(self.time_max, self.ask_in_turn(path, question)).await;
        answer.unwrap_or_else(|_| Err(Failure::Silent("no machine answered in time".to_owned())))
    }

    async fn ask_in_turn<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, Failure> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut order: Vec<usize> = (0..self.machines.len()).map(|step| (turn + step) % self.machines.len()).collect();
        order.sort_by_key(|machine| self.machines[*machine].1.get().is_some_and(|failed| failed.elapsed() < SHUNNED));
        let mut failure = Failure::Broken("no machine is known".to_owned());
        for machine in order.iter().chain(order.first()) {
            let (url, failed) = &self.machines[*machine];
            failure = match self.ask_one(url, path, question).await {
                Err(failure) => failure,
                answered => return answered,
            };
            match failure {
                Failure::Misrouted(_) => return Err(failure),
                // Another machine may know it.
                Failure::BeyondList(_) => {}
                Failure::Broken(_) => failed.set(Some(Instant::now())),
                Failure::Silent(_) => {
                    failed.set(Some(Instant::now()));
                    return Err(failure);
                }
            }
        }
        Err(failure)
    }

    async fn ask_one<Q: Serialize, A: DeserializeOwned>(
        &self,
        url: &Url,
        path: &str,
        question: &Q,
    ) -> Result<A, Failure> {
        let url = url.join(path).map_err(|error| Failure::Broken(error.to_string()))?;
        let response = self
            .client
            .post(url)
            .bearer_auth(self.token.expose())
            .json(question)
            .send()
            .await
            .map_err(|error| failure(&error))?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(|error| failure(&error)),
            StatusCode::CONFLICT => Err(Failure::Misrouted(response.json().await.map_err(|error| failure(&error))?)),
            StatusCode::MISDIRECTED_REQUEST => {
                Err(Failure::BeyondList(response.json().await.map_err(|error| failure(&error))?))
            }
            status => Err(Failure::Broken(format!("status {status}"))),
        }
    }
}

/// A machine that does not even complete a connection is passed over: others may answer sooner than it times out again.
fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() && !error.is_connect() {
        Failure::Silent(error.to_string())
    } else {
        Failure::Broken(error.to_string())
    }
}

/// The order service over HTTP.
pub struct RemoteOrders(Peers);

impl RemoteOrders {
    /// The machines of the order service.
    pub fn new(peers: Peers) -> Self {
        RemoteOrders(peers)
    }
}

impl Orders for RemoteOrders {
    fn order_statuses(&self, asked: Vec<StatusQuery>) -> LocalBoxFuture<'_, Result<Vec<StatusAnswer>, String>> {
        async move {
            self.0.ask("internal/v1/order_statuses", &asked).await.map_err(|failure| match failure {
                Failure::Broken(cause) | Failure::Silent(cause) => cause,
                Failure::Misrouted(_) | Failure::BeyondList(_) => {
                    "the order service does not understand the question".to_owned()
                }
            })
        }
        .boxed_local()
    }
}

/// What another service shows of itself, over HTTP.
pub struct RemoteInsight(Peers);

impl RemoteInsight {
    /// The machines of a service.
    pub fn new(peers: Peers) -> Self {
        RemoteInsight(peers)
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, String> {
        self.0.ask(path, question).await.map_err(|failure| match failure {
            Failure::Broken(cause) | Failure::Silent(cause) => cause,
            Failure::Misrouted(_) | Failure::BeyondList(_) => "it does not understand the question".to_owned(),
        })
    }
}

impl Insight for RemoteInsight {
    fn shards(&self) -> LocalBoxFuture<'_, Result<Vec<ShardState>, String>> {
        self.ask("internal/v1/shards", &()).boxed_local()
    }

    fn look_up(&self, wanted: Vec<Wanted>) -> LocalBoxFuture<'_, Result<Vec<Seen>, String>> {
        async move { self.ask("internal/v1/look_up", &wanted).await }.boxed_local()
    }
}
