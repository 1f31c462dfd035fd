//! Many clients race for few handles, while machines and Redis servers die: never two products with one handle, none that
//! was acknowledged is lost, and after one read each hint is right.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shardcart_harness_shards::shards::{join, server, settings};
use shardcart_harness_shards::{Raw, TestShards};
use shardcart_stock::products::change::{self, Expect};
use shardcart_stock::products::error::ProductError;
use shardcart_stock::products::export::{self, Progress};
use shardcart_stock::products::lookup;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

use crate::products::with_handle;
use crate::support::{amount, item};

const CLIENTS: usize = 64;
/// Products that each client gives handles to.
const OWN: usize = 2;
const MACHINES: usize = 4;

/// What a client knows of a product: the handle that was acknowledged last; nothing while that is not known.
type Acknowledged = Rc<RefCell<BTreeMap<ItemId, Option<String>>>>;

/// Gives random handles to the client's own products for ever.
async fn race(client: usize, shards: Arc<Shards>, handles: usize, known: Acknowledged, counts: Rc<RefCell<[u64; 3]>>) {
    loop {
        let id = item(&format!("c{client}-{}", fastrand::usize(0..OWN)));
        let handle = format!("h{}", fastrand::usize(0..handles));
        let before = known.borrow_mut().insert(id.clone(), None).flatten();
        let content = with_handle("raced", &handle);
        match change::replace(&shards, &id, &Expect::Any, None, &content, amount(1)).await {
            Ok(_) => {
                counts.borrow_mut()[0] += 1;
                known.borrow_mut().insert(id, Some(handle));
            }
            Err(ProductError::HandleTaken(_) | ProductError::Contended(_)) => {
                counts.borrow_mut()[1] += 1;
                known.borrow_mut().insert(id, before);
            }
            Err(ProductError::Shard(_)) => counts.borrow_mut()[2] += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn play(handles: usize, lasts: Duration) {
    let mut patient = settings();
    patient.redis_timeout_ms = Duration::from_secs(1);
    patient.redis_connect_timeout_ms = Duration::from_secs(1);
    let mut on = TestShards::on("stock", vec![server().await, server().await], &patient).await;
    let mut machines = Vec::new();
    for _ in 0..MACHINES {
        let membership = join("stock", &on.servers, &patient).await.expect("a machine joins");
        machines.push(Arc::new(Shards::new(&membership).expect("the settings are fine")));
    }
    let (known, counts) = (Acknowledged::default(), Rc::new(RefCell::new([0; 3])));
    let start = |client: usize| {
        let machine = Arc::clone(&machines[client % MACHINES]);
        actix_web::rt::spawn(race(client, machine, handles, Rc::clone(&known), Rc::clone(&counts)))
    };
    let mut clients: Vec<_> = (0..CLIENTS).map(start).collect();
    let ends = Instant::now() + lasts;
    while Instant::now() < ends {
        tokio_sleep(fastrand::u64(20..120)).await;
        if fastrand::u8(0..4) == 0 {
            // A server dies, and comes back with its data.
            let server = fastrand::usize(0..2);
            on.servers[server].kill9();
            tokio_sleep(fastrand::u64(10..100)).await;
            on.servers[server].restart().await;
        } else {
            // A machine dies in the middle of whatever its clients asked for.
            let machine = fastrand::usize(0..MACHINES);
            for client in (0..CLIENTS).filter(|client| client % MACHINES == machine) {
                clients[client].abort();
                clients[client] = start(client);
            }
        }
    }
    for client in clients {
        client.abort();
        assert!(client.await.is_err_and(|error| error.is_cancelled()), "no client panicked");
    }
    let [given, taken, unknown] = *counts.borrow();
    println!("{given} given, {taken} taken, {unknown} unknown");
    assert!(given > 0 && taken > 0, "{given} given, {taken} taken");
    let known = known.take();
    check(&on, handles, &known).await;
}

async fn tokio_sleep(ms: u64) {
    actix_web::rt::time::sleep(Duration::from_millis(ms)).await;
}

/// All products that carry a handle.
async fn owners(shards: &Shards) -> BTreeMap<String, BTreeSet<ItemId>> {
    let (mut owners, mut progress) = (BTreeMap::<String, BTreeSet<ItemId>>::new(), Some(Progress::default()));
    while let Some(from) = progress {
        let (products, next) = export::step(shards, &from).await.expect("all servers run again");
        for product in products {
            if let Some(handle) = product.content.handle {
                owners.entry(handle).or_default().insert(product.id);
            }
        }
        progress = next;
    }
    owners
}

async fn check(on: &TestShards, handles: usize, known: &BTreeMap<ItemId, Option<String>>) {
    let owners = owners(&on.shards).await;
    let doubled: Vec<_> = owners.iter().filter(|(_, owners)| owners.len() > 1).collect();
    assert!(doubled.is_empty(), "handles with two owners: {doubled:?}");
    for (id, handle) in known {
        if let Some(handle) = handle {
            let own = owners.get(handle).is_some_and(|owners| owners.contains(id));
            assert!(own, "{handle} was acknowledged to {id}, and it carries it no more: {owners:?}");
        }
    }
    for number in 0..handles {
        let handle = format!("h{number}");
        let owner = owners.get(&handle).and_then(BTreeSet::first);
        let found = match lookup::by_handle(&on.shards, &handle).await {
            Ok(product) => Some(product.id),
            Err(ProductError::Unknown(_)) => None,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found.as_ref(), owner, "{handle} is found by its hint");
        let hint = hint(on, &handle).await;
        let words: Vec<&str> = hint.as_deref().unwrap_or_default().split(' ').collect();
        match (owner, words.as_slice()) {
            (Some(owner), ["1", "held", _, _, id]) => assert_eq!(*id, owner.as_str()),
            (None, [""]) => {}
            // A claim whose client died a moment ago: the next reader after its time deletes it.
            (None, ["1", "claimed", _, deadline, _]) => assert!(deadline.parse().is_ok_and(on_time)),
            other => panic!("{handle}: {other:?}"),
        }
    }
}

/// Whether a claim with this deadline may still be left alone, by the clock of this computer.
fn on_time(deadline_ms: u64) -> bool {
    shardcart_types::ids::now_ms() <= deadline_ms + 10_000
}

async fn hint(on: &TestShards, handle: &str) -> Option<String> {
    let number = shardcart_store::unique::Names("handle").shard_of(&on.shards, handle);
    let tag = on.shards.shard(number).expect("the shard is known").tag();
    let raw = Raw::of(&on.servers[usize::from(number)]).await;
    raw.text(&format!("{{{tag}}}:unique:handle:{handle}")).await
}

#[actix_web::test]
async fn clients_that_race_for_handles_while_machines_and_servers_die_never_share_one() {
    play(200, Duration::from_secs(10)).await;
}

/// The same for longer, and with more handles.
#[actix_web::test]
#[ignore = "takes five minutes"]
async fn clients_that_race_for_a_thousand_handles_for_long_never_share_one() {
    play(1_000, Duration::from_secs(300)).await;
}
