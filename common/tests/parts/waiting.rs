//! Waiting for replicas: what is answered is on them, and many calls share one wait.

use std::time::Duration;

use futures_util::future::{join, join_all};
use shardcart_common::script::{Call, Script};
use shardcart_common::settings::RedisSettings;
use shardcart_common::shard::ShardError;
use shardcart_harness::{Disk, Fsync, RedisServer, eventually};

use crate::support::{PATIENCE, Raw, TestShards, add, count, impatient, number, server, settings, subtract};

/// A shard whose one replica is waited for.
struct Replicated {
    on: TestShards,
    replica: RedisServer,
    /// What lies on the replica.
    copy: Raw,
}

/// How shards are reached by a machine that waits for one replica, and loses patience with it, but not with a slow one.
fn waiting() -> RedisSettings {
    RedisSettings { redis_wait_timeout_ms: Duration::from_millis(1_500), ..patient() }
}

/// The same with far more patience than a service has.
fn patient() -> RedisSettings {
    RedisSettings { redis_wait_replicas: 1, ..settings() }
}

impl Replicated {
    async fn start(settings: &RedisSettings) -> Replicated {
        let on = TestShards::on("stock", vec![server().await], settings).await;
        let replica = RedisServer::start_replica_of(&on.servers[0]).await;
        let copy = Raw::of(&replica).await;
        Replicated { on, replica, copy }
    }
}

/// How often a server has run a command.
async fn times(raw: &Raw, command: &str) -> u64 {
    let stats: String = raw.ask(&["INFO", "commandstats"]).await;
    let calls = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    calls.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

fn get(key: &str) -> Call {
    let mut get = redis::cmd("GET");
    get.arg(key);
    Call::read(get)
}

fn is_unanswered<T: std::fmt::Debug>(result: &Result<T, ShardError>) -> bool {
    matches!(result, Err(ShardError::Unanswered { shard: 0, .. }))
}

#[actix_web::test]
async fn what_was_answered_is_on_the_replica() {
    let with = Replicated::start(&patient()).await;
    for expected in 1..=20 {
        assert_eq!(count(with.on.first()).await.unwrap(), expected);
        assert_eq!(with.copy.text("n").await, Some(expected.to_string()));
    }
    let replies = with.on.first().run_all(vec![add("n", 5), add("m", 1), subtract("n", 1)]).await.unwrap();
    assert_eq!(replies.into_iter().map(|reply| number(reply.unwrap())).collect::<Vec<_>>(), [25, 1, 24]);
    assert_eq!(with.copy.text("n").await.as_deref(), Some("24"));
    assert_eq!(number(with.on.first().run_bulk(&add("n", 1)).await.unwrap()), 25);
    assert_eq!(with.copy.text("n").await.as_deref(), Some("25"));
}

#[actix_web::test]
async fn without_a_replica_it_is_open_what_happened_and_with_one_the_truth_is_told() {
    let with = Replicated::start(&waiting()).await;
    count(with.on.first()).await.unwrap();
    with.replica.cut_off().await;

    let counted = count(with.on.first()).await;
    assert!(is_unanswered(&counted), "{counted:?}");
    assert!(with.on.first().is_silent(), "who can choose asks another shard");
    let counted = with.on.first().run_all(vec![add("n", 1), add("n", 1)]).await;
    assert!(is_unanswered(&counted), "{counted:?}");
    let read = with.on.first().run(&get("n")).await;
    assert!(is_unanswered(&read), "what is read may be lost as well: {read:?}");
    assert_eq!(with.on.raw.text("n").await.as_deref(), Some("4"), "all of it happened, once");
    assert_eq!(with.copy.text("n").await.as_deref(), Some("1"));

    with.replica.follow(&with.on.servers[0]).await;
    assert_eq!(count(with.on.first()).await.unwrap(), 5);
    assert_eq!(with.copy.text("n").await.as_deref(), Some("5"));
}

#[actix_web::test]
async fn what_others_wrote_is_not_told_before_the_replica_has_it() {
    let with = Replicated::start(&waiting()).await;
    with.replica.pause();
    with.on.raw.tell(&["SET", "theirs", "7"]).await;
    let read = with.on.first().run(&get("theirs")).await;
    assert!(is_unanswered(&read), "{read:?}");
    with.replica.resume();
    eventually("it is told", PATIENCE, async || {
        let told = with.on.first().run(&get("theirs")).await.ok()?;
        (told == redis::Value::BulkString(b"7".to_vec())).then_some(())
    })
    .await;
    assert_eq!(with.copy.text("theirs").await.as_deref(), Some("7"));
}

#[actix_web::test]
async fn a_replica_that_syncs_always_counts_when_it_has_it_on_its_disk() {
    let on = TestShards::on("stock", vec![server().await], &waiting()).await;
    let replica = RedisServer::start_on(Disk::new(Duration::ZERO), Fsync::Always).await;
    replica.follow(&on.servers[0]).await;
    eventually("it serves", PATIENCE, async || count(on.first()).await.ok()).await;
    replica.disk().hold();
    let counted = count(on.first()).await;
    assert!(is_unanswered(&counted), "{counted:?}");
    replica.disk().release();
    eventually("it serves again", PATIENCE, async || count(on.first()).await.ok()).await;
}

#[actix_web::test]
async fn a_batch_that_only_reads_marks_the_stream_and_leaves_nothing_behind() {
    let with = Replicated::start(&patient()).await;
    let (keys, marks): (u64, u64) = (with.on.raw.ask(&["DBSIZE"]).await, times(&with.copy, "publish").await);
    for _ in 0..5 {
        with.on.first().run(&get("nothing")).await.unwrap();
    }
    assert_eq!(times(&with.copy, "publish").await, marks + 5, "the replica has seen the marks");
    assert_eq!(with.on.raw.ask::<u64>(&["DBSIZE"]).await, keys);
}

#[actix_web::test]
async fn calls_at_once_share_waits_and_are_each_done_once() {
    let with = Replicated::start(&patient()).await;
    let before = times(&with.on.raw, "wait").await;
    let mut counts = Vec::new();
    for _ in 0..5 {
        counts.extend(join_all((0..200).map(|_| count(with.on.first()))).await);
    }
    let mut counts: Vec<i64> = counts.into_iter().map(Result::unwrap).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=1000).collect::<Vec<_>>());
    let waits = times(&with.on.raw, "wait").await - before;
    assert!(waits <= 100, "{waits} waits for 1000 calls");
}

