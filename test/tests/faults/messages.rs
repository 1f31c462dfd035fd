//! Messages to participants that are repeated, late, and overtaken by others.

use std::time::Duration;

use shardcart_harness::network::messages::{Exchange, Fate};
use shardcart_harness::network::relay::Flow;
use shardcart_harness::{Service, Settings, eventually};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::purchase::Purchase;
use crate::scene::{Scene, patient};

/// How long is waited for what comes soon on a machine with nothing else to do.
const SOON: Duration = Duration::from_secs(20);

/// All that was said to a service so far, and answered.
fn exchanges(scene: &Scene, service: Service) -> Vec<Exchange> {
    let links = scene.cluster.network().links(service);
    links.iter().flat_map(|link| link.messages.exchanges()).collect()
}

/// Waits until something that carries `operation` has been answered, and gives the answers in words.
async fn answered(scene: &Scene, service: Service, operation: &str) -> Vec<String> {
    eventually(format!("{service} answers {operation}"), SOON, async || {
        let all = exchanges(scene, service);
        let words = all.iter().filter(|one| one.message.carries(operation)).flat_map(|one| one.words());
        let words: Vec<String> = words.map(str::to_owned).collect();
        (!words.is_empty()).then_some(words)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserve_that_comes_after_its_cancel_takes_nothing() {
    for (service, reserve) in [(Service::Stock, "reserve_stock"), (Service::Payment, "reserve_credit")] {
        let scene = Scene::start(patient()).await;
        let purchase = Purchase::prepare(&scene.cluster.front()).await;
        for link in scene.cluster.network().links(service) {
            link.messages.rule(move |message| if message.carries(reserve) { Fate::Hold } else { Fate::Pass });
        }
        let answer = scene.cluster.direct(0).checkout_once(&purchase.order).await;
        assert!(answer.status >= 400, "nobody was asked for {reserve}: {answer:?}");
        scene.cluster.data().settled(SOON).await;
        purchase.is(&scene.cluster, false).await;

        scene.cluster.network().pass();
        let words = answered(&scene, service, reserve).await;
        assert!(words.iter().all(|word| word == "cancelled"), "{words:?}");
        purchase.is(&scene.cluster, false).await;
        scene.cluster.front().checkout(&purchase.order).await.ok();
        scene.cluster.data().settled(SOON).await;
        purchase.is(&scene.cluster, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserve_that_comes_after_its_deadline_takes_nothing() {
    let times = patient().with("CHECKOUT_LEASE_MS", 300).with("CHECKOUT_DEADLINE_MS", 500);
    let scene = Scene::start(times).await;
    for (service, reserve) in [(Service::Stock, "reserve_stock"), (Service::Payment, "reserve_credit")] {
        let purchase = Purchase::prepare(&scene.cluster.front()).await;
        for link in scene.cluster.network().links(service) {
            // All of them, so that its cancel does not overtake it.
            link.messages.rule(|message| match message.path.ends_with("/batches") {
                true => Fate::Late(Duration::from_millis(800)),
                false => Fate::Pass,
            });
        }
        let answer = scene.cluster.direct(0).checkout_once(&purchase.order).await;
        assert!(answer.status >= 400, "{answer:?}");
        let words = answered(&scene, service, reserve).await;
        assert!(words.iter().any(|word| word == "expired"), "{words:?}");
        assert!(words.iter().all(|word| word == "expired" || word == "cancelled"), "{words:?}");
        scene.cluster.network().pass();
        scene.cluster.data().settled(SOON).await;
        purchase.is(&scene.cluster, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_after_the_attempt_was_given_up_decides_nothing() {
    let scene = Scene::start(patient().with("CHECKOUT_LEASE_MS", 300)).await;
    let purchase = Purchase::prepare(&scene.cluster.front()).await;
    for link in scene.cluster.network().links(Service::Payment) {
        // Soon enough for the coordinator, and too late for its lease: recovery was faster.
        link.wire.flows(Flow::Pass, Flow::Delay(Duration::from_millis(900)));
    }
    let answer = scene.cluster.direct(0).checkout_once(&purchase.order).await;
    assert_eq!((answer.status, answer.code()), (409, "checkout_aborted"), "{answer:?}");
    scene.cluster.network().pass();
    scene.cluster.data().settled(SOON).await;
    purchase.is(&scene.cluster, false).await;
    scene.cluster.front().checkout_until_definite(&purchase.order, true).await.ok();
    scene.cluster.data().settled(SOON).await;
    purchase.is(&scene.cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserve_that_comes_after_its_confirm_takes_nothing_more() {
    let scene = Scene::start(patient()).await;
    let purchase = Purchase::prepare(&scene.cluster.front()).await;
    scene.cluster.front().checkout(&purchase.order).await.ok();
    scene.cluster.data().settled(SOON).await;
    purchase.is(&scene.cluster, true).await;
    for (service, reserve) in [(Service::Stock, "reserve_stock"), (Service::Payment, "reserve_credit")] {
        // Any machine answers for all; backwards, so that each is overtaken by those that came after it.
        let link = scene.cluster.network().link(service, 0);
        let mut repeated = 0;
        for one in exchanges(&scene, service).iter().rev().filter(|one| one.message.path.ends_with("/batches")) {
            let again = link.messages.send(&one.message).await;
            let settled = |word: &&str| matches!(*word, "confirmed" | "cancelled" | "conflict");
            assert!(!again.words().is_empty() && again.words().iter().all(settled), "{again:?}");
            repeated += usize::from(one.message.carries(reserve) && again.words().contains(&"confirmed"));
        }
        assert!(repeated > 0, "no {reserve} was repeated");
        purchase.is(&scene.cluster, true).await;
    }
    assert!(scene.cluster.data().unsettled().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_under_load_are_repeated_late_and_overtaken() {
    let mut scene = Scene::start(Settings::none()).await;
    let act = scene.act().await;
    let faults: Vec<Fault> = Service::ALL
        .into_iter()
        .flat_map(|service| (0..2).map(move |machine| Place::Messages(service, machine)))
        .enumerate()
        .map(|(seed, place)| Fault::new(Kind::Disorder(u64::try_from(seed).expect("a small number") << 32), place))
        .collect();
    for fault in &faults {
        fault.begin(&mut scene.cluster).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    for fault in &faults {
        fault.end(&mut scene.cluster).await;
    }
    scene.end(act).await.is_clean();
}
