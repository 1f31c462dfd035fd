//! Two releases side by side: what the newer one wrote, this one leaves alone, byte for byte, and serves all else.

use std::time::Duration;

use redis::{AsyncTypedCommands, cmd};
use shardcart_harness::redis::record;
use shardcart_harness::{Cluster, Service, Settings, eventually, ids};

use crate::purchase::Purchase;
use crate::scene::{Scene, patient};

const SOON: Duration = Duration::from_secs(20);

/// One key of a shard.
struct Record {
    service: Service,
    shard: usize,
    key: String,
}

impl Record {
    fn of(service: Service, kind: &str, at: &str, id: &str) -> Record {
        Record { service, shard: ids::shard(at), key: ids::key(service, at, kind, id) }
    }

    /// All of it, as it is stored.
    async fn bytes(&self, cluster: &Cluster) -> Vec<u8> {
        let mut shard = cluster.data().shard(self.service, self.shard).await;
        cmd("DUMP").arg(&self.key).query_async(&mut shard).await.expect("the record exists")
    }

    /// Makes it one of a later release, or of this one again.
    async fn is_newer(&self, cluster: &Cluster, newer: bool) {
        let mut shard = cluster.data().shard(self.service, self.shard).await;
        record::set_version(&mut shard, &self.key, if newer { 2 } else { 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_later_release_are_left_alone_and_all_else_goes_on() {
    let mut scene = Scene::start(patient()).await;
    let front = scene.cluster.front();
    let (by_order, by_item, by_user) =
        (Purchase::prepare(&front).await, Purchase::prepare(&front).await, Purchase::prepare(&front).await);
    let newer = [
        Record::of(Service::Order, "order", &by_order.order, &by_order.order),
        Record::of(Service::Stock, "item", &by_item.items[1], &by_item.items[1]),
        Record::of(Service::Payment, "user", &by_user.user, &by_user.user),
    ];
    let mut before = Vec::new();
    for record in &newer {
        record.is_newer(&scene.cluster, true).await;
        before.push(record.bytes(&scene.cluster).await);
    }
    let act = scene.act().await;
    for purchase in [&by_order, &by_item, &by_user] {
        let answer = front.checkout_once(&purchase.order).await;
        assert!(matches!(answer.code(), "shard_unavailable" | "checkout_aborted" | "outcome_unknown"), "{answer:?}");
    }
    assert_eq!(front.find_order(&by_order.order).await.status, 503);
    assert_eq!(front.add_one(&by_order.order, &by_order.items[0]).await.status, 503);
    assert_eq!(front.remove_order(&by_order.order).await.status, 503);
    assert_eq!(front.find_item(&by_item.items[1]).await.status, 503);
    assert_eq!(front.add_stock(&by_item.items[1], 1).await.status, 503);
    assert_eq!(front.find_user(&by_user.user).await.status, 503);
    assert_eq!(front.add_funds(&by_user.user, 1).await.status, 503);
    assert_eq!(front.pay_without_order(&by_user.user, 1).await.status, 503);
    for (record, before) in newer.iter().zip(&before) {
        assert_eq!(record.bytes(&scene.cluster).await, *before, "{}", record.key);
        record.is_newer(&scene.cluster, false).await;
    }
    scene.end(act).await.is_clean();
    for purchase in [&by_order, &by_item, &by_user] {
        front.checkout_until_definite(&purchase.order, true).await.ok();
        scene.cluster.data().settled(SOON).await;
        purchase.is(&scene.cluster, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_of_a_later_release_is_left_alone_until_that_release_settles_it() {
    let mut scene = Scene::start(patient()).await;
    let front = scene.cluster.front();
    // An attempt that holds everything, and whose coordinator has died.
    let purchase = Purchase::prepare(&front).await;
    let data = scene.cluster.data();
    // Recovery must find the record as the later release left it: it looks when the lease is over.
    let dies = Settings::none().with("FAULT_AT", "after_all").with("CHECKOUT_LEASE_MS", 4_000);
    scene.cluster.end_machine(Service::Order, 0).await;
    scene.cluster.start_machine_with(Service::Order, 0, &dies).await;
    scene.die(0, &purchase).await;
    let tx = data.record(Service::Order, "order", &purchase.order).await["tx"].clone();
    let stock = ids::shard(&purchase.items[0]);
    let mut shard = data.shard(Service::Stock, stock).await;
    let key = ids::own_key(Service::Stock, stock, "held");
    let held: Option<Vec<u8>> = cmd("HGET").arg(&key).arg(&tx).query_async(&mut shard).await.expect("bytes");
    let held = held.expect("the units are held");
    let newer = [&[2], &held[1..]].concat();
    shard.hset(&key, &tx, &newer).await.expect("it can be written");

    data.order_becomes(&purchase.order, &["aborting"], SOON).await;
    let act = scene.act().await;
    // Recovery has been there: what it understands is given back, and it comes again and again.
    eventually("all but the newer reservation is given back", SOON, async || {
        let (other, credit) = (data.units(&purchase.items[1]).await, data.credit(&purchase.user).await);
        (other.held == 0 && credit.held == 0).then_some(())
    })
    .await;
    let inflight = ids::own_key(Service::Order, ids::shard(&purchase.order), "inflight");
    let order_key = Record::of(Service::Order, "order", &purchase.order, &purchase.order).key;
    let mut orders = data.shard(Service::Order, ids::shard(&purchase.order)).await;
    let mut looked = Vec::new();
    eventually("recovery looks twice more", SOON, async || {
        let due = orders.zscore(&inflight, &order_key).await.expect("inflight is a sorted set");
        let due = due.expect("it is in flight");
        if looked.last() != Some(&due) {
            looked.push(due);
        }
        (looked.len() > 2).then_some(())
    })
    .await;
    let left: Option<Vec<u8>> = cmd("HGET").arg(&key).arg(&tx).query_async(&mut shard).await.expect("bytes");
    assert_eq!(left, Some(newer), "left alone");
    assert_eq!(data.order_status(&purchase.order).await, "aborting");
    assert!(front.checkout_once(&purchase.order).await.status >= 500, "its outcome is not known yet");

    shard.hset(&key, &tx, &held).await.expect("it can be written");
    scene.end(act).await.is_clean();
    purchase.is(&scene.cluster, false).await;
    front.checkout(&purchase.order).await.ok();
    data.settled(SOON).await;
    purchase.is(&scene.cluster, true).await;
}
