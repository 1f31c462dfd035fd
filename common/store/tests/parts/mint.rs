//! Minting: new ids on this machine's shards in turn, and on another's while its own do not answer.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use shardcart_harness::RedisServer;
use shardcart_store::idempotency::{Done, IdempotencyKey};
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::script::{Call, Script};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::{MintError, Shards};
use shardcart_types::ids::{TxId, minted_shard};

use crate::support::{TestShards, addresses, impatient, server, settings};

/// Makes nothing, and says that it did.
fn create(shard: &Shard, now_ms: u64) -> (TxId, Call) {
    let id = TxId::mint(shard.number(), now_ms);
    let mut echo = redis::cmd("ECHO");
    echo.arg("DONE");
    (id, Call::read(echo))
}

/// As a script answers whose id is taken.
fn create_taken(shard: &Shard, now_ms: u64) -> (TxId, Call) {
    let mut echo = redis::cmd("ECHO");
    echo.arg("EXISTS");
    (TxId::mint(shard.number(), now_ms), Call::read(echo))
}

/// Mints so many ids, and counts them by shard.
async fn mint(shards: &Shards, count: usize) -> BTreeMap<u16, usize> {
    let mut minted = BTreeMap::new();
    for _ in 0..count {
        let id = shards.mint(create).await.expect("a shard answers");
        let shard = minted_shard(id.as_str()).expect("a minted id names its shard");
        assert_eq!(shards.shard_of(id.as_str()), shard);
        *minted.entry(shard).or_default() += 1;
    }
    minted
}

async fn machine(servers: &[RedisServer], id: Option<&str>, settings: &RedisSettings) -> Shards {
    let id = id.map(|id| id.parse().expect("k/N"));
    let joined = Membership::establish("stock", addresses(servers), id, settings, Fatal::default()).await;
    Shards::new(&joined.expect("the data set is there")).expect("the settings made shards before")
}

#[actix_web::test]
async fn ids_are_minted_on_every_shard_in_turn() {
    let on = TestShards::start_many("stock", 3).await;
    let minted = mint(&on.shards, 3 * 4).await;
    assert_eq!(minted, BTreeMap::from([(0, 4), (1, 4), (2, 4)]));
}

#[actix_web::test]
async fn ids_are_minted_on_the_shards_of_the_machine() {
    let on = TestShards::start_many("stock", 3).await;
    for (id, expected) in [("1/3", vec![0]), ("2/3", vec![1]), ("1/2", vec![0, 2]), ("2/2", vec![1]), ("5/6", vec![1])]
    {
        let shards = machine(&on.servers, Some(id), &settings()).await;
        let minted = mint(&shards, 32).await;
        assert_eq!(minted.keys().copied().collect::<Vec<_>>(), expected, "machine {id}");
    }
}

#[actix_web::test]
async fn ids_are_not_minted_on_shards_that_are_not_open_yet() {
    let on = TestShards::start_many("stock", 3).await;
    let open = RedisSettings { mint_shards: Some(2), ..settings() };
    for id in [None, Some("1/2"), Some("3/3")] {
        let shards = machine(&on.servers, id, &open).await;
        let minted = mint(&shards, 32).await;
        assert!(!minted.contains_key(&2), "machine {id:?}: {minted:?}");
    }
}

#[actix_web::test]
async fn ids_are_minted_elsewhere_while_a_shard_does_not_answer() {
    let mut on = TestShards::start_many("stock", 2).await;
    let alone = machine(&on.servers, Some("1/2"), &impatient()).await;
    assert_eq!(mint(&alone, 8).await, BTreeMap::from([(0, 8)]));
    on.servers[0].kill9();
    assert_eq!(mint(&alone, 8).await, BTreeMap::from([(1, 8)]));
    assert_eq!(mint(&on.shards, 8).await, BTreeMap::from([(1, 8)]));

    on.servers[1].kill9();
    let nowhere = alone.mint(create).await;
    assert!(nowhere.is_err(), "{nowhere:?}");

    on.servers[0].restart().await;
    let back = mint(&alone, 1).await;
    assert_eq!(back, BTreeMap::from([(0, 1)]));
}

