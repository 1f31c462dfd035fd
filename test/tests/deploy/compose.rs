//! The rules that `compose.yaml` keeps to, read as it stands: that it works is for `make test-containers`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use shardcart_harness::Service;
use shardcart_harness::systems::kube::root;

/// How long a machine takes to end after its drain: what is in flight (10 s), and what is to be settled (5 s).
const FINISH_S: u64 = 15;

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("it is shipped")
}

/// `compose.yaml`.
pub fn compose() -> Value {
    parsed("compose.yaml")
}

/// A file, with what its blocks share merged into them.
fn parsed(name: &str) -> Value {
    let mut file: serde_yaml_ng::Value = serde_yaml_ng::from_str(&read(name)).expect("it is YAML");
    file.apply_merge().expect("what is merged are mappings");
    // A merge within what is merged.
    file.apply_merge().expect("what is merged are mappings");
    serde_json::to_value(file).expect("its keys are text")
}

/// What is written as `25s`.
fn seconds(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.strip_suffix('s'));
    text.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{value} are seconds"))
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().expect("services").iter()
}

fn variable<'a>(service: &'a Value, name: &str) -> &'a str {
    service["environment"][name].as_str().unwrap_or_else(|| panic!("{name} is set"))
}

#[test]
fn every_container_is_bounded_locked_down_restarted_and_has_time_to_end() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let restart = if service["profiles"] == json!(["tools"]) { "no" } else { "unless-stopped" };
        assert_eq!(service["restart"], restart, "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_u64(), "{name}");
        let grace_s = seconds(&service["stop_grace_period"]);
        if let Some(drain_ms) = service["environment"]["DRAIN_MS"].as_str() {
            let default = drain_ms.strip_prefix("${DRAIN_MS:-").and_then(|rest| rest.strip_suffix('}'));
            let drain_ms: u64 = default.and_then(|ms| ms.parse().ok()).expect("it has a default");
            assert!(grace_s * 1000 > drain_ms + FINISH_S * 1000, "{name}: {grace_s} s");
            for line in read("gateway/upstreams.conf").lines().filter(|line| line.contains("keepalive_timeout")) {
                let kept = line.trim().trim_start_matches("keepalive_timeout ").trim_end_matches(';');
                assert!(seconds(&json!(kept)) * 1000 < drain_ms, "{name}: {line}");
            }
        }
        let ports = service["ports"].as_array().cloned().unwrap_or_default();
        for port in ports.iter().map(|port| port.as_str().expect("a port is text")) {
            let opened = name == "gateway" && port == "${BIND:-127.0.0.1}:${PORT:-8000}:8000";
            assert!(opened || port.starts_with("127.0.0.1:"), "{name}: {port} is reached from outside");
        }
    }
}

#[test]
fn each_service_has_two_machines_that_know_two_shards_and_start_when_these_are_healthy() {
    let compose = compose();
    let started = services(&compose).filter(|(_, service)| service["profiles"].is_null());
    let all: Vec<&String> = started.map(|(name, _)| name).collect();
    assert_eq!(all.len(), 13, "{all:?}");
    let upstreams = read("gateway/upstreams.conf");
    for service in Service::ALL {
        let shards = [0, 1].map(|shard| format!("{service}-redis-{shard}"));
        for machine in [1, 2] {
            let name = format!("{service}-{machine}");
            let block = &compose["services"][&name];
            assert_eq!(variable(block, "MACHINE_ID"), format!("{machine}/2"));
            assert_eq!(
                variable(block, "REDIS_ADDRS"),
                shards.each_ref().map(|shard| format!("{shard}:6379")).join(",")
            );
            assert_eq!(variable(block, "ALLOW_BATCH_INIT"), "${ALLOW_BATCH_INIT:-true}");
            for shard in &shards {
                assert_eq!(block["depends_on"][shard]["condition"], "service_healthy", "{name}");
            }
            assert_eq!(compose["services"]["gateway"]["depends_on"][&name]["condition"], "service_healthy");
            assert!(upstreams.contains(&format!("server {name}:{} ", 8001 + service.index())), "{name}");
            assert_eq!(block["build"]["target"], service.program());
        }
        for (number, shard) in shards.iter().enumerate() {
            let block = &compose["services"][shard];
            assert!(block["healthcheck"]["test"].is_array(), "{shard}");
            let command = block["command"].as_array().and_then(|words| words.last()?.as_str()).expect("a script");
            for line in ["appendonly yes", "appendfsync $$FSYNC\n", "maxmemory-policy noeviction", "requirepass "] {
                assert!(command.contains(line), "{shard}: {line}");
            }
            assert_eq!(variable(block, "FSYNC"), "${FSYNC:-always}", "{shard}");
            assert_eq!(block["volumes"], json!([format!("{service}-{number}:/data")]), "{shard}");
            assert!(compose["volumes"].get(format!("{service}-{number}")).is_some(), "{shard}: a named volume");
        }
    }
    assert!(compose["services"]["gateway"]["healthcheck"]["test"].is_array());
}

