//! Batches: many operations for one shard, each with its own answer.

use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Step, Topology,
};
use shardcart_types::ids::{ItemId, UserId, now_ms};

use crate::support::TestPayment;

#[actix_web::test]
async fn batch_answers_each_operation_in_order() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let [held, refused, cancelled, lost] = [
        payment.attempt(&user).await,
        payment.attempt(&user).await,
        payment.attempt(&user).await,
        payment.attempt(&user).await,
    ];
    let answers = payment.run_all(vec![
        held.reserve(4),
        refused.reserve(11),
        cancelled.cancel(),
        lost.confirm(),
        held.reserve(4),
    ]);
    assert_eq!(
        answers.await.unwrap(),
        [Answer::Held, Answer::Refused(Refusal::InsufficientCredit), Answer::Cancelled, Answer::Lost, Answer::Held,]
    );
    assert_eq!(payment.credit_and_held(&user).await, [6, 4]);
}

#[actix_web::test]
async fn batch_of_a_sender_that_routes_by_another_data_set_does_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    let before = payment.raw.everything().await;

    let misrouted = payment.participant.run(Batch {
        founding: 2,
        shard: 0,
        operations: vec![attempt.reserve(4), attempt.cancel()],
    });

    let topology = Topology { founding: 1, shards: 1 };
    match misrouted.await {
        Err(ParticipantError::Misrouted { topology: told, .. }) => assert_eq!(told, topology),
        other => panic!("{other:?}"),
    }
    assert_eq!(payment.participant.topology().await.unwrap(), topology);
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn batch_with_an_operation_for_someone_else_does_nothing_at_all() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    let mut stranger = attempt.clone();
    stranger.user = UserId::mint(1, now_ms());
    let stock = Operation {
        step: Step::ReserveStock { order: attempt.order.clone(), lines: vec![(ItemId::mint(0, now_ms()), 1)] },
        ..attempt.confirm()
    };
    let before = payment.raw.everything().await;

    for stray in [stock, stranger.reserve(4)] {
        let told = format!("{stray:?}");
        let answers = payment.run_all(vec![attempt.reserve(4), stray]).await;
        assert!(matches!(answers, Err(ParticipantError::Unanswered { .. })), "{told}: {answers:?}");
        assert_eq!(payment.raw.everything().await, before, "{told}");
    }
}
