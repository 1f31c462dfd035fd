//! Credit: what a user can spend now.

use shardcart_payment::error::PaymentError;
use shardcart_payment::users;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{UserId, now_ms};

use crate::support::{TestPayment, user};

#[actix_web::test]
async fn credit_is_what_can_be_spent_now() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    let attempt = payment.attempt(&user).await;
    payment.reserve(&attempt, 4).await;
    assert_eq!(users::credit(&payment.shards, &user).await.unwrap(), 6);
}

#[actix_web::test]
async fn credit_of_an_unknown_user_is_unknown_and_leaves_nothing() {
    let payment = TestPayment::start().await;
    for id in [UserId::mint(0, now_ms()), user("0"), user("A.b-c_9")] {
        let credit = users::credit(&payment.shards, &id).await;
        assert!(matches!(credit, Err(PaymentError::UnknownUser(_))), "{credit:?}");
    }
    assert!(payment.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn credit_of_a_user_of_a_later_release_gives_no_answer() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(10).await;
    payment.raw.make_newer(&payment.key(&user)).await;
    let credit = users::credit(&payment.shards, &user).await;
    assert!(matches!(credit, Err(PaymentError::Newer(_))), "{credit:?}");
}

#[actix_web::test]
async fn credit_of_an_id_on_a_shard_that_nobody_has_is_unknown() {
    let payment = TestPayment::start().await;
    let far = UserId::mint(1, now_ms());
    let credit = users::credit(&payment.shards, &far).await;
    assert!(matches!(credit, Err(PaymentError::UnknownUser(_))), "{credit:?}");
}

#[actix_web::test]
async fn credit_of_an_id_beyond_the_address_list_is_not_taken_for_unknown() {
    let payment = TestPayment::start().await;
    let far = UserId::mint(1, now_ms());
    payment.raw.tell(&["HSET", &format!("{{{}}}:identity", payment.tag()), "members", "2"]).await;
    let credit = users::credit(&payment.shards, &far).await;
    assert!(matches!(credit, Err(PaymentError::Shard(ShardError::BeyondList { shard: 1 }))), "{credit:?}");
}
