//! Connections to a shard: shared by all, and mended when they break.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use futures_util::future::{join, join_all};
use shardcart_harness::eventually;
use shardcart_store::membership::{Fatal, Membership};
use shardcart_store::script::Call;
use shardcart_store::settings::RedisSettings;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::support::{PATIENCE, Raw, TestShards, add, addresses, count, impatient, number, server, settings};

/// How many connections a server has ever taken, but for those that this question needs.
async fn connections_ever(raw: &Raw) -> u64 {
    let stats: String = raw.ask(&["INFO", "stats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    line.and_then(|count| count.trim().parse().ok()).expect("Redis counts its connections")
}

/// The connections that a server has now, by number.
async fn connections_now(raw: &Raw) -> Vec<String> {
    let list: String = raw.ask(&["CLIENT", "LIST", "TYPE", "normal"]).await;
    list.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// Breaks every connection but the test's own, and lets this thread take note of it.
async fn break_connections(raw: &Raw) {
    raw.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    eventually("the connections are gone", PATIENCE, async || (connections_now(raw).await.len() == 1).then_some(()))
        .await;
}

#[actix_web::test]
async fn first_calls_at_once_share_one_connection() {
    let on = TestShards::start("stock").await;
    let before = connections_ever(&on.raw).await;

    let counts = join_all((0..50).map(|_| count(on.first()))).await;

    let mut counts: Vec<i64> = counts.into_iter().map(|count| count.unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<_>>());
    assert_eq!(connections_ever(&on.raw).await, before + 1);
    // Those of the start are closed; the test's own is left.
    eventually("one shared connection is left", PATIENCE, async || {
        (connections_now(&on.raw).await.len() == 2).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn calls_stay_on_the_connections_that_were_made() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    let before = connections_ever(&on.raw).await;
    for _ in 0..10 {
        join_all((0..20).map(|_| count(on.first()))).await;
    }
    assert_eq!(connections_ever(&on.raw).await, before);
}

#[actix_web::test]
async fn calls_are_spread_over_as_many_connections_as_are_set() {
    let several = RedisSettings { redis_connections: 3, ..settings() };
    let on = TestShards::on("stock", vec![server().await], &several).await;
    let before = connections_ever(&on.raw).await;
    let counts = join_all((0..60).map(|_| count(on.first()))).await;
    assert!(counts.iter().all(Result::is_ok), "{counts:?}");
    assert_eq!(connections_ever(&on.raw).await, before + 3);
}

#[actix_web::test]
async fn a_call_after_its_connection_was_killed_succeeds() {
    let on = TestShards::start("stock").await;
    for number in 1..=20 {
        assert_eq!(count(on.first()).await.unwrap(), number);
        break_connections(&on.raw).await;
    }
    assert_eq!(on.raw.text("n").await.as_deref(), Some("20"), "each was done once");
}

#[actix_web::test]
async fn calls_at_once_after_a_kill_share_one_new_connection() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    break_connections(&on.raw).await;
    let before = connections_ever(&on.raw).await;
    let counts = join_all((0..50).map(|_| count(on.first()))).await;
    assert!(counts.iter().all(Result::is_ok), "{counts:?}");
    assert_eq!(connections_ever(&on.raw).await, before + 1);
}

#[actix_web::test]
async fn calls_whose_connection_breaks_under_them_are_unanswered_or_done_but_never_twice() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    let mut done = 1;
    let mut unanswered = 0;
    for _ in 0..20 {
        let calls = join_all((0..20).map(|_| count(on.first())));
        let kill = on.raw.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let (counts, ()) = join(calls, kill).await;
        for count in counts {
            match count {
                Ok(_) => done += 1,
                Err(ShardError::Unanswered { .. }) => unanswered += 1,
                // The new connection was broken while it was made: nothing was sent over it.
                Err(ShardError::Unreachable { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
    let runs: i64 = on.raw.text("n").await.unwrap().parse().unwrap();
    assert!((done..=done + unanswered).contains(&runs), "{done} done, {unanswered} unanswered, {runs} runs");
}

#[actix_web::test]
async fn a_call_after_a_restart_on_the_same_address_succeeds() {
    let mut on = TestShards::start("stock").await;
    for number in 1..=3 {
        assert_eq!(count(on.first()).await.unwrap(), number);
        on.servers[0].kill9();
        on.servers[0].restart().await;
    }
    assert_eq!(count(on.first()).await.unwrap(), 4, "with the data that it left, and without its scripts");
}

#[actix_web::test]
async fn calls_to_a_server_that_is_gone_are_surely_not_done() {
    let mut on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    on.servers[0].kill9();
    // The first may find the connection broken under it.
    let _ = count(on.first()).await;

    for failed in join_all((0..20).map(|_| count(on.first()))).await {
        assert!(matches!(failed, Err(ShardError::Unreachable { shard: 0, .. })), "{failed:?}");
    }
    assert!(on.first().is_silent());
    assert_eq!(on.shards.silent().await, [0]);

    on.servers[0].restart().await;
    assert_eq!(count(on.first()).await.unwrap(), 2);
    assert!(on.shards.silent().await.is_empty());
}

#[actix_web::test]
async fn a_stopped_server_leaves_calls_unanswered_and_serves_again_when_it_runs_on() {
    let on = TestShards::on("stock", vec![server().await], &impatient()).await;
    count(on.first()).await.unwrap();
    on.servers[0].pause();

    let silent = tokio::time::timeout(PATIENCE, count(on.first())).await.expect("no call waits for ever");
    assert!(matches!(silent, Err(ShardError::Unanswered { shard: 0, .. })), "{silent:?}");
    // A new connection is accepted by the kernel, and says nothing.
    let silent = tokio::time::timeout(PATIENCE, count(on.first())).await.expect("no call waits for ever");
    assert!(matches!(silent, Err(ShardError::Unreachable { shard: 0, .. })), "{silent:?}");

    on.servers[0].resume();
    let counted = count(on.first()).await.unwrap();
    assert_eq!(counted, 3, "the unanswered one was done after all, the unreachable one was not");
}

#[actix_web::test]
async fn a_stopped_server_leaves_every_call_under_way_unanswered_and_costs_one_new_connection() {
    let on = TestShards::on("stock", vec![server().await], &impatient()).await;
    count(on.first()).await.unwrap();
    let before = connections_ever(&on.raw).await;
    on.servers[0].pause();
    let silent = join_all((0..30).map(|_| count(on.first()))).await;
    on.servers[0].resume();
    for failed in silent {
        assert!(matches!(failed, Err(ShardError::Unanswered { .. })), "{failed:?}");
    }

    for _ in 0..30 {
        count(on.first()).await.unwrap();
    }
    assert_eq!(connections_ever(&on.raw).await, before + 1, "late failures do not give up the new connection");
    assert_eq!(on.raw.text("n").await.as_deref(), Some("61"));
}

#[actix_web::test]
async fn a_failure_that_comes_late_does_not_give_up_the_connection_made_since() {
    let on = Rc::new(TestShards::on("stock", vec![server().await], &impatient()).await);
    let stuck = |call: Call| {
        let on = Rc::clone(&on);
        rt::spawn(async move { on.first().run(&call).await })
    };
    loop {
        count(on.first()).await.unwrap();
        let before = connections_ever(&on.raw).await;
        // One call keeps the connection busy for ever; another is stuck behind it, and so fails later.
        let mut forever = redis::cmd("XREAD");
        forever.arg("BLOCK").arg(0).arg("STREAMS").arg("nothing").arg("$");
        let first = stuck(Call::read(forever));
        rt::time::sleep(Duration::from_millis(400)).await;
        let second = stuck(add("late", 1));

        let failed = first.await.unwrap();
        assert!(matches!(failed, Err(ShardError::Unanswered { .. })), "{failed:?}");
        count(on.first()).await.expect("a new connection is made");
        match second.await.unwrap() {
            Err(ShardError::Unanswered { .. }) => {}
            Err(other) => panic!("{other}"),
            // It came too late to get stuck: on so slow a machine, try again.
            Ok(_) => continue,
        }
        count(on.first()).await.unwrap();
        assert_eq!(connections_ever(&on.raw).await, before + 1);
        return;
    }
}

#[actix_web::test]
async fn a_server_that_becomes_a_replica_is_left_and_taken_again_when_it_is_a_primary() {
    let on = TestShards::on("stock", vec![server().await], &impatient()).await;
    count(on.first()).await.unwrap();
    on.raw.tell(&["REPLICAOF", "127.0.0.1", "1"]).await;

    let refused = count(on.first()).await;
    assert!(matches!(refused, Err(ShardError::Refused { .. })), "surely not done: {refused:?}");
    let refused = count(on.first()).await;
    assert!(matches!(refused, Err(ShardError::Unreachable { .. })), "not even asked: {refused:?}");

    on.raw.tell(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(count(on.first()).await.unwrap(), 2);
}

#[actix_web::test]
async fn a_full_server_refuses_and_its_connection_is_kept() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    let before = connections_ever(&on.raw).await;
    on.raw.fill().await;
    let refused = count(on.first()).await;
    assert!(matches!(refused, Err(ShardError::Refused { .. })), "{refused:?}");
    on.raw.make_room().await;
    assert_eq!(count(on.first()).await.unwrap(), 2);
    assert_eq!(connections_ever(&on.raw).await, before);
}

#[actix_web::test]
async fn a_script_that_fails_leaves_it_open_what_happened() {
    let on = TestShards::start("stock").await;
    on.raw.tell(&["SET", "text", "no number"]).await;
    let failed = on.first().run(&add("text", 1)).await;
    assert!(matches!(failed, Err(ShardError::Unanswered { .. })), "{failed:?}");
    assert_eq!(count(on.first()).await.unwrap(), 1, "and the connection is good");
}

/// Why the machine has to stop.
async fn cause_to_stop(fatal: &Fatal) -> String {
    tokio::time::timeout(PATIENCE, fatal.raised()).await.expect("the machine has to stop")
}

/// A data set on one server, and what raises its alarm.
async fn with_alarm() -> (TestShards, Fatal, Shards) {
    let on = TestShards::start("stock").await;
    let fatal = Fatal::default();
    let joined = Membership::establish("stock", addresses(&on.servers), None, &settings(), fatal.clone()).await;
    let shards = Shards::new(&joined.expect("the data set is there")).expect("the settings made shards before");
    count(shards.shard(0).expect("there is a shard 0")).await.expect("the shard answers");
    (on, fatal, shards)
}

#[actix_web::test]
async fn a_server_that_comes_back_empty_is_not_used_and_stops_the_machine() {
    let (mut on, fatal, shards) = with_alarm().await;
    on.servers[0].wipe();
    on.servers[0].restart().await;
    let raw = Raw::of(&on.servers[0]).await;

    let refused = count(shards.shard(0).unwrap()).await;

    assert!(matches!(refused, Err(ShardError::Unreachable { .. })), "{refused:?}");
    let cause = cause_to_stop(&fatal).await;
    assert!(cause.contains("shard 0 came back empty"), "{cause}");
    let size: u64 = raw.ask(&["DBSIZE"]).await;
    assert_eq!(size, 0, "nothing was written to it");
}

#[actix_web::test]
async fn a_server_with_another_identity_is_not_used_and_stops_the_machine() {
    for (field, value, expected) in [
        ("data_set", "another", "belongs to another data set (another"),
        ("service", "payment", "belongs to the payment service, not to stock"),
        ("shard", "1", "at place 0 stands shard 1"),
        ("schema", "4", "has schema 4, this release knows 3"),
        ("tag", "s1hvf", "has the tag s1hvf, and its keys have s0ei"),
        ("currency", "USD", "is in USD, not in EUR"),
        ("founding", "7", "was founded with 7 shards"),
    ] {
        let (on, fatal, shards) = with_alarm().await;
        on.raw.tell(&["HSET", "{s0ei}:identity", field, value]).await;
        assert_eq!(count(shards.shard(0).unwrap()).await.unwrap(), 2, "an admitted connection is not asked again");
        break_connections(&on.raw).await;

        let refused = count(shards.shard(0).unwrap()).await;

        assert!(matches!(refused, Err(ShardError::Unreachable { .. })), "{field}: {refused:?}");
        let cause = cause_to_stop(&fatal).await;
        assert!(cause.contains(expected), "{field}: {cause}");
        assert_eq!(on.raw.text("n").await.as_deref(), Some("2"), "{field}");
    }
}

#[actix_web::test]
async fn a_server_that_is_set_to_evict_is_not_used_and_stops_the_machine() {
    let (on, fatal, shards) = with_alarm().await;
    on.raw.tell(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    break_connections(&on.raw).await;
    assert!(count(shards.shard(0).unwrap()).await.is_err());
    let cause = cause_to_stop(&fatal).await;
    assert!(cause.contains("maxmemory-policy allkeys-lru"), "{cause}");
}

#[actix_web::test]
async fn members_that_were_added_since_are_no_reason_to_stop() {
    let (on, _, shards) = with_alarm().await;
    on.raw.tell(&["HSET", "{s0ei}:identity", "members", "5"]).await;
    break_connections(&on.raw).await;
    assert_eq!(count(shards.shard(0).unwrap()).await.unwrap(), 2);
}

#[actix_web::test]
async fn a_new_connection_is_admitted_though_the_server_has_forgotten_its_scripts() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    on.raw.forget_scripts().await;
    break_connections(&on.raw).await;
    assert_eq!(count(on.first()).await.unwrap(), 2);
}

#[actix_web::test]
async fn a_password_is_sent_on_every_connection_and_a_wrong_one_is_told() {
    let protected = server().await;
    let raw = Raw::of(&protected).await;
    raw.tell(&["CONFIG", "SET", "requirepass", "open sesame"]).await;
    let servers = [protected];
    for wrong in [None, Some("open barley")] {
        let settings = RedisSettings { redis_password: wrong.map(Into::into), ..impatient() };
        let refused = Membership::establish("stock", addresses(&servers), None, &settings, Fatal::default()).await;
        let refused = refused.unwrap_err();
        assert!(refused.contains("is REDIS_PASSWORD right?"), "{refused}");
        assert!(!refused.contains("open"), "secrets are not shown: {refused}");
    }
    let right = RedisSettings { redis_password: Some("open sesame".into()), ..settings() };
    let joined = Membership::establish("stock", addresses(&servers), None, &right, Fatal::default()).await;
    let shards = Shards::new(&joined.unwrap()).unwrap();
    for number in 1..=2 {
        assert_eq!(count(shards.shard(0).unwrap()).await.unwrap(), number);
        raw.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        eventually("the connection is gone", PATIENCE, async || (connections_now(&raw).await.len() == 1).then_some(()))
            .await;
    }
}

#[actix_web::test]
async fn bulk_calls_have_connections_of_their_own_and_are_done_once() {
    let on = TestShards::start("stock").await;
    count(on.first()).await.unwrap();
    let before = connections_ever(&on.raw).await;
    on.raw.forget_scripts().await;

    let call = add("bulk", 1);
    let bulk = join_all((0..20).map(|_| on.first().run_bulk(&call))).await;

    let mut numbers: Vec<i64> = bulk.into_iter().map(|reply| number(reply.unwrap())).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    let made = connections_ever(&on.raw).await - before;
    assert!((1..=5).contains(&made), "{made} connections for 20 bulk calls");
    break_connections(&on.raw).await;
    assert_eq!(number(on.first().run_bulk(&call).await.unwrap()), 21, "a broken one is not lent again");
}
