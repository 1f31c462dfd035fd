//! More shards: a full system grows while it is in use, and where each machine mints.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;
use shardcart_harness::systems::lone::LoneMachine;
use shardcart_harness::{Cluster, ClusterOptions, Data, Front, RedisServer, Service, Settings, eventually, ids};
use tokio::task::JoinHandle;

/// Clients that use every service until they are told to stop, and note everything that fails.
struct Load {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(front: &Front, clients: u64) -> Load {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |number| {
            let (front, stop, rounds) = (front.clone(), Arc::clone(&stop), Arc::clone(&rounds));
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    failures.extend(round(&front, number).await.err());
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                failures
            })
        };
        let clients = (0..clients).map(client).collect();
        Load { stop, rounds, clients }
    }

    /// Ends the load and checks that there was some and that nothing failed.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.expect("a client does not panic"));
        }
        let rounds = self.rounds.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} failures in {rounds} rounds: {failures:#?}", failures.len());
        assert!(rounds > 50, "too little load to tell anything: {rounds} rounds");
    }
}

/// One client's way through all services; it fails with the first answer that is not a success.
async fn round(front: &Front, client: u64) -> Result<(), String> {
    let call = async |method: Method, service, path: String| {
        let answer = front.try_call(method, service, &path).await.map_err(|no| no.0)?;
        match answer.status {
            200 => Ok(answer),
            status => Err(format!("{service} {path}: {status} {}", answer.http.text)),
        }
    };
    let user = call(Method::POST, Service::Payment, "/create_user".into()).await?.text("user_id");
    call(Method::POST, Service::Payment, format!("/add_funds/{user}/9")).await?;
    let item = call(Method::POST, Service::Stock, "/item/create/1".into()).await?.text("item_id");
    call(Method::POST, Service::Stock, format!("/add/{item}/9")).await?;
    let order = call(Method::POST, Service::Order, format!("/create/{user}")).await?.text("order_id");
    call(Method::POST, Service::Order, format!("/addItem/{order}/{item}/2")).await?;
    // An item of the bulk load, which never runs out.
    call(Method::POST, Service::Order, format!("/addItem/{order}/{client}")).await?;
    let checkout = front.checkout(&order).await;
    if checkout.status != 200 {
        return Err(format!("checkout: {checkout:?}"));
    }
    call(Method::GET, Service::Order, format!("/find/{order}")).await?;
    call(Method::GET, Service::Stock, format!("/find/{item}")).await?;
    call(Method::GET, Service::Payment, format!("/find_user/{user}")).await?;
    call(Method::GET, Service::Payment, format!("/status/{user}/{order}")).await?;
    Ok(())
}

/// The keys of everything that must never move, each with its service and shard.
async fn lasting_keys(data: &Data) -> BTreeSet<(&'static str, usize, String)> {
    let mut keys = BTreeSet::new();
    for (service, pattern) in
        [(Service::Stock, "*:item:*"), (Service::Payment, "*:user:*"), (Service::Order, "*:order:*")]
    {
        for (shard, key) in data.all_keys(service, pattern).await {
            keys.insert((service.program(), shard, key));
        }
    }
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_shard_is_added_under_load_without_a_failed_request() {
    let settings = Settings::none().with("DRAIN_MS", 600);
    let options = ClusterOptions { machines: 2, shards: 2, settings };
    let mut cluster = Cluster::start_with(options).await;
    let front = cluster.front();
    front.init_items(100, 1_000_000, 1).await.ok();
    front.init_users(100, 50).await.ok();
    front.init_orders(100, 100, 100, 1).await.ok();
    let (user, item) = (front.user_with(1000).await, front.item_with(1000, 3).await);
    let orders = front.each(0..20, |_| async { front.order_of(&user, &[(&item, 1)]).await }).await;
    for order in &orders[..10] {
        front.checkout(order).await.ok();
    }
    let before = lasting_keys(&cluster.data()).await;

    let load = Load::start(&front, 8);
    for service in Service::ALL {
        cluster.add_shard(service).await;
    }
    cluster.set("MINT_SHARDS", "2");
    restart_all(&mut cluster).await;
    for (service, kind) in [(Service::Stock, "item"), (Service::Payment, "user"), (Service::Order, "order")] {
        let keys = cluster.data().keys(service, 2, &format!("*:{kind}:*")).await;
        assert!(keys.is_empty(), "{service} minted on a shard that not every machine knew: {keys:?}");
    }
    cluster.set("MINT_SHARDS", "3");
    restart_all(&mut cluster).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    load.end().await;

    let data = cluster.data();
    let after = lasting_keys(&data).await;
    let gone: Vec<_> = before.difference(&after).collect();
    assert!(gone.is_empty(), "moved or lost: {gone:?}");
    for (service, kind) in [(Service::Stock, "item"), (Service::Payment, "user"), (Service::Order, "order")] {
        let keys = data.keys(service, 2, &format!("*:{kind}:*")).await;
        assert!(!keys.is_empty(), "{service} minted nothing on its new shard");
    }

    for order in &orders {
        let found = front.order(order).await;
        assert_eq!((found.paid, found.user), (orders[..10].contains(order), user.clone()));
    }
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (990, 970));
    for number in 0..100_u64 {
        let name = number.to_string();
        assert_eq!(front.credit_of(&name).await, 50);
        front.find_item(&name).await.ok();
        assert!(!front.is_paid(&name).await);
    }
    for order in &orders[10..] {
        front.checkout(order).await.ok();
    }
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (980, 940));
    front.init_users(200, 7).await.ok();
    assert_eq!(front.credit_of("199").await, 7);
    let foreign = data.keys(Service::Payment, 2, "*:user:199").await;
    assert!(foreign.is_empty(), "ids that were not minted here stay on the first two shards");
    data.settled(Duration::from_secs(10)).await;
}

