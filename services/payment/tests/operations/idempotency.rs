//! Operations with an idempotency key: done once, however often they are asked for.

use futures_util::future::join_all;
use shardcart_payment::error::{PaymentError, Result};
use shardcart_payment::payments;
use shardcart_payment::users;
use shardcart_schema::limit::IDEMPOTENCY_COUNTED_MS;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{OrderId, UserId, minted_shard};

use crate::support::{Purse, TestPayment, amount, new_order, order, user};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text.as_bytes()).expect("a well-formed key")
}

async fn add_funds(payment: &TestPayment, user: &UserId, sum: u64, name: &str) -> Result<Done> {
    users::add_funds(&payment.shards, user, amount(sum), Some(&key(name))).await
}

async fn pay(payment: &TestPayment, user: &UserId, sum: u64, name: &str) -> Result<Done> {
    users::pay(&payment.shards, user, amount(sum), Some(&key(name))).await
}

async fn pay_order(payment: &TestPayment, user: &UserId, order: &OrderId, sum: u64, name: &str) -> Result<Done> {
    payments::pay_order(&payment.shards, payment.incarnations(), user, order, amount(sum), Some(&key(name))).await
}

async fn cancel(payment: &TestPayment, user: &UserId, order: &OrderId, name: &str) -> Result<Done> {
    payments::cancel_payment(&payment.shards, payment.incarnations(), user, order, Some(&key(name))).await
}

/// Where what was done to a user for a key is kept.
fn record_of(payment: &TestPayment, user: &UserId, name: &str) -> String {
    key(name).change(payment.first(), user.as_str(), "").record().to_owned()
}

/// The record of what was done to a user for a key.
async fn record(payment: &TestPayment, user: &UserId, name: &str) -> Option<String> {
    payment.raw.text(&record_of(payment, user, name)).await
}

/// What is kept of a request that was done, with the incarnations and the answer.
fn kept(payment: &TestPayment, incarnation: &str, request: &str, answer: &str) -> Option<String> {
    let once = key("any").change(payment.first(), "", request);
    Some(format!("2 {incarnation} {} {answer}", once.request()))
}

fn is_reused<T: std::fmt::Debug>(done: &Result<T>) -> bool {
    matches!(done, Err(PaymentError::KeyReused(_)))
}

#[actix_web::test]
async fn every_operation_with_a_key_is_done_once() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    for is_replay in [false, true, true] {
        assert_eq!(add_funds(&payment, &user, 10, "a").await.unwrap().is_replay, is_replay);
        assert_eq!(pay(&payment, &user, 3, "p").await.unwrap().is_replay, is_replay);
        assert_eq!(pay_order(&payment, &user, &order, 4, "o").await.unwrap().is_replay, is_replay);
    }
    assert_eq!(payment.purse(&user).await, Purse { credit: 23, held: 0, net: 23 });
    for is_replay in [false, true, true] {
        assert_eq!(cancel(&payment, &user, &order, "c").await.unwrap().is_replay, is_replay);
    }
    assert_eq!(payment.purse(&user).await, Purse { credit: 27, held: 0, net: 27 });

    let plain = [("a", "add_funds 10".to_owned()), ("p", "pay 3".to_owned())];
    let for_order = [("o", format!("pay {order} 4")), ("c", format!("cancel {order}"))];
    for (name, request) in plain.into_iter().chain(for_order) {
        assert_eq!(record(&payment, &user, name).await, kept(&payment, "/", &request, "-"));
    }
}

#[actix_web::test]
async fn a_key_is_kept_for_a_day() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(20).await;
    let before = payment.raw.now_ms().await;
    pay(&payment, &user, 3, "p").await.unwrap();
    let after = payment.raw.now_ms().await;
    let record = record_of(&payment, &user, "p");
    let end = payment.raw.expires_ms(&record).await.expect("a record goes by itself");
    assert!((before + DAY_MS..=after + DAY_MS).contains(&end), "{before} {end} {after}");
}

