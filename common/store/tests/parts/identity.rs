//! The identity record's script: read, written once, and raised.

use std::collections::BTreeMap;

use shardcart_schema::tag::{Owner, Tag};
use shardcart_store::identity::{Found, Identity};
use shardcart_store::shard::Shard;

use crate::support::{Raw, TestShards};

/// The key of the record of shard 0.
const KEY: &str = "{s0ei}:identity";

fn tag() -> Tag {
    Tag::of(Owner::Stock, 0)
}

fn identity() -> Identity {
    Identity { data_set: "d".to_owned(), ..Identity::of_new_data_set("stock", tag(), 2, "EUR") }
}

/// A server without a record, reached through shards that had one.
async fn empty() -> TestShards {
    let on = TestShards::start("stock").await;
    // A connection that is admitted is not asked again.
    found(on.first()).await;
    on.raw.tell(&["FLUSHALL"]).await;
    on
}

async fn found(shard: &Shard) -> Found {
    Found::parse(shard.run(&Identity::read(tag())).await.expect("the shard answers")).expect("a readable record")
}

async fn write(shard: &Shard, identity: &Identity) -> Found {
    Found::parse(shard.run(&identity.write()).await.expect("the shard answers")).expect("a readable record")
}

async fn size(raw: &Raw) -> u64 {
    raw.ask(&["DBSIZE"]).await
}

#[actix_web::test]
async fn reading_an_empty_shard_writes_nothing() {
    let on = empty().await;
    assert_eq!(found(on.first()).await, Found::Empty);
    assert_eq!(size(&on.raw).await, 0);
}

#[actix_web::test]
async fn writing_on_an_empty_shard_makes_the_record() {
    let on = empty().await;
    assert_eq!(write(on.first(), &identity()).await, Found::Identity(identity()));
    assert_eq!(found(on.first()).await, Found::Identity(identity()));
    let fields = [
        ("data_set", "d"),
        ("service", "stock"),
        ("shard", "0"),
        ("founding", "2"),
        ("schema", "3"),
        ("tag", "s0ei"),
        ("currency", "EUR"),
        ("members", "1"),
    ];
    let expected: BTreeMap<String, String> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(on.raw.hash(KEY).await, expected);
}

#[actix_web::test]
async fn writing_beside_other_keys_is_refused_and_changes_nothing() {
    let on = empty().await;
    on.raw.tell(&["SET", "someone", "else's"]).await;
    assert_eq!(found(on.first()).await, Found::NotOurs);
    assert_eq!(write(on.first(), &identity()).await, Found::NotOurs);
    assert_eq!(size(&on.raw).await, 1);
}

#[actix_web::test]
async fn writing_over_another_record_tells_it_and_changes_nothing() {
    let on = empty().await;
    write(on.first(), &identity()).await;
    for other in [
        Identity { data_set: "e".to_owned(), members: 9, ..identity() },
        Identity { service: "payment".to_owned(), ..identity() },
        Identity { founding: 5, ..identity() },
        Identity { currency: "USD".to_owned(), ..identity() },
    ] {
        assert_eq!(write(on.first(), &other).await, Found::Identity(identity()));
        assert_eq!(found(on.first()).await, Found::Identity(identity()));
    }
}

#[actix_web::test]
async fn writing_again_raises_the_members_and_never_lowers_them() {
    let on = empty().await;
    write(on.first(), &identity()).await;
    for (members, then) in [(3, 3), (2, 3), (3, 3), (10, 10), (9, 10)] {
        let raised = Identity { members: then, ..identity() };
        assert_eq!(write(on.first(), &Identity { members, ..identity() }).await, Found::Identity(raised));
    }
}

#[actix_web::test]
async fn writing_works_on_a_full_shard() {
    let on = empty().await;
    on.raw.fill().await;
    assert_eq!(write(on.first(), &identity()).await, Found::Identity(identity()));
    let raised = Identity { members: 4, ..identity() };
    assert_eq!(write(on.first(), &raised).await, Found::Identity(raised));
}

#[actix_web::test]
async fn a_record_that_lacks_a_field_or_garbles_one_is_not_read() {
    let on = empty().await;
    write(on.first(), &identity()).await;
    let whole = on.raw.hash(KEY).await;
    for (field, value) in &whole {
        on.raw.tell(&["HDEL", KEY, field]).await;
        let reply = on.first().run(&Identity::read(tag())).await.unwrap();
        let refused = Found::parse(reply).unwrap_err();
        assert!(refused.contains(field), "{refused}");
        on.raw.tell(&["HSET", KEY, field, value]).await;
    }
    for field in ["shard", "founding", "schema", "members"] {
        for bad in ["", "-1", "65536", "1.5", "x"] {
            on.raw.tell(&["HSET", KEY, field, bad]).await;
            let reply = on.first().run(&Identity::read(tag())).await.unwrap();
            let refused = Found::parse(reply).unwrap_err();
            assert!(refused.contains("bad number"), "{field}={bad}: {refused}");
        }
        on.raw.tell(&["HSET", KEY, field, &whole[field]]).await;
    }
    assert_eq!(found(on.first()).await, Found::Identity(identity()));
}
