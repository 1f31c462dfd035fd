//! Review: which reservations are asked about, and what is done about those that nobody knows.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_harness::{RedisServer, eventually};
use shardcart_harness_shards::{KnownOrders, PATIENCE, Raw, TestShards};
use shardcart_protocol::orders::{Orders, StatusAnswer};
use shardcart_protocol::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step, Topology};
use shardcart_protocol::review;
use shardcart_schema::tag::{Owner, Tag};
use shardcart_schema::{key, reservation_record};
use shardcart_types::ids::{OrderId, TxId, now_ms};

/// How long after its deadline a reservation is looked at in most of these tests.
const SHORTLY: Duration = Duration::from_millis(200);

/// A participant that notes what it is asked, and does nothing.
#[derive(Default)]
struct Noting(RefCell<Vec<Operation>>);

impl Participant for Noting {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        let answers = batch.operations.iter().map(|_| Answer::Unanswered).collect();
        self.0.borrow_mut().extend(batch.operations);
        async move { Ok(answers) }.boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(Topology { founding: 1, shards: 1 }) }.boxed_local()
    }

    fn may_have(&self, _: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        async { Ok(true) }.boxed_local()
    }
}

/// The key of what a stock shard holds.
fn held_key(shard: u16) -> String {
    key::held(Tag::of(Owner::Stock, shard)).to_string()
}

struct Reservation {
    shard: u16,
    tx: TxId,
    order: OrderId,
    deadline_ms: u64,
}

impl Reservation {
    /// A new one, on a shard.
    fn new(shard: u16, deadline_ms: u64) -> Self {
        let (tx, order) = (TxId::mint(shard, now_ms()), OrderId::mint(0, now_ms()));
        Reservation { shard, tx, order, deadline_ms }
    }

    /// What `reserve.lua` keeps for it.
    fn bytes(&self) -> Vec<u8> {
        reservation_record::units(self.deadline_ms, self.order.as_str(), [("{s0ei}:item:a", 2)].into_iter())
    }
}

/// Puts on record what is held, as `reserve.lua` does.
async fn keep(server: &RedisServer, kept: &[(&Reservation, Vec<u8>)]) {
    for kept in kept.chunks(1_000) {
        let mut hset = redis::cmd("HSET");
        hset.arg(held_key(kept[0].0.shard));
        for (reservation, bytes) in kept {
            hset.arg(reservation.tx.as_str()).arg(bytes.as_slice());
        }
        let mut connection = server.connection().await;
        hset.query_async::<usize>(&mut connection).await.expect("a running Redis takes it");
    }
}

/// Puts a reservation on record that was to have ended so long ago.
async fn held(on: &TestShards, shard: u16, ago_ms: u64) -> Reservation {
    let server = &on.servers[usize::from(shard)];
    let deadline_ms = Raw::of(server).await.now_ms().await - ago_ms;
    let reservation = Reservation::new(shard, deadline_ms);
    keep(server, &[(&reservation, reservation.bytes())]).await;
    reservation
}

fn start_review(on: &TestShards, participant: &Rc<Noting>, orders: &Rc<KnownOrders>, after: Duration) {
    let participant: Rc<dyn Participant> = Rc::<Noting>::clone(participant);
    let orders: Rc<dyn Orders> = Rc::<KnownOrders>::clone(orders);
    rt::spawn(review::run(Arc::clone(&on.shards), participant, orders, after));
}

#[actix_web::test]
async fn a_review_asks_about_what_is_held_for_so_long_and_not_sooner() {
    let on = TestShards::start("stock").await;
    let (old, older) = (held(&on, 0, 90_000).await, held(&on, 0, 100_000).await);
    let young = held(&on, 0, 0).await;
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    let times_asked = |held: &Reservation| orders.times_asked_about(&held.order, &held.tx);
    // The first review comes after a second.
    start_review(&on, &participant, &orders, Duration::from_secs(2));

    eventually("the young one is asked about", PATIENCE, async || (times_asked(&young) > 0).then_some(())).await;

    assert!(on.raw.now_ms().await >= young.deadline_ms + 2_000, "it had time yet");
    assert!(times_asked(&old) > 0 && times_asked(&older) > 0);
    assert_eq!(orders.times_asked(), times_asked(&old) + times_asked(&older) + times_asked(&young));
}

