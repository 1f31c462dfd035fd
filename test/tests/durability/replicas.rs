//! Primaries die and their replicas take over: with `REDIS_WAIT_REPLICAS=1` nothing that was answered is lost; without
//! it, what the replicas did not have yet is.

use std::time::Duration;

use shardcart_harness::processes::process::Process;
use shardcart_harness::systems::lone::LoneMachine;
use shardcart_harness::{Answer, Cluster, ClusterOptions, RedisServer, Replicas, Service, Settings, Shop, eventually};
use shardcart_test::auditor;
use shardcart_test::buyers::Buyers;
use shardcart_test::purchase::{BOUGHT, NOTHING, Purchase, There};

/// How long a load runs on before a fault, and between a failover and the restarts.
const UNDISTURBED: Duration = Duration::from_millis(500);
const SETTLED: Duration = Duration::from_secs(20);

/// As many replicas are waited for, and as long as a reply: tests run on busy machines.
fn waiting_for(replicas: u16) -> Settings {
    Settings::none().with("REDIS_WAIT_REPLICAS", replicas).with("REDIS_WAIT_TIMEOUT_MS", 900)
}

async fn replicated(machines: usize, shards: usize, settings: Settings) -> (Cluster, Replicas) {
    let cluster = Cluster::start_with(ClusterOptions { machines, shards, settings }).await;
    let replicas = Replicas::of(&cluster).await;
    (cluster, replicas)
}

/// What an operator does when primaries have died: promotes their replicas, gives those replicas of their own where
/// replicas are waited for, and starts the machines again with the new addresses.
async fn fail_over(cluster: &mut Cluster, replicas: Replicas, machines: usize) -> Replicas {
    replicas.take_over(cluster).await;
    let replicas = Replicas::of(cluster).await;
    for machine in 0..machines {
        for service in Service::ALL {
            cluster.process(service, machine).kill9();
            cluster.start_machine(service, machine).await;
        }
    }
    replicas
}

