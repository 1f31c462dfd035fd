//! Joining a data set: made on empty servers, joined again, grown, and refused where something is wrong.

use std::collections::BTreeMap;

use futures_util::future::{join_all, join3};
use shardcart_harness::{Fsync, RedisServer};
use shardcart_schema::key;
use shardcart_schema::tag::{Owner, Tag};
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::settings::RedisSettings;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::support::{Raw, addresses, impatient, join, server, settings};

async fn servers(count: usize) -> Vec<RedisServer> {
    join_all((0..count).map(|_| server())).await
}

/// The key of the identity record of a shard.
fn key_of(service: &str, shard: usize) -> String {
    let owner = Owner::parse(service).expect("a service that keeps data");
    key::identity(Tag::of(owner, u16::try_from(shard).expect("shards are numbered in 16 bits"))).to_string()
}

/// The key of the identity record of a server, if it has one.
async fn key_on(server: &RedisServer) -> Option<String> {
    Raw::of(server).await.ask::<Vec<String>>(&["KEYS", "*:identity"]).await.pop()
}

/// The identity record of a server.
async fn record(server: &RedisServer) -> BTreeMap<String, String> {
    match key_on(server).await {
        Some(key) => Raw::of(server).await.hash(&key).await,
        None => BTreeMap::new(),
    }
}

async fn refusal(service: &'static str, servers: &[RedisServer]) -> String {
    join(service, servers, &impatient()).await.expect_err("something is wrong")
}

#[actix_web::test]
async fn joining_empty_servers_makes_a_data_set() {
    let servers = servers(3).await;

    let joined = join("stock", &servers, &settings()).await.unwrap();

    assert_eq!((joined.service(), joined.count(), joined.founding()), ("stock", 3, 3));
    let first = record(&servers[0]).await;
    assert_eq!((first["service"].as_str(), first["founding"].as_str()), ("stock", "3"));
    for (number, server) in servers.iter().enumerate() {
        let record = record(server).await;
        assert_eq!(record["shard"], number.to_string());
        assert_eq!(record["members"], "3");
        assert_eq!(record["data_set"], first["data_set"]);
    }
    assert!(joined.clocks_agree());
}

#[actix_web::test]
async fn joining_again_finds_the_same_data_set_and_changes_nothing() {
    let servers = servers(2).await;
    join("stock", &servers, &settings()).await.unwrap();
    let before = [record(&servers[0]).await, record(&servers[1]).await];
    join("stock", &servers, &settings()).await.unwrap();
    assert_eq!([record(&servers[0]).await, record(&servers[1]).await], before);
}

#[actix_web::test]
async fn joining_at_once_makes_one_data_set() {
    for _ in 0..5 {
        let servers = servers(2).await;
        let patient = settings();
        let machines = || join("stock", &servers, &patient);
        let (one, two, three) = join3(machines(), machines(), machines()).await;
        for joined in [one, two, three] {
            assert_eq!(joined.unwrap().founding(), 2);
        }
        let [first, second] = [record(&servers[0]).await, record(&servers[1]).await];
        assert_eq!(first["data_set"], second["data_set"]);
    }
}

#[actix_web::test]
async fn joining_completes_what_a_crash_left_half_made() {
    let servers = servers(3).await;
    join("stock", &servers, &settings()).await.unwrap();
    let data_set = record(&servers[0]).await["data_set"].clone();
    // The machine that made it had written the first record, or two, and raised no members yet.
    for left in [1, 2] {
        for (number, server) in servers.iter().enumerate() {
            let raw = Raw::of(server).await;
            if number < left {
                raw.tell(&["HSET", &key_of("stock", number), "members", "1"]).await;
            } else {
                raw.tell(&["FLUSHALL"]).await;
            }
        }
        assert_eq!(join("stock", &servers, &settings()).await.unwrap().founding(), 3);
        for server in &servers {
            let record = record(server).await;
            assert_eq!((record["data_set"].as_str(), record["members"].as_str()), (data_set.as_str(), "3"));
        }
    }
}

