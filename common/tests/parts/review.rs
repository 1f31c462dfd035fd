//! Review: which reservations are asked about, and what is done about those that nobody knows.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::ids::{OrderId, Partition, TxId, now_ms};
use shardcart_common::orders::{Orders, Standing};
use shardcart_common::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step, Topology};
use shardcart_common::review;
use shardcart_test::eventually;

use crate::support::{KnownOrders, PATIENCE, Raw, TestShards};

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
}

struct Reservation {
    at: Partition,
    tx: TxId,
    order: OrderId,
    deadline_ms: u64,
}

/// Puts a reservation on record, as `reserve.lua` does, with a deadline so long ago.
async fn held(raw: &Raw, at: Partition, ago_ms: u64) -> Reservation {
    let (tx, order) = (TxId::mint(at, now_ms()), OrderId::mint(Partition(5), now_ms()));
    let deadline_ms = raw.now_ms().await - ago_ms;
    let (record, held) = (at.key("tx", tx.as_str()), at.own_key("held"));
    raw.tell(&["SET", &record, &format!("1 HELD {order} and what is held")]).await;
    raw.tell(&["ZADD", &held, &deadline_ms.to_string(), tx.as_str()]).await;
    Reservation { at, tx, order, deadline_ms }
}

fn start_review(on: &TestShards, participant: &Rc<Noting>, orders: &Rc<KnownOrders>) {
    let participant: Rc<dyn Participant> = Rc::<Noting>::clone(participant);
    let orders: Rc<dyn Orders> = Rc::<KnownOrders>::clone(orders);
    rt::spawn(review::run(Arc::clone(&on.shards), participant, orders, Duration::from_millis(200)));
}

/// What the script lists of partition 3, of what is held for so long after its deadline.
async fn list(raw: &Raw, after_ms: u64, most: usize) -> Vec<String> {
    let script = include_str!("../../src/scripts/held.lua");
    let (after, most) = (after_ms.to_string(), most.to_string());
    raw.ask(&["EVAL", script, "1", "{3}:held", &after, &most, "{3}:tx:"]).await
}

#[actix_web::test]
async fn the_list_has_what_is_held_for_so_long_with_its_deadline_and_order() {
    let on = TestShards::start("stock").await;
    let at = Partition(3);
    let old = held(&on.raw, at, 90_000).await;
    let older = held(&on.raw, at, 100_000).await;
    held(&on.raw, at, 20_000).await;
    held(&on.raw, Partition(4), 100_000).await;

    let listed = list(&on.raw, 60_000, 32).await;

    let entry = |held: &Reservation| [held.tx.to_string(), held.deadline_ms.to_string(), held.order.to_string()];
    assert_eq!(listed, [entry(&older), entry(&old)].concat(), "the oldest first");
    assert_eq!(list(&on.raw, 60_000, 1).await, entry(&older));
    assert!(list(&on.raw, 200_000, 32).await.is_empty());
}

#[actix_web::test]
async fn the_list_leaves_out_what_this_release_cannot_read() {
    let on = TestShards::start("stock").await;
    let at = Partition(3);
    for record in ["2 HELD o and more", "1 CANCELLED", "later", ""] {
        let reservation = held(&on.raw, at, 90_000).await;
        on.raw.tell(&["SET", &at.key("tx", reservation.tx.as_str()), record]).await;
    }
    let gone = held(&on.raw, at, 90_000).await;
    on.raw.tell(&["DEL", &at.key("tx", gone.tx.as_str())]).await;
    assert!(list(&on.raw, 60_000, 32).await.is_empty());
}

#[actix_web::test]
async fn a_review_cancels_with_the_partition_and_the_deadline_of_each_reservation() {
    let on = TestShards::start("stock").await;
    let mut orphans = Vec::new();
    for at in Partition::of_shard(0) {
        orphans.push(held(&on.raw, at, 30_000 + u64::from(at.0)).await);
    }
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    start_review(&on, &participant, &orders);

    eventually("all are cancelled", PATIENCE, async || (participant.0.borrow().len() >= 16).then_some(())).await;

    let operations = participant.0.borrow();
    for (orphan, operation) in orphans.iter().zip(operations.iter()) {
        assert!(matches!(operation.step, Step::Cancel));
        assert_eq!((operation.at, operation.deadline_ms), (orphan.at, orphan.deadline_ms));
        assert_eq!(operation.tx, orphan.tx);
        assert!(orders.times_asked_about(&orphan.order, &orphan.tx) >= 1);
    }
}

#[actix_web::test]
async fn a_review_that_gets_no_answer_cancels_nothing() {
    let on = TestShards::start("stock").await;
    let unanswered = held(&on.raw, Partition(1), 30_000).await;
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    orders.say(&unanswered.order, Standing::Unanswered);
    start_review(&on, &participant, &orders);
    eventually("it is asked twice", PATIENCE, async || (orders.times_asked() >= 2).then_some(())).await;
    orders.fall_silent();
    let asked = orders.times_asked();
    eventually("it is asked again", PATIENCE, async || (orders.times_asked() >= asked + 2).then_some(())).await;
    assert!(participant.0.borrow().is_empty());
}

#[actix_web::test]
async fn a_review_asks_nobody_where_nothing_is_held_for_too_long() {
    let on = TestShards::start_many("stock", 2).await;
    held(&on.raw, Partition(1), 0).await;
    let late = held(&Raw::of(&on.servers[1]).await, Partition(17), 30_000).await;
    let young = on.raw.moments("{1}:held").await;
    // In the future: it has time yet.
    for tx in young.keys() {
        on.raw.tell(&["ZADD", "{1}:held", "XX", "99999999999999", tx]).await;
    }
    let (participant, orders) = (Rc::new(Noting::default()), Rc::new(KnownOrders::default()));
    start_review(&on, &participant, &orders);
    eventually("the late one is asked about", PATIENCE, async || {
        (orders.times_asked_about(&late.order, &late.tx) >= 2).then_some(())
    })
    .await;
    let about_others = orders.times_asked() - orders.times_asked_about(&late.order, &late.tx);
    assert_eq!(about_others, 0);
}

#[actix_web::test]
async fn a_review_of_more_than_fit_into_one_question_comes_to_all_of_them() {
    let on = TestShards::start("stock").await;
    let mut orphans = Vec::new();
    for _ in 0..100 {
        orphans.push(held(&on.raw, Partition(3), 30_000).await);
    }
    // A participant that forgets what it cancelled, as stock and payment do.
    struct Forgetting(Raw);
    impl Participant for Forgetting {
        fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
            async move {
                for operation in &batch.operations {
                    self.0.tell(&["ZREM", &operation.at.own_key("held"), operation.tx.as_str()]).await;
                }
                Ok(vec![Answer::Cancelled; batch.operations.len()])
            }
            .boxed_local()
        }

        fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
            async { Ok(Topology { founding: 1, shards: 1 }) }.boxed_local()
        }
    }
    let participant: Rc<dyn Participant> = Rc::new(Forgetting(on.raw.clone()));
    let orders: Rc<dyn Orders> = Rc::new(KnownOrders::default());
    rt::spawn(review::run(Arc::clone(&on.shards), participant, orders, Duration::from_millis(200)));
    eventually("all are cancelled", PATIENCE, async || on.raw.moments("{3}:held").await.is_empty().then_some(())).await;
}
