//! Machines die in the middle of checkouts: what they left is finished or freed, and adds up.

use std::time::Duration;

use shardcart_harness::{Cluster, ClusterOptions, Front, Service, Settings, eventually, ids, lease_is_short};
use shardcart_test::buyers::Buyers;

/// How soon what a dead machine left behind must be settled.
const RECOVERED: Duration = Duration::from_secs(10);
/// How long a load runs on before a fault, and between a death and a restart.
const UNDISTURBED: Duration = Duration::from_millis(150);
/// How long something stays paused: longer than any service waits for a reply, and than a lease.
const SILENT: Duration = Duration::from_millis(2_500);

async fn cluster(machines: usize, settings: Settings) -> Cluster {
    Cluster::start_with(ClusterOptions { machines, shards: 2, settings }).await
}

/// An order of 3 units at price 2 of an item with 10, by a user with credit 100.
struct Purchase {
    user: String,
    item: String,
    order: String,
}

impl Purchase {
    async fn prepare(front: &Front) -> Purchase {
        let (user, item) = (front.user_with(100).await, front.item_with(10, 2).await);
        let order = front.order_of(&user, &[(&item, 3)]).await;
        Purchase { user, item, order }
    }

    /// Checks that everything is free, or everything taken, and nothing is held any more.
    async fn is(&self, cluster: &Cluster, paid: bool) {
        let (front, data) = (cluster.front(), cluster.data());
        assert_eq!(front.is_paid(&self.order).await, paid);
        assert_eq!(front.has_payment(&self.user, &self.order).await, paid);
        let (units, credit) = (data.units(&self.item).await, data.credit(&self.user).await);
        assert_eq!((units.free, units.held), (if paid { 7 } else { 10 }, 0), "units");
        assert_eq!((credit.free, credit.held), (if paid { 94 } else { 100 }, 0), "credit");
    }
}

/// Has an attempt hang between begin and decide, and kills the order machine that drives it.
async fn kill_between_begin_and_decide(cluster: &mut Cluster, purchase: &Purchase) {
    let (direct, data) = (cluster.direct(0), cluster.data());
    let payment = ids::shard(&purchase.user);
    cluster.redis(Service::Payment, payment).pause();
    let order = purchase.order.clone();
    let attempt = tokio::spawn(async move { direct.try_checkout(&order).await });
    data.order_becomes(&purchase.order, &["pending", "aborting"], Duration::from_secs(5)).await;
    if !lease_is_short() {
        eventually("the units are held", Duration::from_secs(5), async || {
            (data.units(&purchase.item).await.held == 3).then_some(())
        })
        .await;
    }
    cluster.process(Service::Order, 0).kill9();
    cluster.redis(Service::Payment, payment).resume();
    let answer = attempt.await.expect("the client does not panic");
    assert!(answer.is_err() || lease_is_short(), "the machine died and answered all the same: {answer:?}");
}

/// Kills the order machine that has just answered 200, before it settles.
async fn kill_between_decide_and_settle(cluster: &mut Cluster, purchase: &Purchase) {
    cluster.direct(0).checkout(&purchase.order).await.ok();
    cluster.process(Service::Order, 0).kill9();
    if !lease_is_short() {
        let data = cluster.data();
        assert_eq!(data.units(&purchase.item).await.held, 3, "was killed before it settled");
        assert!(!data.unsettled().await.is_empty());
    }
}

