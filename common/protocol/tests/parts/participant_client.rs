//! Batches: what concurrent checkouts want of one shard goes together; a lone operation waits for nobody.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use actix_web::rt;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use shardcart_harness::eventually;
use shardcart_harness_shards::PATIENCE;
use shardcart_protocol::batch_pacer::Stage;
use shardcart_protocol::participant::{Answer, Batch, Operation, Participant, ParticipantError, Step, Topology};
use shardcart_protocol::participant_client::ParticipantClient;
use shardcart_schema::limit::REQUEST_MAX;
use shardcart_types::ids::{TxId, minted_shard, now_ms};
use shardcart_types::routing;
use shardcart_types::service::Service;
use tokio::sync::Semaphore;

/// What a participant does with a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Willing,
    Silent,
    /// One answer too few.
    Sloppy,
    /// It was founded with this many shards.
    Founded(u16),
}

/// A participant that notes its batches, and answers one for each permit.
struct Gated {
    batches: RefCell<Vec<Batch>>,
    permits: Semaphore,
    mood: Cell<Mood>,
    asked_for_topology: Cell<usize>,
}

impl Gated {
    /// One that answers at once.
    fn open() -> Rc<Self> {
        Gated::with_permits(Semaphore::MAX_PERMITS)
    }

    /// One that answers when it is let.
    fn closed() -> Rc<Self> {
        Gated::with_permits(0)
    }

    fn with_permits(permits: usize) -> Rc<Self> {
        Rc::new(Gated {
            batches: RefCell::default(),
            permits: Semaphore::new(permits),
            mood: Cell::new(Mood::Willing),
            asked_for_topology: Cell::new(0),
        })
    }

    /// The txs of each batch so far.
    fn batches(&self) -> Vec<Vec<TxId>> {
        let txs = |batch: &Batch| batch.operations.iter().map(|operation| operation.tx.clone()).collect();
        self.batches.borrow().iter().map(txs).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        self.batches().iter().map(Vec::len).collect()
    }

    async fn until_batches(&self, count: usize) {
        eventually(format!("{count} batches"), PATIENCE, async || (self.sizes().len() >= count).then_some(())).await;
    }
}

impl Participant for Gated {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        async move {
            // A reserve is held, a confirm confirmed: each is answered as itself.
            let answer = |operation: &Operation| match operation.step {
                Step::Confirm => Answer::Confirmed,
                _ => Answer::Cancelled,
            };
            let mut answers: Vec<Answer> = batch.operations.iter().map(answer).collect();
            self.batches.borrow_mut().push(batch);
            self.permits.acquire().await.expect("it is never closed").forget();
            match self.mood.get() {
                Mood::Willing => {}
                Mood::Sloppy => _ = answers.pop(),
                Mood::Silent => {
                    let cause = "nobody is there".to_owned();
                    return Err(ParticipantError::Unanswered { service: Service::Stock, cause });
                }
                Mood::Founded(founding) => {
                    let topology = Topology { founding, shards: founding };
                    return Err(ParticipantError::Misrouted { service: Service::Stock, topology });
                }
            }
            Ok(answers)
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async {
            self.asked_for_topology.set(self.asked_for_topology.get() + 1);
            match self.mood.get() {
                Mood::Silent => Err(ParticipantError::Unanswered { service: Service::Stock, cause: String::new() }),
                _ => Ok(Topology { founding: 2, shards: 2 }),
            }
        }
        .boxed_local()
    }