#[actix_web::test]
async fn every_caller_gets_the_replies_to_its_own_calls() {
    let with = Replicated::start(&patient()).await;
    let groups = join_all((0..50_i64).map(|group| {
        let key = format!("group-{group}");
        let calls = (0..group % 7 + 1).map(|_| add(&key, group + 1)).collect();
        let shard = with.on.first();
        async move { shard.run_all(calls).await }
    }));
    for (group, replies) in (0_i64..).zip(groups.await) {
        let replies: Vec<i64> = replies.unwrap().into_iter().map(|reply| number(reply.unwrap())).collect();
        assert_eq!(replies, (1..=group % 7 + 1).map(|time| time * (group + 1)).collect::<Vec<_>>());
    }
}

#[actix_web::test]
async fn the_server_itself_is_asked_while_calls_wait() {
    let with = Replicated::start(&patient()).await;
    count(with.on.first()).await.unwrap();
    with.replica.pause();
    let waiting = count(with.on.first());
    let asking = async {
        eventually("the call waits", PATIENCE, async || {
            let info: String = with.on.raw.ask(&["INFO", "clients"]).await;
            info.contains("blocked_clients:1").then_some(())
        })
        .await;
        assert!(with.on.shards.silent().await.is_empty(), "it answers");
        assert!(with.on.first().ask_bulk(&get("nothing")).await.is_ok(), "it answers what is large, too");
        let info: String = with.on.raw.ask(&["INFO", "clients"]).await;
        assert!(info.contains("blocked_clients:1"), "the call still waits, and nobody else does: {info}");
        with.replica.resume();
    };
    assert_eq!(join(waiting, asking).await.0.unwrap(), 2);
}

