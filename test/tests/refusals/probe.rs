//! `<service> health`, with which a container without a shell tells whether it is ready.

use std::process::Command;

use shardcart_harness::processes::binaries;
use shardcart_harness::systems::cluster::TOKEN;
use shardcart_harness::{Cluster, ClusterOptions, Service, Settings};

/// Asks a machine on this port, as its container would.
fn probe(service: Service, port: u16) -> (bool, String) {
    let mut command = Command::new(binaries::path(service.program()));
    Settings::none().with("PORT", port).with("BIND", "0.0.0.0").with("INTERNAL_TOKEN", TOKEN).apply(&mut command);
    let output = command.arg("health").output().expect("the program starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_probe_tells_whether_the_machine_is_ready_and_why_not() {
    let options = ClusterOptions { machines: 1, shards: 1, settings: Settings::none() };
    let mut cluster = Cluster::start_with(options).await;
    for service in Service::ALL {
        let port = cluster.machine(service, 0).port;
        assert_eq!(probe(service, port), (true, String::new()), "{service}");
    }
    let port = cluster.machine(Service::Stock, 0).port;
    cluster.redis(Service::Stock, 0).kill9();
    let (ready, reason) = probe(Service::Stock, port);
    assert!(!ready && reason.contains("silent_shards"), "{reason}");
    cluster.process(Service::Stock, 0).kill9();
    let (ready, reason) = probe(Service::Stock, port);
    assert!(!ready && reason.contains("refused"), "{reason}");
}