    fn may_have(&self, _: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>> {
        async { Ok(true) }.boxed_local()
    }
}

fn client(participant: &Rc<Gated>) -> Rc<ParticipantClient> {
    ParticipantClient::new(Service::Stock, Rc::<Gated>::clone(participant), &Rc::default())
}

/// An operation for a shard.
fn operation(shard: u16, step: Step) -> Operation {
    Operation { tx: TxId::mint(shard, now_ms()), deadline_ms: 1, trace: None, step }
}

/// The shard that it is for: its tx was minted there.
fn shard_of(operation: &Operation) -> u16 {
    minted_shard(operation.tx.as_str()).expect("a minted id")
}

fn cancels(shard: u16, count: usize) -> Vec<Operation> {
    (0..count).map(|_| operation(shard, Step::Cancel)).collect()
}

fn txs(operations: &[Operation]) -> Vec<TxId> {
    operations.iter().map(|operation| operation.tx.clone()).collect()
}

/// Submits each in a task of its own, and waits until all of them are on their way.
async fn submit_all(client: &Rc<ParticipantClient>, operations: &[Operation]) -> Vec<rt::task::JoinHandle<Answer>> {
    let submit = |operation: &Operation| {
        let (client, operation) = (Rc::clone(client), operation.clone());
        rt::spawn(async move { client.submit(shard_of(&operation), operation).await })
    };
    let tasks = operations.iter().map(submit).collect();
    // Tasks of one thread run in turn: when this one runs again, those have run.
    rt::task::yield_now().await;
    tasks
}

async fn answers(tasks: Vec<rt::task::JoinHandle<Answer>>) -> Vec<Answer> {
    let answers = tokio::time::timeout(PATIENCE, join_all(tasks)).await.expect("everyone is answered");
    answers.into_iter().map(|answer| answer.expect("no task panics")).collect()
}

#[actix_web::test]
async fn a_lone_operation_goes_at_once() {
    let participant = Gated::open();
    let client = client(&participant);
    for number in 1..=5 {
        assert_eq!(client.submit(0, operation(0, Step::Confirm)).await, Answer::Confirmed);
        assert_eq!(participant.sizes(), vec![1; number]);
    }
}

#[actix_web::test]
async fn operations_submitted_at_once_share_a_batch_and_get_their_own_answers() {
    let participant = Gated::open();
    let client = client(&participant);
    let operations: Vec<Operation> =
        (0..20).map(|number| operation(0, if number % 3 == 0 { Step::Confirm } else { Step::Cancel })).collect();

    let answered =
        join_all(operations.iter().map(|operation| client.submit(shard_of(operation), operation.clone()))).await;

    for (number, answer) in answered.into_iter().enumerate() {
        let expected = if number % 3 == 0 { Answer::Confirmed } else { Answer::Cancelled };
        assert_eq!(answer, expected, "operation {number}");
    }
    assert_eq!(participant.batches(), [txs(&operations)], "one batch, in their order");
}

#[actix_web::test]
async fn operations_that_come_while_a_batch_is_under_way_go_together_into_the_next() {
    let participant = Gated::closed();
    let client = client(&participant);
    let first = cancels(0, 1);
    let under_way = submit_all(&client, &first).await;
    participant.until_batches(1).await;
    let others = cancels(0, 10);
    let waiting = submit_all(&client, &others).await;

    participant.permits.add_permits(1);
    assert_eq!(answers(under_way).await, [Answer::Cancelled]);
    participant.until_batches(2).await;
    participant.permits.add_permits(1);

    assert_eq!(answers(waiting).await, vec![Answer::Cancelled; 10]);
    assert_eq!(participant.batches(), [txs(&first), txs(&others)]);
}

#[actix_web::test]
async fn operations_for_other_shards_do_not_wait() {
    let participant = Gated::closed();
    let client = client(&participant);
    let mut tasks = submit_all(&client, &cancels(0, 3)).await;
    tasks.extend(submit_all(&client, &cancels(1, 3)).await);
    participant.until_batches(2).await;

    let shards: Vec<u16> = participant.batches.borrow().iter().map(|batch| batch.shard).collect();
    assert_eq!(shards, [0, 1]);
    participant.permits.add_permits(2);
    assert_eq!(answers(tasks).await, vec![Answer::Cancelled; 6]);
}

#[actix_web::test]
async fn operations_wait_for_those_who_are_one_stage_behind_and_go_together_with_them() {
    let participant = Gated::open();
    let pacer = Rc::default();
    let client = ParticipantClient::new(Service::Stock, Rc::<Gated>::clone(&participant), &pacer);
    // The order's shards have begun some, and owe an answer about others.
    let behind = pacer.begin_batch(Stage::Begin);
    let first = cancels(0, 2);
    let waiting = submit_all(&client, &first).await;
    let second = cancels(0, 3);
    let come = submit_all(&client, &second).await;
    assert!(participant.batches().is_empty(), "nobody was waited for");
    drop(behind);
    assert_eq!(answers(waiting).await, vec![Answer::Cancelled; 2]);
    assert_eq!(answers(come).await, vec![Answer::Cancelled; 3]);
    assert_eq!(participant.batches(), [[txs(&first), txs(&second)].concat()]);
}

#[actix_web::test]
async fn a_batch_has_no_more_operations_than_are_allowed() {
    let participant = Gated::open();
    let client = client(&participant);
    let operations = cancels(0, 2 * REQUEST_MAX + 5);
    let answered =
        join_all(operations.iter().map(|operation| client.submit(shard_of(operation), operation.clone()))).await;
    assert_eq!(answered.len(), operations.len());
    assert_eq!(participant.sizes(), [REQUEST_MAX, REQUEST_MAX, 5]);
    assert_eq!(participant.batches().concat(), txs(&operations));
}

#[actix_web::test]
async fn an_unanswered_batch_answers_everyone_and_the_next_sets_out() {
    let participant = Gated::open();
    let client = client(&participant);
    // It has told before how its keys are spread.
    client.submit(0, operation(0, Step::Cancel)).await;
    for mood in [Mood::Silent, Mood::Sloppy, Mood::Founded(2)] {
        participant.mood.set(mood);
        let answered =
            join_all(cancels(0, 10).into_iter().map(|operation| client.submit(shard_of(&operation), operation))).await;
        assert_eq!(answered, vec![Answer::Unanswered; 10]);

        participant.mood.set(Mood::Willing);
        assert_eq!(client.submit(0, operation(0, Step::Cancel)).await, Answer::Cancelled);
    }
}

#[actix_web::test]
async fn an_unanswered_batch_does_not_answer_those_who_wait_behind_it() {
    let participant = Gated::closed();
    let client = client(&participant);
    let first = submit_all(&client, &cancels(0, 2)).await;
    participant.until_batches(1).await;
    let second = submit_all(&client, &cancels(0, 3)).await;
    participant.mood.set(Mood::Silent);
    participant.permits.add_permits(1);
    assert_eq!(answers(first).await, vec![Answer::Unanswered; 2]);
    participant.until_batches(2).await;
    participant.mood.set(Mood::Willing);
    participant.permits.add_permits(1);
    assert_eq!(answers(second).await, vec![Answer::Cancelled; 3]);
}

#[actix_web::test]
async fn a_participant_that_never_told_its_topology_leaves_everyone_unanswered_and_is_asked_again() {
    let participant = Gated::open();
    let client = client(&participant);
    participant.mood.set(Mood::Silent);
    assert!(client.router().await.is_err());
    let answered =
        join_all(cancels(0, 5).into_iter().map(|operation| client.submit(shard_of(&operation), operation))).await;
    assert_eq!(answered, vec![Answer::Unanswered; 5]);
    assert!(participant.sizes().is_empty(), "nothing was sent that might be misrouted");

    participant.mood.set(Mood::Willing);
    assert_eq!(client.submit(0, operation(0, Step::Cancel)).await, Answer::Cancelled);
    let asked = participant.asked_for_topology.get();
    for _ in 0..5 {
        client.submit(0, operation(0, Step::Cancel)).await;
        let route = client.router().await.unwrap();
        assert_eq!(route("some_item"), routing::shard("some_item", 2));
    }
    assert_eq!(participant.asked_for_topology.get(), asked, "once is enough");
}

#[actix_web::test]
async fn a_misrouted_batch_is_unanswered_and_teaches_the_right_topology() {
    let participant = Gated::open();
    let client = client(&participant);
    participant.mood.set(Mood::Founded(5));
    assert_eq!(client.submit(0, operation(0, Step::Cancel)).await, Answer::Unanswered);
    participant.mood.set(Mood::Willing);

    assert_eq!(client.submit(0, operation(0, Step::Cancel)).await, Answer::Cancelled);

    let founding: Vec<u16> = participant.batches.borrow().iter().map(|batch| batch.founding).collect();
    assert_eq!(founding, [2, 5]);
    let route = client.router().await.unwrap();
    for id in 0..100 {
        assert_eq!(route(&id.to_string()), routing::shard(&id.to_string(), 5));
    }
}

#[actix_web::test]
async fn a_slow_batch_does_not_hold_up_others_for_ever() {
    let participant = Gated::closed();
    let client = client(&participant);
    // Nothing is ever answered: still, others set out beside the first, up to a bound.
    let mut tasks = submit_all(&client, &cancels(0, 1)).await;
    eventually("four batches are under way", PATIENCE, async || {
        tasks.extend(submit_all(&client, &cancels(0, 1)).await);
        (participant.sizes().len() >= 4).then_some(())
    })
    .await;
    tasks.extend(submit_all(&client, &cancels(0, 50)).await);

    // Each of the four takes what waits when it is done.
    participant.permits.add_permits(Semaphore::MAX_PERMITS / 2);
    let count = tasks.len();
    assert_eq!(answers(tasks).await, vec![Answer::Cancelled; count]);
    let mut seen = participant.batches().concat();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "each was sent once");
}

