//! Find: an item as its buyers see it.

use shardcart_protocol::participant::{Participant, ParticipantError, Prices};
use shardcart_stock::error::StockError;
use shardcart_stock::items::{self, Item};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{ItemId, now_ms};

use crate::support::{TestStock, item};

#[actix_web::test]
async fn find_shows_what_can_be_bought_now() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    let attempt = stock.attempt(&item).await;
    stock.reserve(&attempt, &[(&item, 2)]).await;

    let found = items::find(&stock.shards, &item).await.unwrap();

    assert_eq!(found, Item { stock: 3, price: 1 });
}

#[actix_web::test]
async fn find_of_an_item_that_does_not_exist_is_unknown() {
    let stock = TestStock::start().await;
    for id in [ItemId::mint(0, now_ms()), item("0"), item("A.b-c_9")] {
        let found = items::find(&stock.shards, &id).await;
        assert!(matches!(&found, Err(StockError::UnknownItem(of)) if *of == id), "{found:?}");
        assert_eq!(stock.participant.price(&id).await.unwrap(), None);
    }
    assert!(stock.raw.everything().await.is_empty(), "looking leaves nothing behind");
}

#[actix_web::test]
async fn find_of_an_item_of_a_later_release_gives_no_answer() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    stock.make_newer(&item).await;

    assert!(matches!(items::find(&stock.shards, &item).await, Err(StockError::Newer(_))));
    assert!(stock.participant.price(&item).await.is_err(), "not `no such item`");
}

#[actix_web::test]
async fn find_of_an_id_on_a_shard_that_nobody_has_is_unknown() {
    let stock = TestStock::start().await;
    let far = ItemId::mint(1, now_ms());

    let found = items::find(&stock.shards, &far).await;

    assert!(matches!(found, Err(StockError::UnknownItem(_))), "{found:?}");
    assert!(matches!(stock.participant.price(&far).await, Ok(None)));
    assert!(matches!(stock.participant.may_have(1).await, Ok(false)));
}

#[actix_web::test]
async fn find_of_an_id_beyond_the_address_list_is_not_taken_for_unknown() {
    let stock = TestStock::start().await;
    let far = ItemId::mint(1, now_ms());
    stock.raw.tell(&["HSET", &format!("{{{}}}:identity", stock.tag()), "members", "2"]).await;

    let found = items::find(&stock.shards, &far).await;

    assert!(matches!(found, Err(StockError::Shard(ShardError::BeyondList { shard: 1 }))), "{found:?}");
    let price = stock.participant.price(&far).await;
    assert!(matches!(price, Err(ParticipantError::BeyondList { shard: 1, .. })), "{price:?}");
    assert!(matches!(stock.participant.may_have(1).await, Ok(true)));
}

#[actix_web::test]
async fn find_works_on_a_full_shard() {
    let stock = TestStock::start().await;
    let item = stock.item_with(5).await;
    stock.raw.fill().await;

    assert_eq!(items::find(&stock.shards, &item).await.unwrap().stock, 5);
    assert_eq!(stock.participant.price(&item).await.unwrap(), Some(1));
}
