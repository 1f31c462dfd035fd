//! Find: an order and its cart at one moment.

use shardcart_order::error::OrderError;
use shardcart_order::orders::{self, Order};
use shardcart_protocol::participant::Refusal;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{OrderId, now_ms};

use crate::support::{TestOrders, item, order, user};

#[actix_web::test]
async fn find_shows_user_lines_and_total() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    let mut found = orders::find(&orders.shards, &order).await.unwrap();
    found.items.sort();
    let expected = Order { paid: false, user: user("u"), total: 17, items: vec![(item("a"), 2), (item("b"), 1)] };
    assert_eq!(found, expected);
}

#[actix_web::test]
async fn find_shows_paid_from_the_decision_on_and_never_for_what_is_given_up() {
    let orders = TestOrders::start().await;
    let paid = async |order: &OrderId| orders::find(&orders.shards, order).await.unwrap().paid;
    let [first, second] = [orders.filled_order().await, orders.filled_order().await];
    let attempts = [orders.begun(&first).await, orders.begun(&second).await];
    assert!(!paid(&first).await);
    orders.decide(&attempts[0]).await;
    assert!(paid(&first).await);
    orders.finish(&attempts[0]).await;
    assert!(paid(&first).await);
    orders.abort(&attempts[1], &Refusal::CheckoutAborted).await;
    assert!(!paid(&second).await);
    orders.finish(&attempts[1]).await;
    assert!(!paid(&second).await);
}

#[actix_web::test]
async fn find_of_an_order_that_does_not_exist_is_unknown_and_leaves_nothing() {
    let orders = TestOrders::start().await;
    for id in [OrderId::mint(0, now_ms()), order("0"), order("A.b-c_9")] {
        let found = orders::find(&orders.shards, &id).await;
        assert!(matches!(found, Err(OrderError::UnknownOrder(_))), "{found:?}");
    }
    assert!(orders.raw.everything().await.is_empty());
}

#[actix_web::test]
async fn find_of_an_order_of_a_later_release_gives_no_answer() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.make_newer(&order).await;
    let found = orders::find(&orders.shards, &order).await;
    assert!(matches!(found, Err(OrderError::Newer(_))), "{found:?}");
}

#[actix_web::test]
async fn find_of_an_id_on_a_shard_that_nobody_has_is_unknown() {
    let orders = TestOrders::start().await;
    let far = OrderId::mint(1, now_ms());
    let found = orders::find(&orders.shards, &far).await;
    assert!(matches!(found, Err(OrderError::UnknownOrder(_))), "{found:?}");
}

#[actix_web::test]
async fn find_of_an_id_beyond_the_address_list_is_not_taken_for_unknown() {
    let orders = TestOrders::start().await;
    let far = OrderId::mint(1, now_ms());
    orders.raw.tell(&["HSET", &format!("{{{}}}:identity", orders.tag()), "members", "2"]).await;
    let found = orders::find(&orders.shards, &far).await;
    assert!(matches!(found, Err(OrderError::Shard(ShardError::BeyondList { shard: 1 }))), "{found:?}");
}

#[actix_web::test]
async fn find_works_on_a_full_shard() {
    let orders = TestOrders::start().await;
    let order = orders.filled_order().await;
    orders.raw.fill().await;
    assert_eq!(orders::find(&orders.shards, &order).await.unwrap().total, 17);
}
