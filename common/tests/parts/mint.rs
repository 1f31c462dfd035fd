//! Minting: new ids on this machine's shards in turn, and on another's while its own do not answer.

use std::collections::BTreeMap;

use shardcart_common::ids::{Partition, TxId, minted_partition};
use shardcart_common::membership::{Fatal, Membership};
use shardcart_common::script::Call;
use shardcart_common::settings::RedisSettings;
use shardcart_common::shard::ShardError;
use shardcart_common::shards::Shards;
use shardcart_test::RedisServer;

use crate::support::{TestShards, addresses, impatient, settings};

/// Makes nothing, and says that it did.
fn create(partition: Partition, now_ms: u64) -> (TxId, Call) {
    let id = TxId::mint(partition, now_ms);
    let mut echo = redis::cmd("ECHO");
    echo.arg("DONE");
    (id, Call::read(echo))
}

/// As a script answers whose id is taken.
fn create_taken(partition: Partition, now_ms: u64) -> (TxId, Call) {
    let mut echo = redis::cmd("ECHO");
    echo.arg("EXISTS");
    (TxId::mint(partition, now_ms), Call::read(echo))
}

/// Mints so many ids, and counts them by partition.
async fn mint(shards: &Shards, count: usize) -> BTreeMap<Partition, usize> {
    let mut minted = BTreeMap::new();
    for _ in 0..count {
        let id = shards.mint(create).await.expect("a shard answers");
        let partition = minted_partition(id.as_str()).expect("a minted id names its partition");
        assert_eq!(shards.partition(id.as_str()), partition);
        *minted.entry(partition).or_default() += 1;
    }
    minted
}

fn by_shard(minted: &BTreeMap<Partition, usize>) -> BTreeMap<u16, usize> {
    let mut shards = BTreeMap::new();
    for (partition, count) in minted {
        *shards.entry(partition.shard()).or_default() += count;
    }
    shards
}

async fn machine(servers: &[RedisServer], id: Option<&str>, settings: &RedisSettings) -> Shards {
    let id = id.map(|id| id.parse().expect("k/N"));
    let joined = Membership::establish("stock", addresses(servers), id, settings, Fatal::default()).await;
    Shards::new(&joined.expect("the data set is there")).expect("the settings made shards before")
}

#[actix_web::test]
async fn ids_are_minted_on_every_shard_and_partition_in_turn() {
    let on = TestShards::start_many("stock", 3).await;
    let minted = mint(&on.shards, 3 * 16 * 4).await;
    assert_eq!(minted.len(), 48);
    assert!(minted.values().all(|count| *count == 4), "{minted:?}");
}

#[actix_web::test]
async fn ids_are_minted_on_the_shards_of_the_machine() {
    let on = TestShards::start_many("stock", 3).await;
    for (id, expected) in [("1/3", vec![0]), ("2/3", vec![1]), ("1/2", vec![0, 2]), ("2/2", vec![1]), ("5/6", vec![1])]
    {
        let shards = machine(&on.servers, Some(id), &settings()).await;
        let minted = by_shard(&mint(&shards, 32).await);
        assert_eq!(minted.keys().copied().collect::<Vec<_>>(), expected, "machine {id}");
    }
}

#[actix_web::test]
async fn ids_are_not_minted_on_shards_that_are_not_open_yet() {
    let on = TestShards::start_many("stock", 3).await;
    let open = RedisSettings { mint_shards: Some(2), ..settings() };
    for id in [None, Some("1/2"), Some("3/3")] {
        let shards = machine(&on.servers, id, &open).await;
        let minted = by_shard(&mint(&shards, 32).await);
        assert!(!minted.contains_key(&2), "machine {id:?}: {minted:?}");
    }
}

#[actix_web::test]
async fn ids_are_minted_elsewhere_while_a_shard_does_not_answer() {
    let mut on = TestShards::start_many("stock", 2).await;
    let alone = machine(&on.servers, Some("1/2"), &impatient()).await;
    assert_eq!(by_shard(&mint(&alone, 8).await), BTreeMap::from([(0, 8)]));
    on.servers[0].kill9();
    assert_eq!(by_shard(&mint(&alone, 8).await), BTreeMap::from([(1, 8)]));
    assert_eq!(by_shard(&mint(&on.shards, 8).await), BTreeMap::from([(1, 8)]));

    on.servers[1].kill9();
    let nowhere = alone.mint(create).await;
    assert!(nowhere.is_err(), "{nowhere:?}");

    on.servers[0].restart().await;
    let back = by_shard(&mint(&alone, 1).await);
    assert_eq!(back, BTreeMap::from([(0, 1)]));
}

#[actix_web::test]
async fn ids_that_are_taken_are_not_given() {
    let on = TestShards::start_many("stock", 2).await;
    let taken = on.shards.mint(create_taken).await;
    assert!(matches!(taken, Err(ShardError::Refused { .. })), "{taken:?}");

    // Taken on the first shard that is asked, free on the next.
    let mut asked = Vec::new();
    let minted = on.shards.mint(|partition, now_ms| {
        asked.push(partition.shard());
        if asked.len() == 1 { create_taken(partition, now_ms) } else { create(partition, now_ms) }
    });
    let minted = minted.await.unwrap();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1]);
    assert_eq!(minted_partition(minted.as_str()).map(Partition::shard), Some(asked[1]));
}