#[actix_web::test]
async fn growing_keeps_the_founding_shards_and_moves_no_foreign_id() {
    let mut servers = servers(2).await;
    let small = Shards::new(&join("stock", &servers, &settings()).await.unwrap()).unwrap();
    servers.push(server().await);
    servers.push(server().await);

    let joined = join("stock", &servers, &settings()).await.unwrap();

    assert_eq!((joined.count(), joined.founding()), (4, 2));
    for (number, server) in servers.iter().enumerate() {
        let record = record(server).await;
        assert_eq!((record["founding"].as_str(), record["members"].as_str()), ("2", "4"), "shard {number}");
    }
    let large = Shards::new(&joined).unwrap();
    for id in 0..1000 {
        let id = id.to_string();
        assert_eq!(large.shard_of(&id), small.shard_of(&id));
    }
    // Who has the shorter list still joins.
    let shorter = join("stock", &servers[..2], &settings()).await.unwrap();
    assert_eq!((shorter.count(), shorter.founding()), (2, 2));
    assert_eq!(record(&servers[0]).await["members"], "4");
}

#[actix_web::test]
async fn fewer_addresses_than_founding_shards_are_refused() {
    let servers = servers(3).await;
    join("stock", &servers, &settings()).await.unwrap();
    let refused = refusal("stock", &servers[..2]).await;
    assert!(refused.contains("was created with 3 shards, but only 2 addresses"), "{refused}");
}

#[actix_web::test]
async fn a_reordered_list_is_refused_and_changes_nothing() {
    let mut servers = servers(2).await;
    join("stock", &servers, &settings()).await.unwrap();
    servers.swap(0, 1);
    let refused = refusal("stock", &servers).await;
    assert!(refused.contains("the address list is out of order"), "{refused}");
    assert_eq!(record(&servers[0]).await["shard"], "1");
    assert_eq!(record(&servers[1]).await["shard"], "0");
}

#[actix_web::test]
async fn servers_of_another_service_are_refused_and_change_nothing() {
    let servers = servers(1).await;
    join("stock", &servers, &settings()).await.unwrap();
    let before = record(&servers[0]).await;
    let refused = refusal("payment", &servers).await;
    assert!(refused.contains("belongs to the stock service, not to payment"), "{refused}");
    assert_eq!(record(&servers[0]).await, before);
}

#[actix_web::test]
async fn services_share_a_server_in_databases_of_their_own() {
    let servers = servers(1).await;
    for (service, redis_db) in [("order", 0), ("stock", 1), ("payment", 2)] {
        let settings = RedisSettings { redis_db, ..settings() };
        let joined = join(service, &servers, &settings).await.unwrap();
        assert_eq!(joined.service(), service);
    }
    for (service, redis_db) in [("order", 0), ("stock", 1), ("payment", 2)] {
        let settings = RedisSettings { redis_db, ..settings() };
        join(service, &servers, &settings).await.unwrap();
    }
}

#[actix_web::test]
async fn shards_of_two_data_sets_are_refused() {
    let (mut one, mut two) = (servers(2).await, servers(2).await);
    join("stock", &one, &settings()).await.unwrap();
    join("stock", &two, &settings()).await.unwrap();
    let mixed = [one.remove(0), two.remove(1)];
    let refused = refusal("stock", &mixed).await;
    assert!(refused.contains("shard 1 belongs to another data set"), "{refused}");
}

#[actix_web::test]
async fn a_server_with_keys_of_someone_else_is_refused_and_left_alone() {
    let servers = servers(2).await;
    let raw = Raw::of(&servers[1]).await;
    raw.tell(&["SET", "someone", "else's"]).await;
    let refused = refusal("stock", &servers).await;
    assert!(refused.contains("shard 1 holds keys that are not ours"), "{refused}");
    let size: u64 = raw.ask(&["DBSIZE"]).await;
    assert_eq!(size, 1);
}

