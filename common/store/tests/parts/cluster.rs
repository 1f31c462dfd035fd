//! A script may span one shard: on a server of a cluster, keys of two shards in one call are an error.

use shardcart_harness::RedisServer;
use shardcart_schema::reservation_record;
use shardcart_store::scan;
use shardcart_store::shard_error::ShardError;

use crate::support::{TestShards, settings};

/// Whether the server refused because of the slots of the keys.
fn is_about_slots<T>(result: &Result<T, ShardError>) -> bool {
    result.as_ref().is_err_and(|error| error.to_string().to_lowercase().contains("slot"))
}

#[actix_web::test]
async fn a_script_that_touches_keys_of_two_shards_is_refused() {
    let on = TestShards::on("stock", vec![RedisServer::start_as_cluster().await], &settings()).await;
    let [here, there] = ["{s0ei}:item:a", "{s1hvf}:item:a"].map(str::to_owned);
    assert!(scan::records(on.first(), std::slice::from_ref(&here)).await.is_ok());
    let both = scan::records(on.first(), &[here, there.clone()]).await;
    assert!(is_about_slots(&both), "{both:?}");

    // One that the script takes from a record is an error as well, though the script only looks.
    assert!(scan::holdings(on.first(), &[]).await.is_ok());
    let bytes = reservation_record::units(1, "7", [(&there, 2)].into_iter());
    let mut hold = redis::cmd("HSET");
    hold.arg("{s0ei}:held").arg("tx").arg(bytes);
    hold.exec_async(&mut on.servers[0].connection().await).await.expect("the server takes it");
    let holdings = scan::holdings(on.first(), &[]).await;
    assert!(is_about_slots(&holdings), "{holdings:?}");
}
