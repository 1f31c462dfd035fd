//! Scripts that Redis has forgotten: nothing is lost, and nothing done twice.

use shardcart_payment::users;
use shardcart_protocol::participant::Answer;

use crate::support::{TestPayment, amount, new_order};

#[actix_web::test]
async fn every_single_call_after_a_flush_is_done_once() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(10).await, new_order());

    payment.raw.forget_scripts().await;
    payment.add_funds(&user, 5).await.unwrap();
    payment.raw.forget_scripts().await;
    users::pay(&payment.shards, &user, amount(1), None).await.unwrap();
    assert_eq!(payment.purse(&user).await.net, 14);

    payment.raw.forget_scripts().await;
    payment.pay(&user, &order, 4).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 10);
    payment.raw.forget_scripts().await;
    assert!(payment.has_paid(&user, &order).await.unwrap());
    payment.raw.forget_scripts().await;
    payment.cancel_payment(&user, &order).await.unwrap();
    assert_eq!(payment.purse(&user).await.credit, 14);

    payment.raw.forget_scripts().await;
    users::create(&payment.shards, None).await.unwrap();
    assert_eq!(payment.raw.everything().await.len(), 3, "two users and a payment");
    payment.raw.forget_scripts().await;
    payment.load(3, 7).await;
    assert_eq!(payment.raw.everything().await.len(), 6);
}

#[actix_web::test]
async fn a_batch_after_a_flush_loses_and_doubles_nothing() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(1000).await;
    let mut attempts = Vec::new();
    for _ in 0..60 {
        attempts.push(payment.attempt(&user).await);
    }
    let (confirmed, cancelled) = attempts.split_at(30);

    payment.raw.forget_scripts().await;
    let reserves = attempts.iter().map(|attempt| attempt.reserve(3));
    assert_eq!(payment.run_all(reserves.collect()).await.unwrap(), vec![Answer::Held; 60]);
    assert_eq!(payment.credit_and_held(&user).await, [820, 180]);
    assert_eq!(payment.held().await.len(), 60);

    // Two scripts, in turn.
    payment.raw.forget_scripts().await;
    let settles =
        confirmed.iter().zip(cancelled).flat_map(|(charged, given_back)| [charged.confirm(), given_back.cancel()]);
    let answers = payment.run_all(settles.collect()).await.unwrap();
    for pair in answers.chunks(2) {
        assert_eq!(pair, [Answer::Confirmed, Answer::Cancelled]);
    }
    assert_eq!(payment.credit_and_held(&user).await, [910, 0]);
    assert_eq!(payment.purse(&user).await.charged(), 90);
    assert!(payment.held().await.is_empty());
}