#[actix_web::test]
async fn missing_scripts_are_loaded_and_what_they_did_is_waited_for() {
    let with = Replicated::start(&patient()).await;
    for round in 1..=5 {
        with.on.raw.forget_scripts().await;
        let calls = vec![add("a", 1), get("a"), subtract("b", 1), add("a", 1)];
        let replies = with.on.first().run_all(calls).await.unwrap();
        assert!(replies.iter().all(Result::is_ok), "{replies:?}");
        assert_eq!(with.copy.text("a").await, Some((2 * round).to_string()));
        assert_eq!(with.copy.text("b").await, Some((-round).to_string()));
        with.on.raw.forget_scripts().await;
        assert_eq!(number(with.on.first().run_bulk(&add("bulk", 1)).await.unwrap()), round);
    }
}

#[actix_web::test]
async fn a_full_server_refuses_what_needs_room_and_the_rest_is_answered() {
    static END: std::sync::LazyLock<Script> = std::sync::LazyLock::new(|| {
        Script::new("end.lua", "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])")
    });
    let with = Replicated::start(&patient()).await;
    with.on.raw.fill().await;
    let replies = with.on.first().run_all(vec![add("n", 1), END.keys(&["ended"]), get("n")]).await.unwrap();
    assert!(matches!(replies[0], Err(ShardError::Refused { .. })), "{replies:?}");
    assert!(replies[1].is_ok() && replies[2].is_ok(), "{replies:?}");
    assert_eq!(with.copy.text("ended").await.as_deref(), Some("1"));
}

#[actix_web::test]
async fn calls_after_their_connections_were_killed_succeed() {
    let with = Replicated::start(&patient()).await;
    for expected in 1..=10 {
        assert_eq!(count(with.on.first()).await.unwrap(), expected);
        with.on.raw.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    }
}

#[actix_web::test]
async fn what_may_be_repeated_is_sent_again_when_its_connection_breaks_and_the_rest_is_not() {
    let with = Replicated::start(&patient()).await;
    count(with.on.first()).await.unwrap();
    with.replica.pause();
    let (once, twice) = (add("once", 1), add("twice", 1).repeatable());
    let calls = join(with.on.first().run(&once), with.on.first().run(&twice));
    let breaking = async {
        eventually("the batch waits", PATIENCE, async || {
            let info: String = with.on.raw.ask(&["INFO", "clients"]).await;
            info.contains("blocked_clients:1").then_some(())
        })
        .await;
        with.on.raw.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        with.replica.resume();
    };
    let ((once, twice), ()) = join(calls, breaking).await;
    assert!(is_unanswered(&once), "{once:?}");
    assert_eq!(number(twice.unwrap()), 2, "it ran twice");
    assert_eq!(with.copy.text("once").await.as_deref(), Some("1"));
}

#[actix_web::test]
async fn calls_to_a_server_that_is_gone_are_surely_not_done() {
    let mut with = Replicated::start(&waiting()).await;
    count(with.on.first()).await.unwrap();
    with.on.servers[0].kill9();
    let _ = count(with.on.first()).await;
    for failed in join_all((0..20).map(|_| count(with.on.first()))).await {
        assert!(matches!(failed, Err(ShardError::Unreachable { shard: 0, .. })), "{failed:?}");
    }
}

#[actix_web::test]
async fn a_silent_server_leaves_every_call_in_bounded_time() {
    let settings = RedisSettings { redis_wait_timeout_ms: Duration::from_millis(300), ..impatient() };
    let with = Replicated::start(&RedisSettings { redis_wait_replicas: 1, ..settings }).await;
    eventually("it serves", PATIENCE, async || count(with.on.first()).await.ok()).await;
    with.on.servers[0].pause();
    let calls = join_all((0..50).map(|_| count(with.on.first())));
    let failed = tokio::time::timeout(PATIENCE, calls).await.expect("no call waits for ever");
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    with.on.servers[0].resume();
    eventually("it serves again", PATIENCE, async || count(with.on.first()).await.ok()).await;
}

#[actix_web::test]
async fn a_primary_that_was_demoted_tells_nothing_any_more() {
    let with = Replicated::start(&waiting()).await;
    count(with.on.first()).await.unwrap();
    with.replica.promote().await;
    with.on.servers[0].follow(&with.replica).await;
    let read = with.on.first().run(&get("n")).await;
    assert!(read.is_err(), "{read:?}");
    let read = with.on.first().run(&get("n")).await;
    assert!(matches!(read, Err(ShardError::Unreachable { .. })), "not even asked: {read:?}");
}
