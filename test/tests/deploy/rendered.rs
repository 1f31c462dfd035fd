//! What `gke-scale/deploy.sh` renders, run: its containers' commands, their environment and the gateway's configuration
//! as local processes, where every Service has an address of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shardcart_harness::systems::kube::{Deployed, Kube, Kubectl, render};
use shardcart_harness::{Front, Service, eventually, ids, lease_is_short};
use shardcart_test::thousand;
use tokio::sync::Mutex;

const DEPLOY: &str = "gke-scale/deploy.sh";
const SETTLED: Duration = Duration::from_secs(30);
/// No power fails here, and the disk of a busy machine may take seconds to write: longer than a service waits.
const UNWRITTEN: (&str, &str) = ("FSYNC", "no");
/// The longest that is less than the lease.
const PATIENT: (&str, &str) = ("REDIS_TIMEOUT_MS", "1900");
const CONSOLE: (&str, &str) = ("CONSOLE_TOKEN", "0123456789abcdef");
/// Here a Service knows at once which pods are ready: draining need not wait for that.
const HURRIED: [(&str, &str); 2] = [("DRAIN_MS", "2500"), ("GATEWAY_DRAIN_S", "1")];

/// One cluster at a time: each is dozens of processes, and a thousand clients.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Applies what is rendered for as many shards and machines, and has a thousand clients shop there.
async fn sells_exactly_what_is_there(size: &str) {
    if lease_is_short() {
        return; // What is rendered has the lease that is shipped.
    }
    let _alone = ALONE.lock().await;
    let kube = Kube::default();
    kube.apply(render(DEPLOY, &[("SHARDS", size), ("ALLOW_BATCH_INIT", "true"), UNWRITTEN, PATIENT])).await;
    let front = kube.front();
    thousand::exactly_100_are_sold(&front).await;
    thousand::users_drawn_at_random_get_what_they_can_pay(&front).await;
    kube.data().settled(SETTLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_shard_sells_exactly_what_is_there() {
    sells_exactly_what_is_there("1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_shards_sell_exactly_what_is_there() {
    sells_exactly_what_is_there("5").await;
}

/// Runs `deploy.sh apply`, here for one pod of the gateway.
async fn apply(kubectl: &Kubectl, shards: &str, machines: &str) -> Deployed {
    let size = [("SHARDS", shards), ("MACHINES", machines), ("GATEWAY_PODS_MIN", "1")];
    let settings = [("ALLOW_BATCH_INIT", "true"), ("FRONT", "cluster-ip"), CONSOLE, UNWRITTEN, PATIENT];
    kubectl.deploy("apply", &[&size[..], &settings, &HURRIED].concat()).await
}

/// The same while a thousand clients at a time shop: every answer of theirs must be right.
async fn apply_under_load(kubectl: &Kubectl, shards: &str, machines: &str, front: &Front) {
    let over = AtomicBool::new(false);
    let load = async {
        let mut runs = 0;
        while !over.load(Ordering::Relaxed) {
            thousand::exactly_100_are_sold(front).await;
            runs += 1;
        }
        runs
    };
    let growth = async {
        let grown = apply(kubectl, shards, machines).await;
        over.store(true, Ordering::Relaxed);
        grown
    };
    let (runs, grown) = tokio::join!(load, growth);
    assert!(grown.success, "{}", grown.text);
    assert!(runs > 0, "too little load to tell anything");
}

/// The order of the steps in which two machines of a service get from two shards to three.
fn all_know_a_shard_before_one_makes_ids_there(calls: &[String]) {
    let place = |line: &str| {
        let found = calls.iter().position(|call| call == line);
        found.unwrap_or_else(|| panic!("{line}: {calls:#?}"))
    };
    for service in Service::ALL {
        let machines = [format!("{service}-1"), format!("{service}-2")];
        for minting in &machines {
            let mints = place(&format!("machine {minting} 3 3"));
            for other in &machines {
                let knows = place(&format!("machine {other} 3 2"));
                let waits = |call: &String| call.contains(&format!("rollout status deployment/{other} "));
                assert!(knows < mints && calls[knows..mints].iter().any(waits), "{minting}, {other}: {calls:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shards_sell_exactly_what_is_there_and_get_a_third_under_load_that_stays() {
    if lease_is_short() {
        return; // What is rendered has the lease that is shipped.
    }
    let _alone = ALONE.lock().await;
    let kube = Kube::default();
    let kubectl = Kubectl::before(&kube);
    let made = apply(&kubectl, "2", "2").await;
    assert!(made.success, "{}", made.text);
    let front = kube.front();
    thousand::exactly_100_are_sold(&front).await;
    thousand::users_drawn_at_random_get_what_they_can_pay(&front).await;
    let (user, item) = (front.user_with(100).await, front.item_with(100, 1).await);
    let old = front.order_of(&user, &[(&item, 2)]).await;

    let before = kubectl.calls().len();
    apply_under_load(&kubectl, "3", "2", &front).await;
    all_know_a_shard_before_one_makes_ids_there(&kubectl.calls()[before..]);
    // More machines are another configuration of the gateway. This nginx may be one that closes idle connections
    // into which a client has just written.
    apply_under_load(&kubectl, "3", "3", &front.clone().without_keep_alive()).await;

    let data = kube.data();
    data.settled(SETTLED).await;
    for (service, kind) in [(Service::Order, "order"), (Service::Stock, "item"), (Service::Payment, "user")] {
        assert_eq!(data.shard_count(service), 3);
        assert_eq!(kube.workloads(&[("shardcart/role", "machine"), ("shardcart/service", service.program())]).len(), 3);
        let minted = data.keys(service, 2, &format!("*:{kind}:*")).await;
        assert!(minted.iter().all(|key| key.contains('-')), "ids that were not minted here stay: {minted:?}");
    }
    let front = kube.front();
    front.checkout(&old).await.ok();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (98, 98));

    // New ids are made on the third shard now; it cannot go any more.
    eventually("an item on the third shard", SETTLED, async || {
        (ids::shard(&front.create_item(1).await.text("item_id")) == 2).then_some(())
    })
    .await;
    let (before, calls) = (kube.workloads(&[]), kubectl.calls().len());
    for (shards, reason) in [("2", "holds data"), ("1", "made with 2 shards")] {
        let refused = apply(&kubectl, shards, "3").await;
        assert!(!refused.success && refused.text.contains(reason), "{}", refused.text);
    }
    assert_eq!(kube.workloads(&[]), before, "nothing was taken away");
    let changed: Vec<String> = kubectl.calls().split_off(calls);
    assert!(!changed.iter().any(|call| call.starts_with("machine ")), "nothing was changed: {changed:#?}");

    let told = [made.text, kubectl.calls().join("\n")].concat();
    assert!(!told.contains(&kube.secret("redis-password")) && !told.contains(&kube.secret("internal-token")), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_takes_an_empty_shard_away_again_and_keeps_data_and_secret_until_told_otherwise() {
    if lease_is_short() {
        return; // What is rendered has the lease that is shipped.
    }
    let _alone = ALONE.lock().await;
    let kube = Kube::default();
    let kubectl = Kubectl::before(&kube);
    let secret = || ["redis-password", "internal-token"].map(|key| kube.secret(key));
    let known = secret();
    let mut told = String::new();
    for (shards, machines) in [("1", "1"), ("2", "2"), ("1", "1")] {
        let applied = apply(&kubectl, shards, machines).await;
        assert!(applied.success, "{}", applied.text);
        told += &applied.text;
    }
    let made = secret();
    assert_ne!(made, known, "the secret is deploy.sh's own");
    assert_eq!(kube.secret("console-token"), CONSOLE.1);
    let left = ["gateway", "order-1", "order-redis-0", "payment-1", "payment-redis-0", "stock-1", "stock-redis-0"];
    let sorted = || {
        let mut workloads = kube.workloads(&[]);
        workloads.sort();
        workloads
    };
    assert_eq!(sorted(), left);
    let volumes = ["data-order-redis-0-0", "data-payment-redis-0-0", "data-stock-redis-0-0"];
    assert_eq!(kube.claims(false), volumes, "the others are of emptied shards");
    let front = kube.front();
    let (user, item) = (front.user_with(9).await, front.item_with(5, 1).await);
    front.checkout(&front.order_of(&user, &[(&item, 2)]).await).await.ok();

    let status = kubectl.deploy("status", &[("FRONT", "cluster-ip")]).await;
    assert!(status.success && left.iter().all(|name| status.text.contains(name)), "{}", status.text);
    assert!(status.text.contains("port-forward"), "{}", status.text);

    let deleted = kubectl.deploy("delete", &[]).await;
    assert!(deleted.success, "{}", deleted.text);
    assert_eq!((sorted(), kube.claims(false).len()), (Vec::new(), 3), "{}", deleted.text);
    // With more than before, that there is something that fewer would leave behind.
    let grown = apply(&kubectl, "3", "1").await;
    assert!(grown.success, "{}", grown.text);
    let front = kube.front();
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (3, 7));
    assert!(kubectl.deploy("delete", &[]).await.success);
    let refused = apply(&kubectl, "1", "1").await;
    assert!(!refused.success && refused.text.contains("volumes of 3 shards"), "{}", refused.text);
    assert_eq!(sorted(), Vec::<String>::new(), "nothing was changed");

    assert_eq!(secret(), made, "it is made once");
    told += &[status.text, deleted.text, grown.text, refused.text, kubectl.calls().join("\n")].concat();
    assert!(made.iter().all(|value| !told.contains(value)) && !told.contains(CONSOLE.1), "{told}");
    assert!(kubectl.deploy("delete", &[("DELETE_DATA", "yes")]).await.success);
    assert_eq!([kube.claims(false), kube.claims(true)].concat(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_shard_closes_no_machine_and_a_dead_machine_no_service() {
    if lease_is_short() {
        return; // What is rendered has the lease that is shipped.
    }
    let _alone = ALONE.lock().await;
    let kube = Kube::default();
    kube.apply(render(DEPLOY, &[("SHARDS", "2"), ("GATEWAY_PODS_MIN", "1")])).await;
    let front = kube.front();
    let items = front.items_on_all_shards(2, 1, 5, 1).await;

    kube.kill9("stock-redis-1");
    eventually("the dead shard is noticed", Duration::from_secs(20), async || {
        (front.find_item(&items[1]).await.status == 503).then_some(())
    })
    .await;
    front.find_item(&items[1]).await.is_problem(503, "shard_unavailable");
    for machine in ["stock-1", "stock-2"] {
        assert!(kube.all_ready(machine).await, "{machine} serves on");
    }
    assert_eq!(front.stock_of(&items[0]).await, 5);

    kube.rolled_out("stock-redis-1").await;
    eventually("the shard is back with its data", Duration::from_secs(20), async || {
        (front.find_item(&items[1]).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(front.stock_of(&items[1]).await, 5);

    kube.kill9("stock-1");
    for _ in 0..50 {
        assert_eq!(front.stock_of(&items[0]).await, 5, "another machine answers");
    }
}