#[actix_web::test]
async fn a_key_is_refused_for_another_request_of_the_same_user() {
    let payment = TestPayment::start().await;
    let (user, one, two) = (payment.user_with(20).await, new_order(), new_order());
    pay_order(&payment, &user, &one, 3, "k").await.unwrap();
    let before = payment.raw.everything().await;

    assert!(is_reused(&pay_order(&payment, &user, &one, 4, "k").await));
    assert!(is_reused(&pay_order(&payment, &user, &two, 3, "k").await));
    assert!(is_reused(&pay(&payment, &user, 3, "k").await));
    assert!(is_reused(&add_funds(&payment, &user, 3, "k").await));
    assert!(is_reused(&cancel(&payment, &user, &one, "k").await));

    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn a_key_of_another_user_is_another_key() {
    let payment = TestPayment::start().await;
    let (one, two) = (payment.user_with(20).await, payment.user_with(20).await);
    for user in [&one, &two] {
        assert!(!pay(&payment, user, 3, "k").await.unwrap().is_replay);
    }
    assert_eq!([payment.purse(&one).await.credit, payment.purse(&two).await.credit], [17, 17]);
}

#[actix_web::test]
async fn a_refusal_is_not_kept() {
    let payment = TestPayment::start().await;
    let user = payment.user_with(1).await;
    let before = payment.raw.everything().await;
    let refused = pay(&payment, &user, 2, "k").await;
    assert!(matches!(refused, Err(PaymentError::InsufficientCredit(_))), "{refused:?}");
    assert_eq!(payment.raw.everything().await, before);

    payment.add_funds(&user, 1).await.unwrap();
    assert!(!pay(&payment, &user, 2, "k").await.unwrap().is_replay);
    assert!(pay(&payment, &user, 2, "k").await.unwrap().is_replay, "although nothing is left");
}

#[actix_web::test]
async fn create_with_a_key_gives_one_user() {
    let payment = TestPayment::start().await;
    let k = key("k");
    let created = join_all((0..20).map(|_| users::create(&payment.shards, Some(&k)))).await;
    let created: Vec<Done<UserId>> = created.into_iter().map(|created| created.expect("it is created")).collect();
    assert_eq!(created.iter().filter(|created| !created.is_replay).count(), 1);
    assert!(created.iter().all(|one| one.value == created[0].value), "{created:?}");

    let user = &created[0].value;
    assert_eq!(minted_shard(user.as_str()), Some(0));
    let record = key("k").creation(payment.first(), "", "").record().to_owned();
    assert_eq!(payment.raw.text(&record).await, kept(&payment, "/", "create_user", user.as_str()));
    assert_eq!(payment.raw.everything().await.len(), 3, "a user, a record and the count");
}

#[actix_web::test]
async fn a_payment_cancelled_since_is_still_answered_as_it_was() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    pay_order(&payment, &user, &order, 3, "k").await.unwrap();
    payment.cancel_payment(&user, &order).await.unwrap();

    assert!(pay_order(&payment, &user, &order, 3, "k").await.unwrap().is_replay);
    let other = pay_order(&payment, &user, &order, 3, "l").await;
    assert!(matches!(other, Err(PaymentError::AlreadyPaid(_))), "{other:?}");
    assert_eq!(payment.purse(&user).await.credit, 20);
}

#[actix_web::test]
async fn a_payment_made_without_the_key_is_taken_once_and_its_answer_kept() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    assert!(!pay_order(&payment, &user, &order, 3, "k").await.unwrap().is_replay);
    assert!(pay_order(&payment, &user, &order, 3, "k").await.unwrap().is_replay);
    assert_eq!(payment.purse(&user).await.credit, 17);
}

#[actix_web::test]
async fn a_load_of_users_begins_a_new_incarnation() {
    let payment = TestPayment::start().await;
    let (loaded, other) = (user("1"), payment.user_with(20).await);
    payment.load(3, 20).await;
    for user in [&loaded, &other] {
        pay(&payment, user, 3, "k").await.unwrap();
    }
    assert!(pay(&payment, &loaded, 3, "k").await.unwrap().is_replay);

    payment.load(3, 20).await;

    assert!(pay(&payment, &other, 3, "k").await.unwrap().is_replay);
    assert!(!pay(&payment, &loaded, 5, "k").await.unwrap().is_replay, "for this user the key is new");
    assert!(pay(&payment, &loaded, 5, "k").await.unwrap().is_replay);
    assert_eq!(payment.purse(&loaded).await.credit, 15);
}

#[actix_web::test]
async fn a_load_of_orders_begins_a_new_incarnation_of_their_payments() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, order("7"));
    payment.orders.live(&order, "open", "first");
    pay_order(&payment, &user, &order, 3, "k").await.unwrap();
    assert_eq!(record(&payment, &user, "k").await, kept(&payment, "/first", "pay 7 3", "-"));
    assert!(pay_order(&payment, &user, &order, 3, "k").await.unwrap().is_replay);

    payment.orders.live(&order, "open", "second");
    assert!(!pay_order(&payment, &user, &order, 4, "k").await.unwrap().is_replay, "for this order the key is new");
    assert!(pay_order(&payment, &user, &order, 4, "k").await.unwrap().is_replay);
    assert_eq!(payment.purse(&user).await.credit, 13);
}

