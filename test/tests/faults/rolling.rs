//! Machines that are restarted in good order, one after the other, under load: nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyper::Method;
use shardcart_harness::{Front, Service, lease_is_short};

use crate::scene::{Scene, patient};

/// Clients that use every call there is.
const CLIENTS: usize = 6;

/// One way through all calls, those that are not safe to repeat among them; fails with what was not a success.
async fn round(front: &Front) -> Result<(), String> {
    let call = async |method: Method, service, path: String| {
        let answer = front.try_call(method, service, &path).await.map_err(|no| no.0)?;
        match answer.status {
            200 => Ok(answer),
            status => Err(format!("{service} {path}: {status} {}", answer.http.text)),
        }
    };
    let post = async |service, path: String| call(Method::POST, service, path).await;
    let user = post(Service::Payment, "/create_user".to_owned()).await?.text("user_id");
    post(Service::Payment, format!("/add_funds/{user}/20")).await?;
    let item = post(Service::Stock, "/item/create/2".to_owned()).await?.text("item_id");
    post(Service::Stock, format!("/add/{item}/9")).await?;
    post(Service::Stock, format!("/subtract/{item}/1")).await?;
    let order = post(Service::Order, format!("/create/{user}")).await?.text("order_id");
    post(Service::Order, format!("/addItem/{order}/{item}/3")).await?;
    call(Method::DELETE, Service::Order, format!("/removeItem/{order}/{item}")).await?;
    let checkout = front.checkout(&order).await;
    if checkout.status != 200 && !lease_is_short() {
        return Err(format!("checkout: {checkout:?}"));
    }
    let found = call(Method::GET, Service::Order, format!("/find/{order}")).await?;
    if found.body["paid"] != true {
        return Err(format!("not paid: {found:?}"));
    }
    post(Service::Payment, format!("/pay/{user}/1")).await?;
    let other = post(Service::Order, format!("/create/{user}")).await?.text("order_id");
    post(Service::Payment, format!("/pay/{user}/{other}/2")).await?;
    post(Service::Payment, format!("/cancel/{user}/{other}")).await?;
    call(Method::DELETE, Service::Order, format!("/remove/{other}")).await?;
    let stock = call(Method::GET, Service::Stock, format!("/find/{item}")).await?.number("stock");
    let credit = call(Method::GET, Service::Payment, format!("/find_user/{user}")).await?.number("credit");
    if (stock, credit) != (6, 15) { Err(format!("stock {stock}, credit {credit}")) } else { Ok(()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_machine_is_restarted_under_load_and_not_one_request_fails() {
    let mut scene = Scene::start(patient()).await;
    let (over, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (front, over, rounds) = (scene.cluster.front(), Arc::clone(&over), Arc::clone(&rounds));
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    failures.extend(round(&front).await.err());
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                failures
            })
        })
        .collect();
    for service in Service::ALL {
        for machine in 0..2 {
            scene.cluster.restart_machine(service, machine).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.expect("a client does not panic"));
    }
    let rounds = rounds.load(Ordering::Relaxed);
    assert!(failures.is_empty(), "{} failures in {rounds} rounds: {failures:#?}", failures.len());
    assert!(rounds >= 20, "too little load to tell anything: {rounds} rounds");
}
