//! Clients race for handles while machines and Redis servers are killed: no handle has two owners, none that was answered
//! is lost, and the books are clean.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use shardcart_harness::{Cluster, ClusterOptions, Service, Settings};
use shardcart_test::auditor::Audit;

use crate::client::Client;

const CLIENTS: usize = 64;
const HANDLES: usize = 150;
const LASTS: Duration = Duration::from_secs(8);

/// The handle of each product whose last change was answered: nothing while it is not known.
type Answered = Arc<Mutex<BTreeMap<String, Option<String>>>>;

async fn race(number: usize, client: Client, ends: Instant, answered: Answered) {
    while Instant::now() < ends {
        let id = format!("c{number}-{}", fastrand::usize(0..2));
        let handle = format!("h{}", fastrand::usize(0..HANDLES));
        let known = answered.lock().expect("nobody panicked").insert(id.clone(), None).flatten();
        let product = json!({ "name": "Raced", "handle": handle, "price": { "amount": 1, "currency": "EUR" } });
        let answer = client.try_put(&format!("/products/{id}"), &product).await;
        let now = match answer.as_ref().map(|answer| (answer.status, answer.code())) {
            Some((200 | 201, _)) => Some(handle),
            Some((409, "handle_taken") | (429, "overloaded")) => known,
            Some((503, _)) | None => None,
            Some(other) => panic!("{other:?}: {answer:?}"),
        };
        if answer.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answered.lock().expect("nobody panicked").insert(id, now);
    }
}

async fn kill_things(cluster: &mut Cluster, ends: Instant) {
    let mut turn = 0;
    while Instant::now() < ends {
        tokio::time::sleep(Duration::from_millis(400)).await;
        if turn % 2 == 0 {
            cluster.process(Service::Stock, turn / 2 % 2).kill9();
            cluster.start_machine(Service::Stock, turn / 2 % 2).await;
        } else {
            let server = cluster.redis(Service::Stock, turn / 2 % 2);
            server.kill9();
            server.restart().await;
        }
        turn += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_race_for_handles_while_machines_and_servers_are_killed_never_share_one() {
    let options = ClusterOptions { machines: 2, shards: 2, settings: Settings::none() };
    let mut cluster = Cluster::start_with(options).await;
    let (ends, answered) = (Instant::now() + LASTS, Answered::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::of(&cluster.direct(number % 2));
            tokio::spawn(race(number, client, ends, Arc::clone(&answered)))
        })
        .collect();
    kill_things(&mut cluster, ends).await;
    for client in clients {
        client.await.expect("every answer is one of those that are documented");
    }
    cluster.all_ready().await;

    let client = Client::of(&cluster.direct(0));
    let exported = client.get("/exports/products").await.http.text;
    let mut owners = BTreeMap::new();
    for line in exported.lines() {
        let row: Value = serde_json::from_str(line).expect("a row");
        let (id, handle) = (row["id"].as_str().expect("an id").to_owned(), row["handle"].as_str().map(str::to_owned));
        if let Some(other) = handle.and_then(|handle| owners.insert(handle, id.clone())).filter(|other| *other != id) {
            panic!("{id} and {other} have one handle: {exported}");
        }
    }
    let answered = answered.lock().expect("nobody panicked").clone();
    let kept: Vec<_> = answered.iter().filter_map(|(id, handle)| Some((id, handle.as_ref()?))).collect();
    assert!(kept.len() > 10, "{answered:?}");
    for (id, handle) in kept {
        assert_eq!(owners.get(handle), Some(id), "{handle} was given to {id}");
    }
    for number in 0..HANDLES {
        let handle = format!("h{number}");
        let found = client.send(Method::GET, &format!("/products/by-handle/{handle}"), &[], "").await;
        assert_eq!(found.body["id"].as_str(), owners.get(&handle).map(String::as_str), "{found:?}");
    }
    Audit::of(&cluster.data()).await.clean();
}