#[actix_web::test]
async fn a_payment_for_an_order_that_is_gone_is_still_a_replay() {
    let payment = TestPayment::start().await;
    let (user, known, unknown) = (payment.user_with(20).await, order("7"), order("8"));
    payment.orders.live(&known, "open", "first");
    pay_order(&payment, &user, &known, 3, "k").await.unwrap();
    payment.orders.say(&known, shardcart_protocol::orders::StatusAnswer::Unknown);
    pay_order(&payment, &user, &unknown, 4, "u").await.unwrap();

    assert!(pay_order(&payment, &user, &known, 3, "k").await.unwrap().is_replay);
    assert!(pay_order(&payment, &user, &unknown, 4, "u").await.unwrap().is_replay);
    assert_eq!(record(&payment, &user, "u").await, kept(&payment, "/", "pay 8 4", "-"));
    assert_eq!(payment.purse(&user).await.credit, 13);
}

#[actix_web::test]
async fn a_record_of_a_later_release_is_left_alone() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    let record = record_of(&payment, &user, "k");
    payment.raw.tell(&["SET", &record, "3 whatever"]).await;
    let before = payment.raw.everything().await;
    for done in [
        add_funds(&payment, &user, 1, "k").await,
        pay(&payment, &user, 1, "k").await,
        pay_order(&payment, &user, &order, 1, "k").await,
        cancel(&payment, &user, &order, "k").await,
    ] {
        assert!(matches!(done, Err(PaymentError::Newer(_))), "{done:?}");
    }
    assert_eq!(payment.raw.everything().await, before);
}

#[actix_web::test]
async fn a_full_shard_keeps_no_new_record_whatever_the_call_frees() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    payment.pay(&user, &order, 3).await.unwrap();
    let before = payment.raw.everything().await;
    payment.raw.fill().await;

    let full = |done: &Result<Done>| matches!(done, Err(PaymentError::Shard(ShardError::Refused { .. })));
    assert!(full(&add_funds(&payment, &user, 1, "a").await));
    assert!(full(&pay(&payment, &user, 1, "p").await));
    assert!(full(&pay_order(&payment, &user, &new_order(), 1, "o").await));
    assert!(full(&cancel(&payment, &user, &order, "c").await));
    assert_eq!(payment.raw.everything().await, before);

    payments::cancel_payment(&payment.shards, payment.incarnations(), &user, &order, None)
        .await
        .expect("nothing grows");
    assert_eq!(payment.purse(&user).await.credit, 20);
}

#[actix_web::test]
async fn what_moves_money_is_done_however_many_records_there_are() {
    let payment = TestPayment::start().await;
    let (user, order) = (payment.user_with(20).await, new_order());
    let counts = shardcart_schema::key::keyed(payment.tag()).to_string();
    let hour = payment.raw.now_ms().await / IDEMPOTENCY_COUNTED_MS;
    let most = payment.first().idempotency_records_max().to_string();
    for hour in [hour, hour + 1] {
        payment.raw.tell(&["HSET", &counts, &hour.to_string(), &most, "earlier", "0"]).await;
    }

    let created = users::create(&payment.shards, Some(&key("n"))).await;
    assert!(matches!(created, Err(PaymentError::TooManyKeys(_))), "{created:?}");
    for is_replay in [false, true] {
        assert_eq!(add_funds(&payment, &user, 10, "a").await.unwrap().is_replay, is_replay);
        assert_eq!(pay(&payment, &user, 3, "p").await.unwrap().is_replay, is_replay);
        assert_eq!(pay_order(&payment, &user, &order, 4, "o").await.unwrap().is_replay, is_replay);
    }
    for is_replay in [false, true] {
        assert_eq!(cancel(&payment, &user, &order, "c").await.unwrap().is_replay, is_replay);
    }
    assert_eq!(payment.purse(&user).await.credit, 27);
    let counted: u64 = payment.raw.hash(&counts).await.values().map(|count| count.parse::<u64>().unwrap()).sum();
    assert_eq!(counted, 2 * most.parse::<u64>().unwrap() + 4, "they count all the same");
}