#[actix_web::test]
async fn a_member_that_came_back_empty_is_refused_and_left_empty() {
    let mut servers = servers(2).await;
    join("stock", &servers, &settings()).await.unwrap();
    for number in [0, 1] {
        let other = record(&servers[1 - number]).await;
        servers[number].wipe();
        servers[number].restart().await;
        let refused = refusal("stock", &servers).await;
        assert!(refused.contains(&format!("shard {number} came back empty")), "{refused}");
        assert!(record(&servers[number]).await.is_empty());
        // From here on both are as they were.
        let raw = Raw::of(&servers[number]).await;
        for (field, value) in &other {
            let value = match field.as_str() {
                "shard" => number.to_string(),
                "tag" => Tag::of(Owner::Stock, u16::try_from(number).unwrap()).to_string(),
                _ => value.clone(),
            };
            raw.tell(&["HSET", &key_of("stock", number), field, &value]).await;
        }
        join("stock", &servers, &settings()).await.unwrap();
    }
}

#[actix_web::test]
async fn a_data_set_in_another_currency_is_refused() {
    let servers = servers(1).await;
    join("payment", &servers, &settings()).await.unwrap();
    let dollars = RedisSettings { currency: "USD".to_owned(), ..impatient() };
    let refused = join("payment", &servers, &dollars).await.unwrap_err();
    assert!(refused.contains("is in EUR, not in USD"), "{refused}");
}

#[actix_web::test]
async fn a_data_set_of_an_earlier_or_a_later_schema_is_refused() {
    let servers = servers(2).await;
    join("payment", &servers, &settings()).await.unwrap();
    for (number, server) in servers.iter().enumerate() {
        Raw::of(server).await.tell(&["HSET", &key_of("payment", number), "schema", "4"]).await;
    }
    let refused = refusal("payment", &servers).await;
    assert!(refused.contains("has schema 4, this release knows 3"), "{refused}");

    // Up to schema 2 the record lay under one key on every shard, and named no tag.
    for (number, server) in servers.iter().enumerate() {
        let (raw, key) = (Raw::of(server).await, key_of("payment", number));
        raw.tell(&["HSET", &key, "schema", "2"]).await;
        raw.tell(&["HDEL", &key, "tag"]).await;
        raw.tell(&["RENAME", &key, key::OLD_IDENTITY]).await;
    }
    let refused = refusal("payment", &servers).await;
    assert!(refused.contains("shard 0 has schema 2, this release knows 3"), "{refused}");
}

#[actix_web::test]
async fn a_member_that_does_not_answer_is_done_without() {
    let mut servers = servers(3).await;
    join("stock", &servers, &settings()).await.unwrap();
    for silent in [0, 2] {
        servers[silent].kill9();
        let joined = join("stock", &servers, &impatient()).await.unwrap();
        assert_eq!(joined.founding(), 3);
        let shards = Shards::new(&joined).unwrap();
        assert_eq!(shards.silent().await, [u16::try_from(silent).unwrap()]);
        servers[silent].restart().await;
        assert!(shards.silent().await.is_empty(), "admitted when it is back");
    }
}

#[actix_web::test]
async fn a_new_data_set_or_a_new_shard_needs_every_server() {
    let mut servers = servers(2).await;
    servers[1].kill9();
    let refused = refusal("stock", &servers).await;
    assert!(refused.contains("a new one is only made when all answer"), "{refused}");
    assert!(record(&servers[0]).await.is_empty());

    servers[1].restart().await;
    join("stock", &servers, &settings()).await.unwrap();
    let mut third = server().await;
    third.kill9();
    servers.push(third);
    let refused = refusal("stock", &servers).await;
    assert!(refused.contains("shard 2 is new to the data set and does not answer"), "{refused}");
    assert_eq!(record(&servers[0]).await["members"], "2");
}

#[actix_web::test]
async fn servers_of_which_none_answers_are_named() {
    let mut servers = servers(1).await;
    let address = servers[0].address();
    servers[0].kill9();
    let refused = refusal("stock", &servers).await;
    assert!(refused.contains(&address), "{refused}");
}

#[actix_web::test]
async fn a_server_that_evicts_is_refused() {
    let evicting = [RedisServer::start_with(Fsync::No, "allkeys-lru").await];
    let refused = refusal("stock", &evicting).await;
    assert!(refused.contains("shard 0 is configured to evict"), "{refused}");
    assert!(record(&evicting[0]).await.is_empty());
}

