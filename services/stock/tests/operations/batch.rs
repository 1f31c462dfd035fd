//! Batches: many operations for one shard, each with its own answer.

use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Step, Topology,
};
use shardcart_types::ids::{ItemId, OrderId, UserId, now_ms};

use crate::support::TestStock;

#[actix_web::test]
async fn batch_answers_each_operation_in_order() {
    let stock = TestStock::start().await;
    let [a, b] = stock.items_with([5, 1]).await;
    let [held, refused, cancelled, lost] =
        [stock.attempt(&a).await, stock.attempt(&b).await, stock.attempt(&a).await, stock.attempt(&b).await];

    let answers = stock.run_all(vec![
        held.reserve(&[(&a, 2)]),
        refused.reserve(&[(&b, 2)]),
        cancelled.cancel(),
        lost.confirm(),
        held.reserve(&[(&a, 2)]),
    ]);

    assert_eq!(
        answers.await.unwrap(),
        [
            Answer::Held,
            Answer::Refused(Refusal::InsufficientStock(b.clone())),
            Answer::Cancelled,
            Answer::Lost,
            Answer::Held,
        ]
    );
    assert_eq!(stock.stock_and_held(&a).await, [3, 2]);
}

#[actix_web::test]
async fn batch_without_operations_is_answered() {
    let stock = TestStock::start().await;
    assert_eq!(stock.run_all(Vec::new()).await.unwrap(), []);
}

#[actix_web::test]
async fn batch_of_a_sender_that_routes_by_another_data_set_does_nothing() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    let before = stock.raw.everything().await;

    let misrouted = stock.participant.run(Batch {
        founding: 2,
        shard: 0,
        operations: vec![attempt.reserve(&[(&item, 1)]), attempt.cancel()],
    });

    let topology = Topology { founding: 1, shards: 1 };
    match misrouted.await {
        Err(ParticipantError::Misrouted { topology: told, .. }) => assert_eq!(told, topology),
        other => panic!("{other:?}"),
    }
    assert_eq!(stock.participant.topology().await.unwrap(), topology);
    assert_eq!(stock.raw.everything().await, before);
}

#[actix_web::test]
async fn batch_with_an_operation_for_someone_else_does_nothing_at_all() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    let far = 1;
    let far_item = ItemId::mint(far, now_ms());
    let credit = Operation {
        step: Step::ReserveCredit {
            order: OrderId::mint(far, now_ms()),
            incarnation: String::new(),
            user: UserId::mint(0, now_ms()),
            amount: 1,
        },
        ..attempt.confirm()
    };
    let before = stock.raw.everything().await;

    for stray in [credit, attempt.reserve(&[(&item, 1), (&far_item, 1)])] {
        let told = format!("{stray:?}");
        let answers = stock.run_all(vec![attempt.reserve(&[(&item, 1)]), stray]).await;
        assert!(matches!(answers, Err(ParticipantError::Unanswered { .. })), "{told}: {answers:?}");
        assert_eq!(stock.raw.everything().await, before, "{told}");
    }
}

#[actix_web::test]
async fn batch_for_a_shard_beyond_the_list_is_unanswered() {
    let stock = TestStock::start().await;
    let answers = stock.participant.run(Batch { founding: 1, shard: 1, operations: Vec::new() });
    assert!(matches!(answers.await, Err(ParticipantError::Unanswered { .. })));
}

#[actix_web::test]
async fn batch_to_a_server_that_is_gone_is_unanswered() {
    let mut stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.kill_server();

    let answers = stock.run_all(vec![attempt.reserve(&[(&item, 1)])]).await;

    assert!(matches!(answers, Err(ParticipantError::Unanswered { .. })), "{answers:?}");
}

#[actix_web::test]
async fn batch_whose_answer_was_lost_is_done_once_when_it_is_sent_again() {
    let mut stock = TestStock::start().await;
    let item = stock.item_with(50).await;
    let mut attempts = Vec::new();
    for _ in 0..20 {
        attempts.push(stock.attempt(&item).await);
    }
    let reserves = || attempts.iter().map(|attempt| attempt.reserve(&[(&item, 2)])).collect();
    // The first half arrived before the server died.
    stock.run_all(attempts[..10].iter().map(|attempt| attempt.reserve(&[(&item, 2)])).collect()).await.unwrap();
    stock.kill_server();
    assert!(stock.run_all(reserves()).await.is_err());
    stock.restart_server().await;

    let answers = stock.run_all(reserves()).await.unwrap();

    assert_eq!(answers, vec![Answer::Held; 20]);
    assert_eq!(stock.stock_and_held(&item).await, [10, 40]);
    assert_eq!(stock.held().await.len(), 20);
}