fn lingering() -> Settings {
    Settings::none().with("SETTLE_LINGER_MS", 60_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_left_undecided_is_freed_by_the_other_machine() {
    let mut cluster = cluster(2, Settings::none()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    kill_between_begin_and_decide(&mut cluster, &purchase).await;

    cluster.data().order_becomes(&purchase.order, &["open"], RECOVERED).await;
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, false).await;

    cluster.front().checkout_until_definite(&purchase.order, false).await.ok();
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_left_undecided_can_be_repeated_at_once_and_is_charged_once() {
    let mut cluster = cluster(2, Settings::none()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    kill_between_begin_and_decide(&mut cluster, &purchase).await;

    cluster.front().checkout_until_definite(&purchase.order, true).await.ok();
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_left_undecided_is_freed_by_the_same_machine_after_its_restart() {
    let mut cluster = cluster(1, Settings::none()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    kill_between_begin_and_decide(&mut cluster, &purchase).await;
    cluster.start_machine(Service::Order, 0).await;

    cluster.data().order_becomes(&purchase.order, &["open"], RECOVERED).await;
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, false).await;
    cluster.front().checkout_until_definite(&purchase.order, false).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_attempt_is_settled_by_the_other_machine() {
    let mut cluster = cluster(2, lingering()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    kill_between_decide_and_settle(&mut cluster, &purchase).await;

    assert!(cluster.front().has_payment(&purchase.user, &purchase.order).await, "200 means paid");
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_attempt_is_settled_by_the_same_machine_after_its_restart() {
    let mut cluster = cluster(1, lingering()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    kill_between_decide_and_settle(&mut cluster, &purchase).await;
    cluster.start_machine(Service::Order, 0).await;

    cluster.front().checkout(&purchase.order).await.ok();
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_paused_past_its_lease_and_wakes_up_changes_nothing() {
    let mut cluster = cluster(2, Settings::none()).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    let payment = ids::shard(&purchase.user);
    cluster.redis(Service::Payment, payment).pause();
    let (direct, order) = (cluster.direct(0), purchase.order.clone());
    let attempt = tokio::spawn(async move { direct.try_checkout(&order).await });
    let status = ["pending", "aborting"];
    cluster.data().order_becomes(&purchase.order, &status, Duration::from_secs(5)).await;
    cluster.process(Service::Order, 0).pause();
    cluster.redis(Service::Payment, payment).resume();

    cluster.data().order_becomes(&purchase.order, &["open"], RECOVERED).await;
    cluster.process(Service::Order, 0).resume();
    let answer = attempt.await.expect("the client does not panic").expect("it woke up again");
    assert!(answer.status >= 400, "this attempt was given up: {answer:?}");
    cluster.data().settled(RECOVERED).await;
    purchase.is(&cluster, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_killed_under_load_leave_every_answer_true() {
    let mut cluster = cluster(2, Settings::none()).await;
    let (front, data) = (cluster.front(), cluster.data());
    let buyers = Buyers::prepare(&front, 2).await;
    let faults = async {
        for (service, machine) in [
            (Service::Order, 0),
            (Service::Stock, 0),
            (Service::Payment, 1),
            (Service::Order, 1),
            (Service::Stock, 1),
            (Service::Payment, 0),
        ] {
            tokio::time::sleep(UNDISTURBED).await;
            cluster.process(service, machine).kill9();
            tokio::time::sleep(UNDISTURBED).await;
            cluster.start_machine(service, machine).await;
        }
    };
    let told = buyers.shop_during(&front, faults).await;
    buyers.check(&front, &data, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_killed_under_load_leave_every_answer_true() {
    let mut cluster = cluster(2, Settings::none()).await;
    let (front, data) = (cluster.front(), cluster.data());
    let buyers = Buyers::prepare(&front, 2).await;
    let faults = async {
        for service in [Service::Order, Service::Stock, Service::Payment] {
            for shard in 0..2 {
                tokio::time::sleep(UNDISTURBED).await;
                cluster.redis(service, shard).kill9();
                tokio::time::sleep(UNDISTURBED).await;
                cluster.redis(service, shard).restart().await;
            }
        }
    };
    let told = buyers.shop_during(&front, faults).await;
    buyers.check(&front, &data, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_and_machines_silent_under_load_leave_every_answer_true() {
    let mut cluster = cluster(2, Settings::none()).await;
    let (front, data) = (cluster.front(), cluster.data());
    let buyers = Buyers::prepare(&front, 2).await;
    let faults = async {
        for service in [Service::Payment, Service::Stock, Service::Order] {
            tokio::time::sleep(UNDISTURBED).await;
            cluster.redis(service, 0).pause();
            tokio::time::sleep(SILENT).await;
            cluster.redis(service, 0).resume();
            tokio::time::sleep(UNDISTURBED).await;
            cluster.process(service, 1).pause();
            tokio::time::sleep(SILENT).await;
            cluster.process(service, 1).resume();
        }
    };
    let told = buyers.shop_during(&front, faults).await;
    buyers.check(&front, &data, &told).await;
}
