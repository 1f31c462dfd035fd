//! The queries of the dashboards, asked of a Prometheus that scrapes a shop under load.

use std::time::Duration;

use serde_json::Value;
use shardcart_harness::observers::prometheus::Prometheus;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Front, Fsync, RedisServer, Service, Settings, eventually};

use crate::files::dashboards;

const PATIENCE: Duration = Duration::from_secs(60);

/// Title and expression of each query of a dashboard.
fn queries(dashboard: &str) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(dashboard).expect("a dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let mut found = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a panel has a title");
        let targets = panel["targets"].as_array().expect("a panel has queries");
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            found.push((title.to_owned(), target["expr"].as_str().expect("a query is text").to_owned()));
        }
    }
    found
}

/// One round of all that a dashboard shows: checkouts that are paid, repeated and refused.
async fn round(front: &Front, item: &str, user: &str, poor: &str) {
    // Whatever an answer is on a busy computer, it is counted.
    for (user, times) in [(user, 2), (poor, 1)] {
        let made = front.create_order(user).await;
        if made.status != 200 {
            continue;
        }
        let order = made.text("order_id");
        front.add_item(&order, item, 1).await;
        for _ in 0..times {
            front.checkout(&order).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_every_dashboard_returns_data() {
    let settings = Settings::none().with("METRICS_INTERVAL_MS", 200);
    let redis = async || vec![RedisServer::start_with(Fsync::No, "noeviction").await];
    let mut shop = ShopOverRedis::start_over([redis().await, redis().await, redis().await], &settings).await;
    for service in Service::ALL {
        shop.redis(service, 0).set("maxmemory", "1gb").await;
    }
    let prometheus = Prometheus::start(&[shop.shop().port()], "groups: []\n").await;
    let front = shop.front();
    let item = front.item_with(1_000_000, 1).await;
    let (user, poor) = (front.user_with(1_000_000).await, front.user_with(0).await);
    let load = async {
        loop {
            round(&front, &item, &user, &poor).await;
        }
    };
    let ask = async {
        for (file, text) in dashboards() {
            for (title, expression) in queries(&text) {
                let expression = expression.replace("$__rate_interval", "5s");
                assert!(!expression.contains('$'), "{file}, {title}: a variable that this test does not know");
                eventually(format!("{file}, {title}: {expression}"), PATIENCE, async || {
                    let series = prometheus.query(&expression).await;
                    series.iter().any(|(_, value)| value.is_finite()).then_some(())
                })
                .await;
            }
        }
    };
    tokio::select! {
        () = ask => {}
        () = load => unreachable!("the load does not end"),
    }
}
