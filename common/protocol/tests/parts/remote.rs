//! A participant over HTTP: batches that set out together share a request, and none waits for another's shard.

use std::collections::HashSet;
use std::future::pending;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::{ServerHandle, Service as _};
use actix_web::{App, HttpServer, rt};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use shardcart_harness_shards::PATIENCE;
use shardcart_protocol::internal::Internal;
use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Prices, Step, Topology,
};
use shardcart_protocol::peers::Peers;
use shardcart_protocol::remote_participant::RemoteParticipant;
use shardcart_schema::limit::REQUEST_MAX;
use shardcart_types::ids::{ItemId, TxId, minted_shard, now_ms};
use shardcart_types::secret::Secret;
use shardcart_types::service::Service;

const FOUNDING: u16 = 4;

/// What the machine has been asked, and which of its shards do not answer, or answer with a failure.
#[derive(Default)]
struct Machine {
    requests: AtomicUsize,
    silent: Mutex<HashSet<u16>>,
    failing: Mutex<HashSet<u16>>,
}

fn has(shards: &Mutex<HashSet<u16>>, shard: u16) -> bool {
    shards.lock().expect("no test panics with it").contains(&shard)
}

/// The shards of the machine: each confirms what it is asked.
struct Shards(Arc<Machine>);

impl Participant for Shards {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        async move {
            let (service, topology) = (Service::Stock, Topology { founding: FOUNDING, shards: FOUNDING });
            if batch.founding != FOUNDING {
                return Err(ParticipantError::Misrouted { service, topology });
            }
            if has(&self.0.silent, batch.shard) {
                pending::<()>().await;
            }
            if has(&self.0.failing, batch.shard) {
                return Err(ParticipantError::Unanswered { service, cause: "its shard is down".to_owned() });
            }
            Ok(vec![Answer::Confirmed; batch.operations.len()])
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(Topology { founding: FOUNDING, shards: FOUNDING }) }.boxed_local()
    }

    fn may_have(&self, shard: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        async move { Ok(shard < FOUNDING) }.boxed_local()
    }
}

impl Prices for Shards {
    fn price<'a>(&'a self, item: &'a ItemId) -> LocalBoxFuture<'a, Result<Option<u64>, ParticipantError>> {
        let shard = minted_shard(item.as_str()).filter(|shard| *shard >= FOUNDING);
        let beyond = shard.map(|shard| ParticipantError::BeyondList { service: Service::Stock, shard });
        async { beyond.map_or(Ok(Some(3)), Err) }.boxed_local()
    }
}

/// A machine that listens, and a participant that reaches it.
struct Setup {
    machine: Arc<Machine>,
    server: ServerHandle,
    remote: RemoteParticipant,
}

impl Setup {
    fn start() -> Self {
        let machine = Arc::<Machine>::default();
        let token = Secret::from("a secret of this test");
        let (served, expected) = (Arc::clone(&machine), token.clone());
        let server = HttpServer::new(move || {
            let (participant, prices) = (Rc::new(Shards(Arc::clone(&served))), Rc::new(Shards(Arc::clone(&served))));
            let internal = Internal::of("stock", expected.clone()).participant(participant).prices(prices);
            let counted = Arc::clone(&served);
            App::new()
                .wrap_fn(move |request, service| {
                    counted.requests.fetch_add(1, Ordering::Relaxed);
                    service.call(request)
                })
                .configure(|config| internal.endpoints(config))
        });
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", server.addrs()[0]).parse().expect("a URL");
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        let peers = Peers::new(&[url], &token, PATIENCE).expect("an HTTP client");
        Setup { machine, server: handle, remote: RemoteParticipant::new(Service::Stock, peers) }
    }

    /// Runs batches that set out in the same moment; how many answers each has, and how many requests it took.
    async fn run(&self, batches: Vec<Batch>) -> (Vec<Result<usize, ParticipantError>>, usize) {
        let before = self.machine.requests.load(Ordering::Relaxed);
        let running = join_all(batches.into_iter().map(|batch| self.remote.run(batch)));
        let ran = tokio::time::timeout(PATIENCE, running).await.expect("everyone is answered");
        let counts = ran.into_iter().map(|ran| ran.map(|answers| answers.len())).collect();
        (counts, self.machine.requests.load(Ordering::Relaxed) - before)
    }

    async fn stop(self) {
        self.server.stop(false).await;
    }
}

