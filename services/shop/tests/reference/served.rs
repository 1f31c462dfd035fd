//! What is described is what is served.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hyper::Method;
use serde_json::Value;
use shardcart_harness::http::HttpClient;
use shardcart_harness::{Shop, ShopOptions};
use shardcart_shop::reference::document;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Each path with its methods.
type Routes = BTreeMap<String, BTreeSet<String>>;

fn described() -> Routes {
    let document: Value = serde_json::from_str(document().text()).expect("a description is JSON");
    let paths = document["paths"].as_object().expect("there are paths");
    let methods = |operations: &Value| {
        let names = operations.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| METHODS.contains(&name.as_str())).collect()
    };
    paths.iter().map(|(path, operations)| (path.clone(), methods(operations))).collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of the repository").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The routes that are bound, from where that is written: `endpoint::at(service, "/v1/…").get(…)`.
fn bound() -> Routes {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut files = Vec::new();
    for dir in ["common/http/src", "services", "operator/src"] {
        sources(&root.join(dir), &mut files);
    }
    let mut routes = Routes::new();
    for text in files.iter().filter(|path| !path.iter().any(|part| part == "tests")).map(fs::read_to_string) {
        let text = text.expect("a source is text");
        for binding in text.split("endpoint::at(").skip(1) {
            let binding = binding.split("endpoint::at(").next().unwrap_or_default();
            let binding = binding.split([';']).next().unwrap_or_default();
            let Some(path) = binding.split('"').find(|part| part.starts_with("/v1/")) else { continue };
            let methods = METHODS.into_iter().filter(|method| {
                binding.contains(&format!(".{method}(")) || binding.contains(&format!(".{method}_stream("))
            });
            routes.entry(path.to_owned()).or_default().extend(methods.map(str::to_owned));
        }
    }
    routes
}

#[test]
fn exactly_what_is_bound_is_described() {
    let (bound, described) = (bound(), described());
    assert!(bound.len() >= 4, "the bindings are found: {bound:?}");
    assert_eq!(bound, described);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_that_is_described_says_the_same_methods() {
    let shop = Shop::start_with(ShopOptions::default()).await;
    let (client, base) = (HttpClient::default(), format!("http://127.0.0.1:{}", shop.port()));
    for (path, methods) in described() {
        let mut named = String::new();
        for part in path.split_inclusive(['{', '}']) {
            named.push_str(if part.ends_with('}') { "x" } else { part.trim_end_matches('{') });
        }
        let answer = client.request(Method::OPTIONS, &format!("{base}{named}")).await.expect("an answer");
        assert_eq!(answer.status, 204, "{path}: {answer:?}");
        let allow = answer.header("allow").expect("it says what is allowed").to_lowercase();
        let mut allowed: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
        allowed.retain(|method| !matches!(method.as_str(), "head" | "options"));
        assert_eq!(allowed, methods, "{path}");
    }
    let answer = client.request(Method::GET, &format!("{base}/v1/openapi.json")).await.expect("an answer");
    assert_eq!((answer.media_type(), answer.text.as_str()), (Some("application/json"), document().text()));
}
