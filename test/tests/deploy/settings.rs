//! Every setting of every program can be given wherever the system is deployed, and a value that would break what runs
//! is refused before anything is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use shardcart_harness::Service;
use shardcart_harness::processes::binaries;
use shardcart_harness::systems::kube::{Manifests, render, root, try_render};

use crate::compose::compose;

const GKE: &str = "gke-scale/deploy.sh";
const MINIKUBE: &str = "minikube/deploy.sh";

/// What a deployment says itself: who a machine is, and where its neighbours are.
const DERIVED: [&str; 8] = [
    "BIND",
    "PORT",
    "INTERNAL_PORT",
    "MACHINE_ID",
    "REDIS_ADDRS",
    "STOCK_SERVICE_URL",
    "PAYMENT_SERVICE_URL",
    "ORDER_SERVICE_URL",
];
/// What lies in the secret.
const SECRET: [&str; 4] = ["REDIS_PASSWORD", "INTERNAL_TOKEN", "CONSOLE_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"];

/// The variables that a program reads.
fn variables(program: &str) -> BTreeSet<String> {
    let help = Command::new(binaries::path(program)).arg("--help").env_clear().output().expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let named = help.lines().filter_map(|line| line.trim().strip_prefix("[env: "));
    let mut names: BTreeSet<String> =
        named.map(|rest| rest.split(['=', ']']).next().unwrap_or_default().to_owned()).collect();
    names.insert("RUST_LOG".to_owned());
    assert!(names.len() > 20, "{program}: {names:?}");
    names
}

/// A value that is none's default.
fn value(name: &str) -> &'static str {
    match name {
        "LOG_FORMAT" => "json",
        "METRICS" => "false",
        "ALLOW_BATCH_INIT" => "true",
        "CORS_ORIGINS" => "https://shop.example,http://localhost:3000",
        "CURRENCY" => "CHF",
        "RUST_LOG" => "warn,shardcart_order=debug/a \"b\" \\d # 'c': {d}",
        "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://collector.observability:4318",
        "OTEL_TRACES_SAMPLER_ARG" => "0.25",
        "MINT_SHARDS" => "1",
        timed if timed.ends_with("_MS") => "4321",
        _ => "7",
    }
}

/// The settings that `settings.sh` knows.
fn known() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("gke-scale/settings.sh")).expect("it is shipped");
    let words: Vec<&str> = text.split_whitespace().collect();
    let checked =
        words.windows(2).filter(|pair| matches!(pair[0], "of" | "may" | "number" | "secret" | "milliseconds"));
    let passed_on = text.split("of_all=").nth(1).and_then(|rest| rest.split("environment()").next()).expect("a list");
    let passed_on = passed_on.split(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '='));
    let is_name = |word: &&str| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let named = checked.map(|pair| pair[1]).chain(passed_on).filter(is_name).filter(|word| word.len() > 2);
    let mut known: BTreeSet<String> = named.map(str::to_owned).collect();
    // Words of comments.
    known.retain(|word| !matches!(word.as_str(), "NAME" | "SERVICE"));
    for service in ["ORDER", "STOCK", "PAYMENT"] {
        known.extend(["SHARDS", "MACHINES", "MINT_SHARDS"].map(|size| format!("{service}_{size}")));
    }
    for role in ["REDIS", "MACHINE", "GATEWAY"] {
        known.extend(["CPU", "CPU_LIMIT"].map(|size| format!("{role}_{size}")));
    }
    assert!(known.len() > 80 && known.contains("SLOW_MS") && known.contains("TAG"), "{known:?}");
    known
}

/// What the environment of a machine of a service says, by name: the value, or where it comes from.
fn environment(manifests: &Manifests, service: Service) -> BTreeMap<String, Value> {
    let machine = manifests.get("Deployment", &format!("{service}-1"));
    let all = machine.container()["env"].as_array().expect("it has an environment");
    let named = |one: &Value| {
        let value = if one["value"].is_null() { &one["valueFrom"] } else { &one["value"] };
        (one["name"].as_str().expect("a name").to_owned(), value.clone())
    };
    assert_eq!(all.iter().map(named).collect::<BTreeMap<_, _>>().len(), all.len(), "no variable stands twice");
    all.iter().map(named).collect()
}

#[test]
fn each_setting_of_each_program_reaches_its_machines_on_a_cluster() {
    let all: BTreeSet<String> = Service::ALL.iter().flat_map(|service| variables(service.program())).collect();
    let given = all.iter().map(String::as_str).filter(|name| !DERIVED.contains(name) && !SECRET.contains(name));
    let settings: Vec<(&str, &str)> = given.map(|name| (name, value(name))).collect();
    for script in [GKE, MINIKUBE] {
        let manifests = render(script, &settings);
        for service in Service::ALL {
            let environment = environment(&manifests, service);
            for name in variables(service.program()) {
                let found = environment.get(&name).unwrap_or_else(|| panic!("{script}, {service}: {name} is dropped"));
                if SECRET.contains(&name.as_str()) {
                    assert!(!found["secretKeyRef"].is_null(), "{script}, {service}: {name}");
                } else if !DERIVED.contains(&name.as_str()) {
                    assert_eq!(*found, value(&name), "{script}, {service}: {name}");
                }
            }
        }
    }
}

