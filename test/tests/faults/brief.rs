//! With two machines of a service, clients behind a gateway that repeats safe calls hardly notice the death of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::Method;
use shardcart_harness::{Front, Service, lease_is_short};

use crate::purchase::Purchase;
use crate::scene::{Scene, patient};

/// Clients, orders that each has ready before anything dies, and how long a machine stays dead.
const CLIENTS: usize = 6;
const ORDERS: usize = 40;
const DEAD: Duration = Duration::from_millis(1_500);

/// Checks out one order after the other, and looks at all that it touched; gives what was not a success.
async fn safe_calls(
    front: Front,
    user: String,
    item: String,
    orders: Vec<String>,
    over: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failures = Vec::new();
    for order in orders {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let checkout = front.checkout(&order).await;
        // With a lease that is too short an attempt may be given up however often it is repeated.
        let given_up = lease_is_short() && matches!(checkout.code(), "checkout_aborted" | "outcome_unknown");
        if checkout.status != 200 && !given_up {
            failures.push(format!("checkout {order}: {} {}", checkout.status, checkout.http.text));
        }
        for (service, path) in [
            (Service::Order, format!("/find/{order}")),
            (Service::Payment, format!("/status/{user}/{order}")),
            (Service::Payment, format!("/find_user/{user}")),
            (Service::Stock, format!("/find/{item}")),
        ] {
            match front.try_call(Method::GET, service, &path).await {
                Ok(answer) if answer.status == 200 && (given_up || answer.body["paid"] != false) => {}
                other => failures.push(format!("{path}: {other:?}")),
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_machine_of_each_service_costs_no_error_of_a_safe_call() {
    let mut scene = Scene::start(patient()).await;
    let front = scene.cluster.front();
    for service in Service::ALL {
        let items = front.items_on_all_shards(2, 1, 100_000, 1).await;
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let user = front.user_with(100_000).await;
            let lines = [(items[0].as_str(), 1), (items[1].as_str(), 1)];
            let orders = front.each(0..ORDERS, |_| front.order_of(&user, &lines)).await;
            clients.push((user, orders));
        }
        let clients: Vec<_> = clients
            .into_iter()
            .map(|(user, orders)| {
                let calls =
                    safe_calls(front.clone(), user, items[0].clone(), orders, Arc::clone(&over), Arc::clone(&done));
                tokio::spawn(calls)
            })
            .collect();
        let before = ORDERS * CLIENTS / 10;
        shardcart_harness::eventually("the clients are at work", Duration::from_secs(60), async || {
            (done.load(Ordering::Relaxed) >= before).then_some(())
        })
        .await;
        scene.cluster.process(service, 0).kill9();
        tokio::time::sleep(DEAD).await;
        scene.cluster.start_machine(service, 0).await;
        over.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in clients {
            failures.extend(client.await.expect("a client does not panic"));
        }
        assert!(failures.is_empty(), "{service}: {failures:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_whose_coordinator_died_is_taken_over_by_the_machine_that_is_asked_again() {
    let mut scene = Scene::start(patient()).await;
    for point in ["after_begin", "after_reserve:2", "after_all", "after_decide"] {
        let purchase = Purchase::prepare(&scene.cluster.front()).await;
        scene.start_dying(Service::Order, 0, point).await;
        scene.die(0, &purchase).await;
        // One request, at once: what is asked of it is only that it waits for the lease to be over.
        let answer = scene.cluster.direct(1).checkout(&purchase.order).await;
        assert_eq!(answer.status, 200, "{point}: {answer:?}");
        scene.cluster.data().settled(Duration::from_secs(20)).await;
        purchase.is(&scene.cluster, true).await;
        scene.cluster.process(Service::Order, 0).kill9();
        scene.cluster.start_machine(Service::Order, 0).await;
    }
}