#[test]
fn every_image_is_pinned_and_is_the_one_of_the_cluster_as_well() {
    let (compose, deploy, dockerfile) = (compose(), read("gke-scale/settings.sh"), read("Dockerfile"));
    for (name, service) in services(&compose) {
        let image = service["image"].as_str().expect("an image has a name");
        if service["profiles"] == json!(["observability"]) {
            let (_, tag) = image.rsplit_once(':').expect("it is pinned");
            assert_eq!(tag.split('.').count(), 3, "{name}: {image}");
        } else if service["build"].is_null() {
            assert!(deploy.contains(&format!("_IMAGE {image} ")), "{name}: {image}");
        } else {
            let target = service["build"]["target"].as_str().expect("a stage");
            assert_eq!(image, format!("shardcart-{target}:${{TAG:-latest}}"));
            let (_, stage) = dockerfile.split_once(&format!("AS {target}\n")).expect("the stage is there");
            let stage = stage.split("\nFROM ").next().unwrap_or_default();
            assert!(
                name == "audit" || stage.contains(&format!("CMD [\"{target}\", \"health\"]")),
                "{name} is healthy without a shell"
            );
        }
    }
    for line in dockerfile.lines().filter(|line| line.starts_with("ARG RU")) {
        let tag = line.split_once(':').map_or("", |(_, tag)| tag);
        assert!(tag.chars().filter(char::is_ascii_digit).count() >= 3 && tag.contains('.'), "{line}");
    }
}

#[test]
fn prometheus_scrapes_the_internal_port_of_each_machine_and_has_all_its_files() {
    let (compose, prometheus) = (compose(), read("observability/prometheus.yml"));
    for (name, service) in services(&compose).filter(|(_, service)| !service["environment"]["MACHINE_ID"].is_null()) {
        let port =
            ["order", "stock", "payment"].iter().position(|kind| name.starts_with(kind)).expect("a machine") + 9001;
        assert!(prometheus.contains(&format!("{name}:{port}")), "{name}: {service}");
    }
    for (_, service) in services(&compose).filter(|(_, service)| service["profiles"] == json!(["observability"])) {
        for volume in service["volumes"].as_array().expect("they have files") {
            let own = volume.as_str().and_then(|volume| volume.strip_prefix("./")?.split(':').next());
            assert!(own.is_none_or(|path| root().join(path).exists()), "{volume} is there");
        }
    }
}

#[test]
fn the_file_for_five_shards_adds_three_and_tells_every_machine() {
    let five = parsed("compose.five.yaml");
    assert_eq!(services(&five).count(), 6 + 9 + 1);
    for service in Service::ALL {
        let shards: Vec<String> = (0..5).map(|shard| format!("{service}-redis-{shard}")).collect();
        for machine in [1, 2] {
            let block = &five["services"][format!("{service}-{machine}")];
            let addresses: Vec<String> = shards.iter().map(|shard| format!("{shard}:6379")).collect();
            assert_eq!(variable(block, "REDIS_ADDRS"), addresses.join(","));
            assert_eq!(variable(block, "MINT_SHARDS"), "${MINT_SHARDS:-5}");
            let audited = format!("{}_REDIS_ADDRS", service.program().to_uppercase());
            assert_eq!(variable(&five["services"]["audit"], &audited), addresses.join(","));
            for shard in &shards[2..] {
                assert_eq!(block["depends_on"][shard]["condition"], "service_healthy", "{shard}");
            }
        }
        for (number, shard) in shards.iter().enumerate().skip(2) {
            let block = &five["services"][shard];
            let like = json!({"file": "compose.yaml", "service": format!("{service}-redis-0")});
            assert_eq!((&block["extends"], &block["volumes"]), (&like, &json!([format!("{service}-{number}:/data")])));
            assert!(five["volumes"].get(format!("{service}-{number}")).is_some(), "{shard}: a named volume");
        }
    }
}

#[test]
fn the_console_is_that_of_the_order_machines_and_has_no_token_of_its_own() {
    for (name, service) in services(&compose()) {
        let is_order = name.starts_with("order-") && service["environment"]["MACHINE_ID"].is_string();
        let token = &service["environment"]["CONSOLE_TOKEN"];
        assert_eq!(token.as_str(), is_order.then_some("${CONSOLE_TOKEN:-}"), "{name}");
    }
}

/// The script of a Redis container with its variables, and a `redis-server` that prints what it is told.
fn redis_reads(variables: &[(&str, &str)]) -> (bool, String) {
    let compose = compose();
    let block = &compose["services"]["stock-redis-0"];
    let script = block["command"].as_array().and_then(|words| words.last()?.as_str()).expect("a script");
    let script = script.replace("$$", "$").replace("exec redis-server -", "exec cat");
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script]).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    shell.envs([("FSYNC", "always"), ("REDIS_MAXMEMORY", "384mb"), ("REDISCLI_AUTH", "for-local-use-only")]);
    let output = shell.envs(variables.iter().copied()).output().expect("there is a shell");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn what_is_no_value_never_reaches_a_redis_configuration() {
    let (started, read) = redis_reads(&[]);
    assert!(started && read.contains("appendfsync always\nsave") && read.contains("maxmemory 384mb\n"), "{read}");
    for (name, value) in [
        ("FSYNC", "sometimes"),
        ("FSYNC", "always\nsave 1 1"),
        ("FSYNC", "$(echo always)"),
        ("REDIS_MAXMEMORY", "1Gi"),
        ("REDIS_MAXMEMORY", "0"),
        ("REDIS_MAXMEMORY", "1gb\nsave 1 1"),
        ("REDISCLI_AUTH", "a\"b"),
    ] {
        assert_eq!(redis_reads(&[(name, value)]), (false, String::new()), "{name}={value:?}");
    }
}
