//! Records of idempotency keys: computed answers, callers, and how large a record is.

use std::sync::LazyLock;

use shardcart_schema::limit::IDEMPOTENCY_ANSWER_MAX;
use shardcart_store::idempotency::IdempotencyKey;
use shardcart_store::script::{Script, words};

use crate::support::TestShards;

/// Counts its runs, and answers with a text that ends with their number: ARGV[1] is how long it is.
static COUNT_AND_TELL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "count_and_tell.lua",
        "#!lua\nlocal runs = tostring(redis.call('INCR', KEYS[2]))\n\
         return { REPLY.DONE, string.rep(' ', tonumber(ARGV[1]) - #runs) .. runs }",
    )
});

/// What the script above is run on: a record that is not there, and a number.
const KEYS: [&str; 2] = ["target", "runs"];

fn key(caller: &str) -> IdempotencyKey {
    IdempotencyKey::parse(b"key").expect("a well-formed key").scoped(caller)
}

async fn tell(on: &TestShards, key: &IdempotencyKey, length: usize) -> Vec<String> {
    let once = key.change(on.first(), "7", format_args!("tell {length}"));
    let call = COUNT_AND_TELL.once(Some(once), &KEYS.map(str::to_owned)).arg(length);
    words(on.first().run(&call).await.expect("the shard answers"))
}

#[actix_web::test]
async fn a_replay_gets_the_answer_that_the_script_computed() {
    for length in [1, 5, IDEMPOTENCY_ANSWER_MAX] {
        let on = TestShards::start("stock").await;
        let answer = format!("{:>length$}", 1);
        assert_eq!(tell(&on, &key(""), length).await, ["DONE", &answer]);
        for _ in 0..2 {
            assert_eq!(tell(&on, &key(""), length).await, ["REPLAYED", &answer]);
        }
        assert_eq!(tell(&on, &key(""), length + 1).await, ["REUSED"]);
        assert_eq!(on.raw.text("runs").await.as_deref(), Some("1"));
    }
}

#[actix_web::test]
async fn an_answer_that_is_too_long_is_not_kept_and_nothing_is_done_twice() {
    let on = TestShards::start("stock").await;
    let length = IDEMPOTENCY_ANSWER_MAX + 1;
    assert_eq!(tell(&on, &key(""), length).await, ["DONE", &format!("{:>length$}", 1)]);
    assert_eq!(tell(&on, &key(""), length).await, ["REPLAYED", "-"]);
    assert_eq!(on.raw.text("runs").await.as_deref(), Some("1"));
}

#[actix_web::test]
async fn the_same_key_of_another_caller_is_another_key() {
    let on = TestShards::start("stock").await;
    for (runs, caller) in [(1, ""), (2, "a"), (3, "b")] {
        let answer = runs.to_string();
        assert_eq!(tell(&on, &key(caller), 1).await, ["DONE", &answer]);
        assert_eq!(tell(&on, &key(caller), 1).await, ["REPLAYED", &answer]);
    }
}

#[actix_web::test]
async fn a_record_is_as_large_for_the_longest_key_and_request_as_for_the_shortest() {
    let on = TestShards::start("stock").await;
    let (short, long) = ("k".to_owned(), "~".repeat(255));
    let mut sizes = Vec::new();
    for (name, target, request) in [(&short, "7", "r".to_owned()), (&long, &"i".repeat(64), "r".repeat(10_000))] {
        let key = IdempotencyKey::parse(name.as_bytes()).expect("a well-formed key").scoped(name);
        let record = key.change(on.first(), target, &request).record().to_owned();
        let once = key.change(on.first(), target, &request);
        let call = COUNT_AND_TELL.once(Some(once), &KEYS.map(str::to_owned)).arg(1);
        on.first().run(&call).await.expect("the shard answers");
        sizes.push(on.raw.ask::<u64>(&["MEMORY", "USAGE", &record]).await);
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0] <= 160, "{sizes:?} bytes");
}
