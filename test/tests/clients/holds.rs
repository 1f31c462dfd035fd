//! The description is valid, and the shop does what it says.

use shardcart_harness::Shop;
use tempfile::TempDir;

use crate::tool::{python, root, run};

#[test]
#[ignore = "needs programs of others: `make clients`"]
fn the_description_is_valid() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let mut validator = python("openapi-spec-validator");
    validator.args(["--schema", "3.1"]).arg(root().join("docs/openapi.json"));
    assert!(run(validator, dir.path()).contains("OK"));
}

/// Schemathesis makes requests of what is described, good ones and bad ones, and compares the answers with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs programs of others: `make clients`"]
async fn the_shop_does_what_the_description_says() {
    let shop = Shop::start().await;
    let dir = TempDir::new().expect("a temporary directory can be made");
    let mut schemathesis = python("schemathesis");
    schemathesis
        .arg("run")
        .arg(root().join("docs/openapi.json"))
        .arg(format!("--url=http://127.0.0.1:{}", shop.port()))
        .args(["--max-examples=20", "--workers=2", "--seed=1", "--no-color", "--generation-database=none"]);
    let told = tokio::task::spawn_blocking(move || run(schemathesis, dir.path())).await.expect("it does not panic");
    assert!(told.contains(" passed") && !told.contains("failed"), "{told}");
}