#[actix_web::test]
async fn an_operation_whose_caller_has_gone_is_not_sent_any_more() {
    let participant = Gated::closed();
    let client = client(&participant);
    let first = submit_all(&client, &cancels(0, 1)).await;
    participant.until_batches(1).await;
    let (gone, kept) = (cancels(0, 3), cancels(0, 2));
    let gone_tasks = submit_all(&client, &gone).await;
    let kept_tasks = submit_all(&client, &kept).await;
    for task in &gone_tasks {
        task.abort();
    }
    assert!(join_all(gone_tasks).await.iter().all(Result::is_err));

    participant.permits.add_permits(2);
    answers(first).await;
    assert_eq!(answers(kept_tasks).await, vec![Answer::Cancelled; 2]);

    assert_eq!(participant.batches()[1..], [txs(&kept)]);
}

#[actix_web::test]
async fn operations_for_settling_go_outside_the_queue() {
    let participant = Gated::closed();
    let client = client(&participant);
    let queued = submit_all(&client, &cancels(0, 1)).await;
    participant.until_batches(1).await;
    let operations = cancels(0, 7);
    let settled = {
        let (client, operations) = (Rc::clone(&client), operations.clone());
        rt::spawn(async move { client.run(0, operations).await })
    };
    participant.until_batches(2).await;
    participant.permits.add_permits(2);
    assert_eq!(settled.await.unwrap(), vec![Answer::Cancelled; 7]);
    assert_eq!(participant.batches()[1], txs(&operations));
    answers(queued).await;

    participant.mood.set(Mood::Silent);
    participant.permits.add_permits(1);
    assert_eq!(client.run(0, cancels(0, 7)).await, vec![Answer::Unanswered; 7]);
}
