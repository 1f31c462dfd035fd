//! Lines between services, and between services and shards: cut, slow, silent, and cut between request and answer.

use std::time::Duration;

use shardcart_harness::{Service, Settings};
use shardcart_test::fault::{Fault, Kind, Place};

use crate::scene::Scene;

/// How long each line is disturbed: a silent one for longer than anyone waits for a reply.
const BRIEFLY: Duration = Duration::from_millis(1_200);
const SILENT: Duration = Duration::from_millis(2_500);

/// Disturbs one line after the other under one load, and has that judged.
async fn each_line(kind: Kind, lasts: Duration) {
    let mut scene = Scene::start(Settings::none()).await;
    let lines = [
        Place::Line(Service::Stock, 0),
        Place::ShardLine(Service::Order, 1),
        Place::Line(Service::Payment, 1),
        Place::ShardLine(Service::Stock, 0),
        Place::Line(Service::Order, 0),
        Place::ShardLine(Service::Payment, 0),
    ];
    let act = scene.act().await;
    for place in lines {
        let fault = Fault::new(kind, place);
        fault.begin(&mut scene.cluster).await;
        tokio::time::sleep(lasts).await;
        fault.end(&mut scene.cluster).await;
    }
    scene.end(act).await.is_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_cut() {
    each_line(Kind::Cut, BRIEFLY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_slow() {
    each_line(Kind::Slow, BRIEFLY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_swallow_all_and_deliver_it_late() {
    each_line(Kind::BlackHole, SILENT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_deliver_requests_and_hold_the_answers_back() {
    each_line(Kind::Mute, SILENT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_break_after_the_request_and_before_the_answer() {
    each_line(Kind::LoseAnswers, BRIEFLY).await;
}
