//! Pipelines: many calls at once, each with its own reply, whatever becomes of the others.

use futures_util::future::join_all;
use shardcart_store::script::Call;
use shardcart_store::shard_error::ShardError;

use crate::support::{TestShards, add, number, subtract};

fn numbers(replies: Vec<Result<redis::Value, ShardError>>) -> Vec<i64> {
    replies.into_iter().map(|reply| number(reply.expect("the call was done"))).collect()
}

/// In the middle of a pipeline, what another client's flush does there.
fn flush() -> Call {
    let mut flush = redis::cmd("SCRIPT");
    flush.arg("FLUSH");
    Call::read(flush)
}

#[actix_web::test]
async fn a_pipeline_gives_each_call_its_reply_in_order() {
    let on = TestShards::start("stock").await;
    let calls = (1..=100).map(|number| add("n", number)).collect();
    let expected: Vec<i64> = (1..=100)
        .scan(0, |sum, number| {
            *sum += number;
            Some(*sum)
        })
        .collect();
    assert_eq!(numbers(on.first().run_all(calls).await.unwrap()), expected);
}

#[actix_web::test]
async fn a_pipeline_without_calls_needs_no_server() {
    let mut on = TestShards::start("stock").await;
    on.servers[0].kill9();
    assert!(on.first().run_all(Vec::new()).await.unwrap().is_empty());
}

#[actix_web::test]
async fn a_pipeline_longer_than_any_buffer_is_done_once() {
    let on = TestShards::start("stock").await;
    let calls = (0..20_000).map(|_| add("n", 1)).collect();
    assert_eq!(numbers(on.first().run_all(calls).await.unwrap()), (1..=20_000).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_pipeline_whose_scripts_are_all_missing_is_done_once_in_order() {
    let on = TestShards::start("stock").await;
    for round in 0..3 {
        on.raw.tell(&["DEL", "n"]).await;
        on.raw.forget_scripts().await;
        let calls = (0..50).flat_map(|_| [add("n", 2), subtract("n", 1)]).collect();
        let expected: Vec<i64> = (0..50).flat_map(|sum| [sum + 2, sum + 1]).collect();
        assert_eq!(numbers(on.first().run_all(calls).await.unwrap()), expected, "round {round}");
    }
}

#[actix_web::test]
async fn a_flush_in_the_middle_of_a_pipeline_loses_and_doubles_nothing() {
    let on = TestShards::start("stock").await;
    on.first().run(&add("n", 0)).await.unwrap();
    on.first().run(&subtract("n", 0)).await.unwrap();
    let calls = |count| (0..count).map(|_| add("n", 1));
    let all = calls(30).chain([flush()]).chain(calls(20)).chain([subtract("n", 5)]).collect();

    let replies = on.first().run_all(all).await.unwrap();

    assert_eq!(replies.len(), 52);
    let (first, rest) = replies.split_at(30);
    assert_eq!(numbers(first.to_vec()), (1..=30).collect::<Vec<_>>());
    assert_eq!(numbers(rest[1..].to_vec()), (31..=50).chain([45]).collect::<Vec<_>>());
    assert_eq!(on.raw.text("n").await.as_deref(), Some("45"));
}

#[actix_web::test]
async fn a_pipeline_that_finds_some_scripts_missing_does_every_call_once() {
    let on = TestShards::start("stock").await;
    on.raw.forget_scripts().await;
    on.first().run(&add("a", 0)).await.unwrap();
    // `count_down.lua` is missing: its calls are done after the others, each in its own place.
    let calls = vec![add("a", 1), subtract("b", 1), add("a", 1), subtract("b", 1)];
    assert_eq!(numbers(on.first().run_all(calls).await.unwrap()), [1, -1, 2, -2]);
}

#[actix_web::test]
async fn a_call_that_fails_in_a_pipeline_holds_up_no_other() {
    let on = TestShards::start("stock").await;
    on.raw.tell(&["SET", "text", "no number"]).await;
    on.raw.forget_scripts().await;
    let replies = on.first().run_all(vec![add("n", 1), add("text", 1), add("n", 1)]).await.unwrap();
    let done: Vec<bool> = replies.iter().map(Result::is_ok).collect();
    assert_eq!(done, [true, false, true]);
    assert!(matches!(replies[1], Err(ShardError::Unanswered { .. })), "{:?}", replies[1]);
    assert_eq!(on.raw.text("n").await.as_deref(), Some("2"));
}

#[actix_web::test]
async fn a_pipeline_on_a_full_server_is_refused_call_by_call() {
    let on = TestShards::start("stock").await;
    on.raw.tell(&["SET", "here", "7"]).await;
    on.raw.fill().await;
    let mut get = redis::cmd("GET");
    get.arg("here");
    let replies = on.first().run_all(vec![add("n", 1), Call::read(get)]).await.unwrap();
    assert!(matches!(replies[0], Err(ShardError::Refused { .. })), "{:?}", replies[0]);
    assert!(replies[1].is_ok());
    assert_eq!(on.raw.text("n").await, None);
}

#[actix_web::test]
async fn pipelines_and_calls_at_once_with_flushes_between_them_are_each_done_once() {
    let on = TestShards::start("stock").await;
    on.first().run(&add("n", 0)).await.unwrap();
    let pipelines = join_all((0..20).map(|_| on.first().run_all((0..10).map(|_| add("n", 1)).collect())));
    let flushes = async {
        for _ in 0..20 {
            on.raw.forget_scripts().await;
        }
    };
    let (pipelines, ()) = futures_util::future::join(pipelines, flushes).await;
    // A call that meets a flush twice is refused, not half done: what was acknowledged counts.
    let replies: Vec<_> = pipelines.into_iter().flat_map(Result::unwrap).collect();
    let done = replies.iter().filter(|reply| reply.is_ok()).count();
    for refused in replies.iter().filter_map(|reply| reply.as_ref().err()) {
        assert!(matches!(refused, ShardError::Refused { .. }), "{refused}");
    }
    assert_eq!(on.raw.text("n").await, Some(done.to_string()));
}