fn is_unknown_or_given_up(answer: &Answer) {
    let code = answer.code();
    assert!(matches!(code, "shard_unavailable" | "outcome_unknown" | "checkout_aborted"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn primaries_killed_under_load_lose_nothing_where_a_replica_is_waited_for() {
    let (mut cluster, replicas) = replicated(2, 2, waiting_for(1)).await;
    let front = cluster.front();
    let buyers = Buyers::prepare(&front, 2).await;
    let faults = async {
        tokio::time::sleep(UNDISTURBED).await;
        // From here on whatever is done dies with the primaries: it must not be answered.
        replicas.cut_off().await;
        tokio::time::sleep(UNDISTURBED).await;
        let replicas = fail_over(&mut cluster, replicas, 2).await;
        tokio::time::sleep(UNDISTURBED).await;
        replicas
    };
    let mut kept = None;
    let told = buyers.shop_during(&front, async { kept = Some(faults.await) }).await;
    buyers.check(&front, &cluster.data(), &told).await;
    assert_eq!(auditor::findings(&cluster.data()).await, Vec::<String>::new());
}

/// A purchase is answered while the replica of one shard is cut off; then all primaries die.
/// Returns the shop as it is afterwards.
async fn loses(service: Service, expected: There) -> (Cluster, Replicas, Purchase) {
    let (mut cluster, replicas) = replicated(1, 1, waiting_for(0)).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    replicas.have_all(&cluster).await;
    replicas.of_shard(service, 0).cut_off().await;

    cluster.front().checkout(&purchase.order).await.ok();
    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, BOUGHT);
    for other in Service::ALL.into_iter().filter(|other| *other != service) {
        replicas.of_shard(other, 0).has_all_of(&cluster.shards(other)[0]).await;
    }
    let replicas = fail_over(&mut cluster, replicas, 1).await;

    assert_eq!(
        purchase.there(&cluster.front(), &cluster.data()).await,
        expected,
        "what was answered with 200 is lost at {service}"
    );
    assert_eq!(auditor::Audit::of(&cluster.data()).await.code, 1, "the audit finds it");
    (cluster, replicas, purchase)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_a_lagging_order_replica_loses_that_an_answered_checkout_was_paid() {
    let (cluster, _replicas, purchase) = loses(Service::Order, There { paid: false, ..BOUGHT }).await;
    let again = cluster.front().checkout_until_definite(&purchase.order, true).await;
    again.is_problem(409, "already_paid");
    assert_eq!(
        purchase.there(&cluster.front(), &cluster.data()).await,
        There { paid: false, ..BOUGHT },
        "it is not charged twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_a_lagging_stock_replica_loses_that_units_were_sold() {
    loses(Service::Stock, There { units: 10, ..BOUGHT }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_waiting_a_lagging_payment_replica_loses_that_credit_was_charged() {
    loses(Service::Payment, There { credit: 100, ..BOUGHT }).await;
}

/// The same with a replica waited for: the purchase is not answered with 200, and nothing of it is there afterwards.
async fn keeps(service: Service) {
    let (mut cluster, replicas) = replicated(1, 1, waiting_for(1)).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    replicas.have_all(&cluster).await;
    replicas.of_shard(service, 0).cut_off().await;

    is_unknown_or_given_up(&cluster.front().checkout_once(&purchase.order).await);
    let _replicas = fail_over(&mut cluster, replicas, 1).await;

    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, NOTHING);
    cluster.front().checkout_until_definite(&purchase.order, true).await.ok();
    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, BOUGHT);
    assert_eq!(auditor::findings(&cluster.data()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_not_answered_for_a_lagging_order_replica_and_nothing_is_lost() {
    keeps(Service::Order).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_not_answered_for_a_lagging_stock_replica_and_nothing_is_lost() {
    keeps(Service::Stock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_not_answered_for_a_lagging_payment_replica_and_nothing_is_lost() {
    keeps(Service::Payment).await;
}

/// Has a checkout decided on the order's primary while its replica is cut off. Returns the client's answer.
async fn decide_on_the_primary_alone(cluster: &mut Cluster, replicas: &Replicas, purchase: &Purchase) -> Answer {
    let (front, data, order) = (cluster.front(), cluster.data(), purchase.order.clone());
    cluster.redis(Service::Payment, 0).pause();
    let checkout = tokio::spawn(async move { front.checkout_once(&order).await });
    data.order_becomes(&purchase.order, &["pending", "aborting"], SETTLED).await;
    replicas.of_shard(Service::Order, 0).has_all_of(&cluster.shards(Service::Order)[0]).await;
    replicas.of_shard(Service::Order, 0).cut_off().await;
    cluster.redis(Service::Payment, 0).resume();
    checkout.await.expect("the client does not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_no_replica_has_is_unknown_and_is_told_when_one_has_it() {
    let (mut cluster, replicas) = replicated(1, 1, waiting_for(1)).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    is_unknown_or_given_up(&decide_on_the_primary_alone(&mut cluster, &replicas, &purchase).await);

    replicas.of_shard(Service::Order, 0).follow(&cluster.shards(Service::Order)[0]).await;
    cluster.front().checkout_until_definite(&purchase.order, true).await.ok();
    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, BOUGHT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_dies_with_its_primary_was_told_to_nobody_and_gives_everything_back() {
    let (mut cluster, replicas) = replicated(1, 1, waiting_for(1)).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    is_unknown_or_given_up(&decide_on_the_primary_alone(&mut cluster, &replicas, &purchase).await);

    let _replicas = fail_over(&mut cluster, replicas, 1).await;
    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, NOTHING);
    cluster.front().checkout_until_definite(&purchase.order, true).await.ok();
    assert_eq!(purchase.there(&cluster.front(), &cluster.data()).await, BOUGHT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_whose_replica_was_promoted_behind_its_back_answers_nothing_any_more() {
    let (cluster, replicas) = replicated(1, 1, waiting_for(1)).await;
    let purchase = Purchase::prepare(&cluster.front()).await;
    for service in Service::ALL {
        replicas.of_shard(service, 0).promote().await;
    }
    let front = cluster.front();
    front.find_item(&purchase.item).await.is_problem(503, "shard_unavailable");
    front.find_user(&purchase.user).await.is_problem(503, "shard_unavailable");
    front.find_order(&purchase.order).await.is_problem(503, "shard_unavailable");
    is_unknown_or_given_up(&front.checkout_once(&purchase.order).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_replica_delays_answers_and_a_machine_is_ready_all_the_same() {
    let (mut cluster, replicas) = replicated(1, 1, waiting_for(1)).await;
    let (front, item) = (cluster.front(), cluster.front().item_with(10, 2).await);
    replicas.of_shard(Service::Stock, 0).pause();
    front.add_stock(&item, 1).await.is_problem(503, "shard_unavailable");
    let port = cluster.machine(Service::Stock, 0).port;
    cluster.process(Service::Stock, 0).ready(port).await;
    let log = cluster.process(Service::Stock, 0).stderr();
    assert!(log.contains("0 replicas have it, 1 are wanted"), "{log}");
    replicas.of_shard(Service::Stock, 0).resume();
    let found =
        eventually("the stock is told", SETTLED, async || Some(front.find_item(&item).await).filter(is_ok)).await;
    assert_eq!(found.number("stock"), 11, "it was added, once");
}

fn is_ok(answer: &Answer) -> bool {
    answer.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_as_long_as_a_reply_may_take_is_refused_at_the_start() {
    let redis = RedisServer::start().await;
    for wait_ms in [0, 1_000] {
        let settings = LoneMachine::settings(&[&redis]).and(&waiting_for(1)).with("REDIS_WAIT_TIMEOUT_MS", wait_ms);
        let refusal = Process::refused("stock", &settings).await;
        assert_eq!(refusal.code, 1);
        assert!(refusal.stderr.contains("expected 0 < REDIS_WAIT_TIMEOUT_MS < REDIS_TIMEOUT_MS"), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_whose_own_servers_have_no_replicas_refuses_to_wait_for_some() {
    let dir = tempfile::TempDir::new().expect("a temporary directory can be made");
    let data = dir.path().join("data");
    let refusal = Shop::refused(&waiting_for(1).with("DATA_DIR", data.display())).await;
    assert_eq!(refusal.code, 1);
    assert!(refusal.stderr.contains("REDIS_WAIT_REPLICAS=1: the Redis servers that the shop starts"), "{refusal:?}");
    assert!(!data.exists(), "nothing was made");
}
