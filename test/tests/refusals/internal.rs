//! The participant protocol has a door of its own, and it is locked.

use std::net::SocketAddr;

use shardcart_harness::http::raw;
use shardcart_harness::systems::cluster::TOKEN;
use shardcart_harness::{Cluster, ClusterOptions, Front, Service, Settings};
use shardcart_test::Stage;
use shardcart_test::on_shop_and_cluster;

on_shop_and_cluster! {
    no_public_port_leads_to_the_participant_protocol,
}

const PATHS: [&str; 5] = [
    "/internal/v1/batches",
    "/internal/v1/topology",
    "/internal/v1/may_have",
    "/internal/v1/price",
    "/internal/v1/order_statuses",
];

async fn no_public_port_leads_to_the_participant_protocol(shop: &Stage) {
    let token = format!("Authorization: Bearer {TOKEN}");
    let fronts: [&Front; 2] = [shop, &shop.direct];
    for front in fronts {
        for service in Service::ALL {
            for path in PATHS {
                for method in ["GET", "POST"] {
                    let answer = front.raw(method, service, path, &[&token], b"").await;
                    answer.is_problem(404, "no_route");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_internal_port_answers_401_without_the_token() {
    let options = ClusterOptions { machines: 1, shards: 1, settings: Settings::none() };
    let cluster = Cluster::start_with(options).await;
    for service in Service::ALL {
        let port = cluster.machine(service, 0).internal_port;
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        let status = async |fields: &[&str], path: &str| {
            raw::exchange(server, raw::head("POST", path, fields).as_bytes()).await.status
        };
        for path in PATHS {
            let almost = &TOKEN[..TOKEN.len() - 1];
            for wrong in [
                "X-Nothing: here".to_owned(),
                "Authorization: Bearer".to_owned(),
                "Authorization: Bearer ".to_owned(),
                "Authorization: Bearer wrong".to_owned(),
                format!("Authorization: Bearer {almost}"),
                format!("Authorization: Bearer {TOKEN}x"),
                format!("Authorization: Basic {TOKEN}"),
                format!("Authorization: {TOKEN}"),
            ] {
                assert_eq!(status(&[&wrong], path).await, 401, "{service} {path} {wrong}");
            }
            let right = format!("Authorization: Bearer {TOKEN}");
            assert_ne!(status(&[&right], path).await, 401, "{service} {path} with the token");
        }
    }
}