#[actix_web::test]
async fn a_review_leaves_out_what_this_release_cannot_read() {
    let on = TestShards::start("stock").await;
    let unexpected = Reservation::new(0, on.raw.now_ms().await - 90_000);
    let whole = unexpected.bytes();
    let newer = [&[2], &whole[1..]].concat();
    for bytes in [newer, whole[..20].to_vec(), b"1 HELD o and more".to_vec(), b"\x01".to_vec(), Vec::new()] {
        keep(&on.servers[0], &[(&Reservation::new(unexpected.shard, unexpected.deadline_ms), bytes)]).await;
    }
    let readable = held(&on, 0, 90_000).await;
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    start_review(&on, &participant, &orders, SHORTLY);
    eventually("the readable one is cancelled twice", PATIENCE, async || {
        (participant.0.borrow().len() >= 2).then_some(())
    })
    .await;
    assert!(participant.0.borrow().iter().all(|operation| operation.tx == readable.tx));
    assert_eq!(orders.times_asked(), orders.times_asked_about(&readable.order, &readable.tx));
}

#[actix_web::test]
async fn a_review_cancels_on_the_shard_and_with_the_deadline_of_each_reservation() {
    let on = TestShards::start_many("stock", 2).await;
    let mut orphans = Vec::new();
    for number in 0..16 {
        orphans.push(held(&on, number % 2, 30_000 + u64::from(number)).await);
    }
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    start_review(&on, &participant, &orders, SHORTLY);

    eventually("all are cancelled", PATIENCE, async || (participant.0.borrow().len() >= 16).then_some(())).await;

    let operations = participant.0.borrow();
    for orphan in &orphans {
        // What a shard holds is listed in no order.
        let operation = operations[..16].iter().find(|operation| operation.tx == orphan.tx).expect("it is cancelled");
        assert!(matches!(operation.step, Step::Cancel));
        assert_eq!(operation.deadline_ms, orphan.deadline_ms);
        assert!(orders.times_asked_about(&orphan.order, &orphan.tx) >= 1);
    }
}

#[actix_web::test]
async fn a_review_that_gets_no_answer_cancels_nothing() {
    let on = TestShards::start("stock").await;
    let unanswered = held(&on, 0, 30_000).await;
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    orders.say(&unanswered.order, StatusAnswer::Unanswered);
    start_review(&on, &participant, &orders, SHORTLY);
    eventually("it is asked twice", PATIENCE, async || (orders.times_asked() >= 2).then_some(())).await;
    orders.fall_silent();
    let asked = orders.times_asked();
    eventually("it is asked again", PATIENCE, async || (orders.times_asked() >= asked + 2).then_some(())).await;
    assert!(participant.0.borrow().is_empty());
}

#[actix_web::test]
async fn a_review_asks_nobody_where_nothing_is_held_for_too_long() {
    let on = TestShards::start_many("stock", 2).await;
    // In the future: it has time yet.
    let young = Reservation::new(0, 99_999_999_999_999);
    keep(&on.servers[0], &[(&young, young.bytes())]).await;
    let late = held(&on, 1, 30_000).await;
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    start_review(&on, &participant, &orders, SHORTLY);
    eventually("the late one is asked about", PATIENCE, async || {
        (orders.times_asked_about(&late.order, &late.tx) >= 2).then_some(())
    })
    .await;
    let about_others = orders.times_asked() - orders.times_asked_about(&late.order, &late.tx);
    assert_eq!(about_others, 0);
}

#[actix_web::test]
async fn a_review_of_more_than_fit_into_one_question_or_one_review_comes_to_all_of_them() {
    let on = TestShards::start("stock").await;
    let deadline_ms = on.raw.now_ms().await - 30_000;
    let orphans: Vec<_> = (0..10_000).map(|_| Reservation::new(0, deadline_ms)).collect();
    let kept: Vec<_> = orphans.iter().map(|orphan| (orphan, orphan.bytes())).collect();
    keep(&on.servers[0], &kept).await;
    // A participant that forgets what it cancelled, as stock and payment do.
    struct Forgetting(Raw);
    impl Participant for Forgetting {
        fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
            async move {
                let held = held_key(batch.shard);
                let txs = batch.operations.iter().map(|operation| operation.tx.as_str());
                let command: Vec<&str> = ["HDEL", &held].into_iter().chain(txs).collect();
                self.0.tell(&command).await;
                Ok(vec![Answer::Cancelled; batch.operations.len()])
            }
            .boxed_local()
        }

        fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
            async { Ok(Topology { founding: 1, shards: 1 }) }.boxed_local()
        }

        fn may_have(&self, _: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
            async { Ok(true) }.boxed_local()
        }
    }
    let participant: Rc<dyn Participant> = Rc::new(Forgetting(on.raw.clone()));
    let orders: Rc<dyn Orders> = Rc::new(KnownOrders::default());
    rt::spawn(review::run(Arc::clone(&on.shards), participant, orders, SHORTLY));
    let left = async || on.raw.ask::<u64>(&["HLEN", &held_key(0)]).await;
    eventually("all are cancelled", PATIENCE, async || (left().await == 0).then_some(())).await;
}