#[actix_web::test]
async fn ids_that_are_taken_are_not_given() {
    let on = TestShards::start_many("stock", 2).await;
    let taken = on.shards.mint(create_taken).await;
    assert!(matches!(taken, Err(ShardError::Refused { .. })), "{taken:?}");

    // Taken on the first shard that is asked, free on the next.
    let mut asked = Vec::new();
    let minted = on.shards.mint(|shard, now_ms| {
        asked.push(shard.number());
        if asked.len() == 1 { create_taken(shard, now_ms) } else { create(shard, now_ms) }
    });
    let minted = minted.await.unwrap();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0], asked[1]);
    assert_eq!(minted_shard(minted.as_str()), Some(asked[1]));
}

/// Keeps what is created, and nothing else.
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    let code = "#!lua\nif redis.call('HSETNX', KEYS[1], 'made', 1) == 0 then return 'EXISTS' end\nreturn 'DONE'\n";
    Script::new("create", code)
});

/// Creates something with a key, on one machine.
async fn create_once(shards: &Shards, name: &str, request: &str) -> Result<Done<TxId>, MintError> {
    let key = IdempotencyKey::parse(name.as_bytes()).expect("a well-formed key");
    let created = shards.mint_once(Some(&key), |shard, now_ms| {
        let id = TxId::mint(shard.number(), now_ms);
        let once = key.creation(shard, id.as_str(), request);
        let call = CREATE.once(Some(once), &[format!("{{{}}}:made:{id}", shard.tag())]);
        (id, call)
    });
    created.await
}

#[actix_web::test]
async fn ids_with_a_key_are_minted_once_whichever_machine_is_asked() {
    let on = TestShards::start_many("stock", 2).await;
    let machines =
        [machine(&on.servers, Some("1/2"), &settings()).await, machine(&on.servers, Some("2/2"), &settings()).await];
    let mut shards = BTreeMap::<u16, usize>::new();
    for number in 0..64 {
        let name = format!("key-{number}");
        // Each machine is the first one for every other key.
        let [first, second] = [&machines[number % 2], &machines[(number + 1) % 2]];
        let id = create_once(first, &name, "create").await.unwrap();
        assert!(!id.is_replay);
        assert_eq!(create_once(second, &name, "create").await.unwrap(), Done::before(id.value.clone()));
        assert!(matches!(create_once(second, &name, "another").await, Err(MintError::KeyReused(_))));
        *shards.entry(minted_shard(id.value.as_str()).expect("a minted id")).or_default() += 1;
    }
    assert!(shards.values().all(|count| *count > 16) && shards.len() == 2, "keys spread: {shards:?}");
}

#[actix_web::test]
async fn ids_with_a_key_are_found_again_when_there_are_more_shards() {
    let mut on = TestShards::start_many("stock", 2).await;
    let mut minted = Vec::new();
    for number in 0..20 {
        minted.push(create_once(&on.shards, &number.to_string(), "create").await.unwrap().value);
    }
    on.servers.push(server().await);
    let grown = machine(&on.servers, Some("3/3"), &settings()).await;
    assert_eq!(mint(&grown, 8).await, BTreeMap::from([(2, 8)]));
    for (number, id) in minted.into_iter().enumerate() {
        assert_eq!(create_once(&grown, &number.to_string(), "create").await.unwrap(), Done::before(id));
    }
}

#[actix_web::test]
async fn ids_with_a_key_that_is_a_minted_id_are_minted_on_a_shard_that_exists() {
    let on = TestShards::start("stock").await;
    let elsewhere = TxId::mint(u16::MAX, 1);
    let id = create_once(&on.shards, elsewhere.as_str(), "create").await.unwrap().value;
    assert_eq!(minted_shard(id.as_str()), Some(0));
}

#[actix_web::test]
async fn ids_with_a_key_are_minted_nowhere_else_while_their_shard_does_not_answer() {
    let mut on = TestShards::start_many("stock", 2).await;
    let shards = machine(&on.servers, None, &impatient()).await;
    on.servers[1].kill9();
    let (mut made, mut failed) = (0, Vec::new());
    for number in 0..16 {
        match create_once(&shards, &number.to_string(), "create").await {
            Ok(_) => made += 1,
            Err(MintError::Shard(
                ShardError::Unreachable { shard: 1, .. } | ShardError::Unanswered { shard: 1, .. },
            )) => {
                failed.push(number);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(made > 0 && !failed.is_empty(), "{made} {failed:?}");

    on.servers[1].restart().await;
    for number in failed {
        let id = create_once(&shards, &number.to_string(), "create").await.unwrap();
        assert_eq!(minted_shard(id.value.as_str()), Some(1));
    }
}