#[actix_web::test]
async fn more_shards_to_mint_on_than_there_are_and_no_shards_at_all_are_refused() {
    let servers = servers(1).await;
    let settings = RedisSettings { mint_shards: Some(2), ..impatient() };
    let refused = join("stock", &servers, &settings).await.unwrap_err();
    assert!(refused.contains("MINT_SHARDS is 2"), "{refused}");
    let refused = join("stock", &[], &settings).await.unwrap_err();
    assert!(refused.contains("0 shards given"), "{refused}");
    assert!(record(&servers[0]).await.is_empty());
}

#[actix_web::test]
async fn an_id_on_a_shard_beyond_the_list_is_not_routed() {
    let servers = servers(2).await;
    let joined =
        Membership::establish("stock", addresses(&servers), None, &settings(), Fatal::default()).await.unwrap();
    let shards = Shards::new(&joined).unwrap();
    for number in [0, 1, 2, u16::MAX] {
        match shards.route(&shardcart_types::ids::mint(number, 1)) {
            Ok(found) => assert_eq!((found.number(), number < 2), (number, true)),
            Err(ShardError::BeyondList { shard }) => assert_eq!((shard, number < 2), (number, false)),
            Err(other) => panic!("{other}"),
        }
    }
}

#[actix_web::test]
async fn an_id_beyond_the_list_is_nobodys_only_where_every_shard_says_so() {
    let mut servers = servers(3).await;
    let shards = Shards::new(&join("stock", &servers[..2], &impatient()).await.unwrap()).unwrap();
    let (near, far) = (shardcart_types::ids::mint(1, 1), shardcart_types::ids::mint(2, 1));
    assert_eq!(shards.home(&near).await.unwrap().map(Shard::number), Some(1));
    assert!(shards.home(&far).await.unwrap().is_none());
    assert!(!shards.may_have(u16::MAX).await);

    servers[1].kill9();
    let unknown = shards.home(&far).await;
    assert!(matches!(unknown, Err(ShardError::BeyondList { shard: 2 })), "one does not answer: {unknown:?}");
    servers[1].restart().await;
    assert!(shards.home(&far).await.unwrap().is_none());

    // Another machine knows a third shard: from then on it may have made ids there.
    join("stock", &servers, &settings()).await.unwrap();
    let unknown = shards.home(&far).await;
    assert!(matches!(unknown, Err(ShardError::BeyondList { shard: 2 })), "{unknown:?}");
    assert!(shards.may_have(u16::MAX).await);
}

#[actix_web::test]
async fn one_shard_on_which_the_growth_is_on_record_is_enough() {
    for told in 0..2 {
        let servers = servers(2).await;
        let shards = Shards::new(&join("stock", &servers, &settings()).await.unwrap()).unwrap();
        let key = key::identity(Tag::of(Owner::Stock, told)).to_string();
        Raw::of(&servers[usize::from(told)]).await.tell(&["HSET", &key, "members", "3"]).await;
        let unknown = shards.home(&shardcart_types::ids::mint(7, 1)).await;
        assert!(matches!(unknown, Err(ShardError::BeyondList { shard: 7 })), "{unknown:?}");
    }
}

#[actix_web::test]
async fn ids_that_are_made_up_share_the_looks_at_the_shards() {
    let servers = servers(1).await;
    let shards = Shards::new(&join("stock", &servers, &settings()).await.unwrap()).unwrap();
    let raw = Raw::of(&servers[0]).await;
    raw.tell(&["CONFIG", "RESETSTAT"]).await;
    let far: Vec<String> = (1..=500).map(|number| shardcart_types::ids::mint(number, 1)).collect();
    for found in join_all(far.iter().map(|id| shards.home(id))).await {
        assert!(found.unwrap().is_none());
    }
    let stats: String = raw.ask(&["INFO", "commandstats"]).await;
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
    // Those that came while the first look was under way share the second; new connections look at the record, too.
    let calls: u32 = calls.expect("somebody looked").parse().unwrap();
    assert!(calls <= 4, "{calls} reads for 500 ids");
}
