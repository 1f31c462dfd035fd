//! Coordinators and participants that die at each step of a checkout, forced by injection points.

use std::time::Duration;

use shardcart_harness::{Service, Settings, eventually, lease_is_short};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::purchase::Purchase;
use crate::scene::{Scene, patient};

/// How soon recovery begins after a death: 5 s is the promise, and as much again is for a computer that has much else
/// to do.
const RECOVERY: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(20);

/// After a death: recovery begins in time, settles all, and the order can be paid, once.
async fn is_recovered(scene: &mut Scene, purchase: &Purchase, paid: bool) {
    let data = scene.cluster.data();
    // With a short lease it may have died while it settled an attempt that was given up.
    if paid && !lease_is_short() {
        assert_eq!(data.order_status(&purchase.order).await, "paid");
        eventually("a participant is told", RECOVERY, async || {
            (data.units(&purchase.items[0]).await.held == 0).then_some(())
        })
        .await;
    } else {
        let status = data.order_becomes(&purchase.order, &["open", "aborting", "paid"], RECOVERY).await;
        assert!(lease_is_short() || status != "paid", "nobody decided this");
    }
    data.settled(SOON).await;
    let paid = if lease_is_short() { data.order_status(&purchase.order).await == "paid" } else { paid };
    purchase.is(&scene.cluster, paid).await;
    scene.cluster.front().checkout(&purchase.order).await.ok();
    data.settled(SOON).await;
    purchase.is(&scene.cluster, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_dies_at_any_step_leaves_all_or_nothing() {
    let mut scene = Scene::start(patient()).await;
    for (point, paid) in [
        ("after_begin", false),
        ("after_reserve:1", false),
        ("after_reserve:2", false),
        ("after_reserve:3", false),
        ("after_all", false),
        ("after_decide", true),
        ("mid_settle:1", true),
        ("mid_settle:2", true),
    ] {
        println!("dies at {point}");
        let purchase = Purchase::prepare(&scene.cluster.front()).await;
        scene.start_dying(Service::Order, 0, point).await;
        scene.die(0, &purchase).await;
        is_recovered(&mut scene, &purchase, paid).await;
        scene.cluster.start_machine(Service::Order, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_dies_half_way_is_done_again() {
    let mut scene = Scene::start(patient()).await;
    for (point, paid) in [("after_all", false), ("after_decide", true)] {
        println!("dies at {point}, and its recovery");
        let purchase = Purchase::prepare(&scene.cluster.front()).await;
        scene.start_dying(Service::Order, 0, point).await;
        scene.start_dying(Service::Order, 1, "mid_recovery").await;
        scene.die(0, &purchase).await;
        let ended = scene.cluster.process(Service::Order, 1).ended(SOON).await;
        assert!(ended.is_some(), "the other machine recovers, and dies of it");
        scene.cluster.start_machine(Service::Order, 0).await;
        is_recovered(&mut scene, &purchase, paid).await;
        scene.cluster.start_machine(Service::Order, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_that_dies_between_script_and_answer_is_not_noticed() {
    let mut scene = Scene::start(patient()).await;
    for service in [Service::Stock, Service::Payment] {
        scene.start_dying(service, 0, "after_script").await;
        let front = scene.cluster.front();
        let mut tries = 0;
        while scene.cluster.process(service, 0).is_running() {
            assert!(tries < 50, "it does not die");
            let purchase = Purchase::prepare(&front).await;
            front.checkout(&purchase.order).await.ok();
            scene.cluster.data().settled(SOON).await;
            purchase.is(&scene.cluster, true).await;
            tries += 1;
        }
        scene.cluster.start_machine(service, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_and_participants_die_at_each_step_under_load() {
    let mut scene = Scene::start(Settings::none()).await;
    for (service, point) in [
        (Service::Order, "after_begin"),
        (Service::Order, "after_reserve"),
        (Service::Order, "after_all"),
        (Service::Order, "after_decide"),
        (Service::Order, "mid_settle"),
        (Service::Order, "mid_recovery"),
        (Service::Stock, "after_script"),
        (Service::Payment, "after_script"),
    ] {
        let act = scene.act().await;
        let dies =
            Fault::new(Kind::Die(point, if point == "mid_recovery" { 1 } else { 10 }), Place::Machine(service, 0));
        dies.begin(&mut scene.cluster).await;
        // What the other machine leaves behind gives recovery something to do.
        let other = Fault::new(Kind::Kill, Place::Machine(service, 1));
        if point == "mid_recovery" {
            scene.cluster.ready(service, 0).await;
            other.begin(&mut scene.cluster).await;
        }
        eventually(format!("a {service} machine dies at {point}"), SOON * 2, async || {
            (!scene.cluster.process(service, 0).is_running()).then_some(())
        })
        .await;
        dies.end(&mut scene.cluster).await;
        if point == "mid_recovery" {
            other.end(&mut scene.cluster).await;
        }
        let verdict = scene.end(act).await;
        println!(
            "{point}: {} orders, {} paid, settled after {:?}",
            verdict.orders, verdict.paid, verdict.settled_after
        );
        verdict.is_clean();
    }
}