#[test]
fn each_setting_of_each_program_reaches_its_machines_under_compose() {
    let compose = compose();
    for service in Service::ALL {
        for machine in [1, 2] {
            let environment = &compose["services"][format!("{service}-{machine}")]["environment"];
            for name in variables(service.program()) {
                if DERIVED.contains(&name.as_str()) {
                    continue;
                }
                let text = environment[&name].as_str().unwrap_or_else(|| panic!("{service}: {name} is dropped"));
                assert!(text.starts_with(&format!("${{{name}:-")) && text.ends_with('}'), "{service}: {name}: {text}");
            }
        }
    }
}

#[test]
fn an_empty_variable_counts_as_unset_for_each_script() {
    let names = known();
    let empty: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    for script in [GKE, MINIKUBE] {
        assert_eq!(render(script, &empty).0, render(script, &[]).0, "{script}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset_for_each_program() {
    for program in ["order", "stock", "payment", "shop"] {
        let dir = tempfile::TempDir::new().expect("a temporary directory can be made");
        let mut start = Command::new(binaries::path(program));
        start.env_clear().envs(variables(program).iter().map(|name| (name, "")));
        // It starts, and then ends because there is no Redis.
        start.env("REDIS_ADDRS", "127.0.0.1:1").env("REDIS_SERVER", dir.path().join("none"));
        for url in ["STOCK_SERVICE_URL", "PAYMENT_SERVICE_URL", "ORDER_SERVICE_URL"] {
            start.env(url, "http://127.0.0.1:1");
        }
        start
            .env("INTERNAL_TOKEN", "the-secret-of-the-tests")
            .env("START_TIMEOUT_MS", "1")
            .env("DATA_DIR", dir.path())
            .stdin(Stdio::null());
        let ended = start.output().expect("the program runs");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{program}: 2 is a setting that is refused: {told}");
    }
}

/// Whether a text stands in a value: alone, or in a longer one.
fn stands_in(value: &Value, text: &str, alone: bool) -> bool {
    match value {
        Value::String(own) => own == text || (!alone && own.contains(text)),
        Value::Array(all) => all.iter().any(|one| stands_in(one, text, alone)),
        Value::Object(all) => all.values().any(|one| stands_in(one, text, alone)),
        _ => false,
    }
}

#[test]
fn an_odd_value_is_refused_in_one_sentence_or_rendered_as_it_is() {
    let odd = [
        "a\"b",
        "always\nsave 1 1",
        "$(id)",
        "${NAMESPACE}",
        "a #b",
        " a: b",
        "ü",
        "a\\",
        "1e3",
        "-1",
        "'",
        "0x7",
        "*",
        "18446744073709551617",
    ];
    for name in known() {
        for value in odd {
            let settings = [("SHARDS", "1"), ("FRONT", "gateway-api"), ("MONITORING", "operator"), (&name, value)];
            match try_render(GKE, &settings) {
                Err(told) => {
                    let lines = told.lines().count();
                    assert!(lines == 1 && told.starts_with(&name), "{name}={value:?}: {told}");
                }
                Ok(manifests) if SECRET.contains(&name.as_str()) => {
                    assert!(!manifests.0.iter().any(|one| stands_in(&one.0, value, true)), "{name} is a secret");
                }
                Ok(manifests) => {
                    let found = manifests.0.iter().any(|one| stands_in(&one.0, value, name != "TAG"));
                    assert!(found, "{name}={value:?} is not what is rendered");
                }
            }
        }
    }
}

#[test]
fn what_only_kubernetes_redis_or_nginx_would_refuse_is_refused_by_name() {
    for (name, value) in [
        ("SHARDS", "0"),
        ("SHARDS", "5000"),
        ("SHARDS", "02"),
        ("STOCK_MACHINES", "many"),
        ("DRAIN_MS", "2000"),
        ("GATEWAY_DRAIN_S", "20"),
        ("FRONT", "elsewhere"),
        ("FSYNC", "sometimes"),
        ("REDIS_MAXMEMORY", "1Gi"),
        ("REDIS_MAXMEMORY", "0"),
        ("REDIS_MAXMEMORY", "2gb"),
        ("REDIS_MEMORY", "1gb"),
        ("REDIS_STORAGE", "10gb"),
        ("REDIS_CPU", "2"),
        ("MACHINE_CPU", "0"),
        ("GATEWAY_PODS_MIN", "7"),
        ("IMAGES", "eu.example/x"),
        ("TAG", "a/b"),
        ("NAMESPACE", "Shop"),
        ("TLS_SECRET", "certificate"),
        ("CONSOLE_TOKEN", "short"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "10.0.0.256"),
        ("LOG_FORMAT", "xml"),
        ("CURRENCY", "euro"),
        ("REDIS_WAIT_REPLICAS", "17"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.observability:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a.b:65536"),
    ] {
        let told = try_render(GKE, &[(name, value)]).expect_err(&format!("{name}={value} is refused"));
        assert!(told.lines().count() == 1 && told.contains(name), "{name}={value}: {told}");
    }
    let told = try_render(GKE, &[("MINT_SHARDS", "3")]).expect_err("there are two shards");
    assert!(told.contains("MINT_SHARDS=3"), "{told}");
    let told = try_render(GKE, &[("CONSOLE_TOKEN", "a secret")]).expect_err("it is too short");
    assert!(!told.contains("a secret"), "{told}");
}