fn batch(shard: u16, operations: usize) -> Batch {
    let confirm = || Operation { tx: TxId::mint(shard, now_ms()), deadline_ms: 1, trace: None, step: Step::Confirm };
    Batch { founding: FOUNDING, shard, operations: (0..operations).map(|_| confirm()).collect() }
}

fn counts(ran: Vec<Result<usize, ParticipantError>>) -> Vec<usize> {
    ran.into_iter().map(|ran| ran.expect("it is answered")).collect()
}

#[actix_web::test]
async fn batches_that_set_out_together_share_a_request_and_get_their_own_answers() {
    let setup = Setup::start();
    let (ran, requests) = setup.run(vec![batch(0, 3), batch(1, 1), batch(3, 2)]).await;
    assert_eq!((counts(ran), requests), (vec![3, 1, 2], 1));
    let (ran, requests) = setup.run(vec![batch(2, 5)]).await;
    assert_eq!((counts(ran), requests), (vec![5], 1));
    setup.stop().await;
}

#[actix_web::test]
async fn a_request_has_no_more_operations_than_are_allowed() {
    let setup = Setup::start();
    let (ran, requests) =
        setup.run(vec![batch(0, REQUEST_MAX), batch(1, 1), batch(2, REQUEST_MAX - 1), batch(3, 1)]).await;
    assert_eq!((counts(ran), requests), (vec![REQUEST_MAX, 1, REQUEST_MAX - 1, 1], 3));
    setup.stop().await;
}

#[actix_web::test]
async fn batches_that_are_routed_differently_do_not_share_a_request() {
    let setup = Setup::start();
    let (ran, requests) = setup.run(vec![batch(0, 1), Batch { founding: 2, ..batch(1, 1) }]).await;
    assert!(
        matches!(ran.as_slice(), [Ok(1), Err(ParticipantError::Misrouted { topology, .. })] if topology.founding == 4)
    );
    assert_eq!(requests, 2);
    setup.stop().await;
}

#[actix_web::test]
async fn a_shard_that_fails_leaves_only_its_own_batch_unanswered() {
    let setup = Setup::start();
    setup.machine.failing.lock().unwrap().insert(1);
    let (ran, _) = setup.run(vec![batch(0, 2), batch(1, 1)]).await;
    assert!(matches!(ran.as_slice(), [Ok(2), Err(ParticipantError::Unanswered { .. })]));

    // It has a request of its own then, and when it is back its answers.
    setup.machine.failing.lock().unwrap().clear();
    let (ran, requests) = setup.run(vec![batch(0, 2), batch(1, 1), batch(2, 1)]).await;
    assert_eq!((counts(ran), requests), (vec![2, 1, 1], 2));
    setup.stop().await;
}

#[actix_web::test]
async fn what_is_beyond_the_list_of_all_machines_is_told_as_that() {
    let setup = Setup::start();
    assert!(matches!(setup.remote.may_have(FOUNDING - 1).await, Ok(true)));
    assert!(matches!(setup.remote.may_have(FOUNDING).await, Ok(false)));
    assert!(matches!(setup.remote.price(&ItemId::mint(0, 1)).await, Ok(Some(3))));
    let beyond = setup.remote.price(&ItemId::mint(FOUNDING, 1)).await;
    assert!(matches!(beyond, Err(ParticipantError::BeyondList { shard: FOUNDING, .. })), "{beyond:?}");
    setup.stop().await;
}

#[actix_web::test]
async fn a_silent_shard_holds_up_no_other() {
    let setup = Setup::start();
    setup.machine.silent.lock().unwrap().insert(1);
    let mut silent = setup.remote.run(batch(1, 1));
    let (ran, answered) = {
        let other = setup.remote.run(batch(0, 2));
        let both = futures_util::future::select(other, &mut silent);
        let first = tokio::time::timeout(PATIENCE, both).await.expect("one of them is answered");
        match first {
            futures_util::future::Either::Left((ran, _)) => (ran, 0),
            futures_util::future::Either::Right((ran, _)) => (ran, 1),
        }
    };
    assert_eq!((ran.expect("it is answered").len(), answered), (2, 0));
    drop(silent);

    // As long as it is silent it is asked apart from the others.
    let mut silent = setup.remote.run(batch(1, 1));
    assert!((&mut silent).now_or_never().is_none());
    let (ran, requests) = setup.run(vec![batch(0, 1), batch(2, 1)]).await;
    assert_eq!(counts(ran), [1, 1]);
    assert!(requests <= 2, "{requests}");
    drop(silent);
    setup.stop().await;
}
