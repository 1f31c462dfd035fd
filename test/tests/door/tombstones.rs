//! What remains in Redis when everything is settled: the data, and tombstones that go by
//! themselves.

use std::time::Duration;

use redis::AsyncTypedCommands;
use shardcart_harness::{Service, ids};
use shardcart_test::{Stage, on_systems_of_their_own};

on_systems_of_their_own! {
    only_data_and_tombstones_with_an_end_remain_after_checkouts,
    nothing_remains_of_what_was_removed,
}

const SETTLED: Duration = Duration::from_secs(10);
/// Tombstones live until 70 seconds after the second in which the deadlines of their attempts are, which are 5 seconds
/// after their begin.
const TOMBSTONE_S: i64 = 76;
/// What Redis answers for a key that went since the keys were listed, and for one without an end.
const GONE: i64 = -2;
const FOR_EVER: i64 = -1;

/// The kinds of keys that a service keeps for ever.
fn lasting(service: Service) -> &'static [&'static str] {
    match service {
        Service::Order => &["identity", "order", "cart"],
        Service::Stock => &["identity", "item"],
        Service::Payment => &["identity", "user", "payment"],
    }
}

/// Checks every key of every shard: its kind, its shard, and its end.
async fn only_what_may_remain_is_there(shop: &Stage) {
    for service in Service::ALL {
        for shard in 0..shop.shard_count() {
            let keys = shop.data.keys(service, shard, "*").await;
            let mut connection = shop.data.shard(service, shard).await;
            for key in keys {
                let (tag, rest) = key.split_once("}:").unwrap_or_else(|| panic!("{key} has no hash tag"));
                let kind = rest.split(':').next().unwrap_or_default();
                let home = ids::tag(service, shard).to_string();
                assert_eq!(tag.trim_start_matches('{'), home, "{service}: {key} is not at home");
                let ttl: i64 = redis::cmd("TTL")
                    .arg(&key)
                    .query_async(&mut connection)
                    .await
                    .expect("a running Redis tells how long a key lives");
                match ttl {
                    GONE => {}
                    FOR_EVER => {
                        assert!(lasting(service).contains(&kind), "{service}: {key} stays for ever");
                    }
                    seconds => {
                        assert_eq!(kind, "ended", "{service}: {key} goes in {seconds} s");
                        assert!(seconds <= TOMBSTONE_S, "{service}: {key} goes only in {seconds} s");
                    }
                }
            }
        }
    }
}

async fn only_data_and_tombstones_with_an_end_remain_after_checkouts(shop: &Stage) {
    let users = shop.each(0..10, |_| shop.user_with(10)).await;
    let items = shop.each(0..10, |_| shop.item_with(15, 1)).await;
    let poor = shop.user_with(0).await;
    let orders = shop
        .each(0..60_usize, |number| {
            let (users, items) = (&users, &items);
            async move {
                let user = &users[number % users.len()];
                let cart = [(items[number % 10].as_str(), 1), (items[(number + 3) % 10].as_str(), 2)];
                shop.order_of(user, &cart).await
            }
        })
        .await;
    // Of these two there is enough, so that only the user stands in the way.
    let (plenty, more) = (shop.item_with(100, 1).await, shop.item_with(100, 1).await);
    let refused = shop.order_of(&poor, &[(&plenty, 1), (&more, 1)]).await;
    let unknown = shop.order_of("no-such-user", &[(&plenty, 1)]).await;
    let greedy = shop.order_of(&users[0], &[(&items[2], 1), (&items[3], 1000)]).await;
    let all = [orders, vec![refused, unknown, greedy]].concat();
    let answers = shop.at_once(all, |shop, order| async move { shop.checkout(&order).await.status }).await;
    assert!(answers.contains(&200) && answers.contains(&402) && answers.contains(&404) && answers.contains(&409));
    for (user, order) in users.iter().zip(["a", "b", "c"]) {
        shop.pay(user, order, 0).await.ok();
        shop.cancel(user, order).await.ok();
    }

    shop.data.settled(SETTLED).await;
    only_what_may_remain_is_there(shop).await;
    for service in [Service::Stock, Service::Payment] {
        let tombstones = shop.data.all_keys(service, "*:ended:*").await;
        assert!(!tombstones.is_empty(), "{service} keeps tombstones for a while");
        for (shard, key) in tombstones {
            let second: i64 = key.rsplit(':').next().expect("a key has parts").parse().expect("a second");
            assert_eq!(key, ids::own_key(service, shard, &format!("ended:{second}")));
            let mut connection = shop.data.shard(service, shard).await;
            let ends: i64 = redis::cmd("EXPIRETIME").arg(&key).query_async(&mut connection).await.expect("a moment");
            assert!(ends == second + 71 || ends == GONE, "{service}: {key} goes at {ends}");
            for tx in connection.hkeys(&key).await.expect("tombstones lie in hashes") {
                assert!(ids::shard(&tx) < shop.shard_count(), "{shard} {key} {tx}: a tx names the shard of its order");
            }
        }
    }
    assert!(shop.data.all_keys(Service::Order, "*:ended:*").await.is_empty());
}

async fn nothing_remains_of_what_was_removed(shop: &Stage) {
    let (user, item) = (shop.user_with(10).await, shop.item_with(10, 1).await);
    let order = shop.order_of(&user, &[(&item, 1)]).await;
    shop.remove_order(&order).await.ok();
    assert!(shop.data.all_keys(Service::Order, &format!("*{order}*")).await.is_empty());
    only_what_may_remain_is_there(shop).await;
}
