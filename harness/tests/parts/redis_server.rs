//! What tests do to Redis servers has the effect that it should have.

use std::time::Duration;

use shardcart_harness::RedisServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_server_keeps_its_data_when_killed_and_loses_it_when_wiped() {
    let mut server = RedisServer::start().await;
    let set = async |server: &RedisServer| {
        let mut connection = server.connection().await;
        redis::cmd("INCR").arg("count").query_async::<u64>(&mut connection).await.expect("Redis counts")
    };
    assert_eq!(set(&server).await, 1);
    server.kill9();
    server.restart().await;
    assert_eq!(set(&server).await, 2);
    server.restart().await;
    assert_eq!(set(&server).await, 3);
    server.wipe();
    server.restart().await;
    assert_eq!(set(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_redis_server_is_silent_and_carries_on_when_resumed() {
    let server = RedisServer::start().await;
    let mut connection = server.connection().await;
    server.pause();
    let ping = async || redis::cmd("PING").query_async::<String>(&mut connection.clone()).await;
    let silent = tokio::time::timeout(Duration::from_millis(200), ping()).await;
    assert!(silent.is_err(), "{silent:?}");
    server.resume();
    let pong: String = redis::cmd("PING").query_async(&mut connection).await.expect("it runs on");
    assert_eq!(pong, "PONG");
}