async fn restart_all(cluster: &mut Cluster) {
    for machine in 0..2 {
        for service in Service::ALL {
            cluster.restart_machine(service, machine).await;
        }
    }
}

/// The shards on which a machine mints, out of enough tries to see all of them.
async fn mints_on(shards: &[RedisServer], machine_id: Option<&str>, mint_shards: Option<usize>) -> BTreeSet<usize> {
    let mut settings = Settings::none();
    if let Some(machine_id) = machine_id {
        settings = settings.with("MACHINE_ID", machine_id);
    }
    if let Some(mint_shards) = mint_shards {
        settings = settings.with("MINT_SHARDS", mint_shards);
    }
    let shards: Vec<&RedisServer> = shards.iter().collect();
    let machine = LoneMachine::start(&shards, &settings).await;
    let mut found = BTreeSet::new();
    for _ in 0..30 {
        found.insert(ids::shard(&machine.front().create_item(1).await.text("item_id")));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_machines_as_shards_mint_on_one_shard_each() {
    let shards = RedisServer::start_many(2).await;
    assert_eq!(mints_on(&shards, Some("1/2"), None).await, BTreeSet::from([0]));
    assert_eq!(mints_on(&shards, Some("2/2"), None).await, BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_machines_than_shards_share_the_shards_out() {
    let shards = RedisServer::start_many(3).await;
    assert_eq!(mints_on(&shards, Some("1/2"), None).await, BTreeSet::from([0, 2]));
    assert_eq!(mints_on(&shards, Some("2/2"), None).await, BTreeSet::from([1]));
    assert_eq!(mints_on(&shards, Some("1/1"), None).await, BTreeSet::from([0, 1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_machines_than_shards_double_up() {
    let shards = RedisServer::start_many(2).await;
    assert_eq!(mints_on(&shards, Some("1/3"), None).await, BTreeSet::from([0]));
    assert_eq!(mints_on(&shards, Some("2/3"), None).await, BTreeSet::from([1]));
    assert_eq!(mints_on(&shards, Some("3/3"), None).await, BTreeSet::from([0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_a_number_mints_on_all_shards_that_are_open_for_new_ids() {
    let shards = RedisServer::start_many(3).await;
    assert_eq!(mints_on(&shards, None, None).await, BTreeSet::from([0, 1, 2]));
    assert_eq!(mints_on(&shards, None, Some(2)).await, BTreeSet::from([0, 1]));
    assert_eq!(mints_on(&shards, Some("1/1"), Some(2)).await, BTreeSet::from([0, 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_told_to_end_says_so_serves_on_and_then_ends_well() {
    let shard = RedisServer::start().await;
    let settings = Settings::none().with("DRAIN_MS", 1_500);
    let mut machine = LoneMachine::start(&[&shard], &settings).await;
    let front = machine.front();
    let item = front.item_with(5, 1).await;
    assert_eq!(front.find_item(&item).await.http.header("connection"), None);

    machine.process().terminate();
    eventually("it is not ready any more", Duration::from_secs(1), async || {
        let ready = front.call(Method::GET, Service::Stock, "/health/ready").await;
        (ready.status == 503).then_some(())
    })
    .await;
    for left in (0..5).rev() {
        front.subtract_stock(&item, 1).await.ok();
        let found = front.find_item(&item).await;
        assert_eq!(found.http.header("connection"), Some("close"), "{found:?}");
        assert_eq!(found.number("stock"), left);
    }
    let status = machine.process().ended(Duration::from_secs(5)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}
