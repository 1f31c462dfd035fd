//! Clients that are generated of the description compile, and work on a running shop.

use std::fs;
use std::path::Path;

use shardcart_harness::Shop;
use tempfile::TempDir;

use crate::tool::{node, python, root, run, tools};

fn copy(name: &str, dir: &Path) {
    fs::copy(root().join("test/clients").join(name), dir.join(name)).expect("it is in the repository");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs programs of others: `make clients`"]
async fn a_client_in_python_works() {
    let shop = Shop::start().await;
    let base = format!("http://127.0.0.1:{}", shop.port());
    let told = tokio::task::spawn_blocking(move || {
        let dir = TempDir::new().expect("a temporary directory can be made");
        fs::write(dir.path().join("config.yml"), "package_name_override: shardcart_client\npost_hooks: []\n")
            .expect("a file can be written");
        let mut generate = python("openapi-python-client");
        generate.args(["generate", "--meta", "none", "--fail-on-warning", "--config", "config.yml", "--path"]);
        generate.arg(root().join("docs/openapi.json"));
        run(generate, dir.path());
        copy("client.py", dir.path());
        let mut client = python("python");
        client.args(["client.py", &base]);
        run(client, dir.path())
    });
    assert!(told.await.expect("it does not panic").ends_with("held\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs programs of others: `make clients`"]
async fn a_client_in_typescript_compiles_and_works() {
    let shop = Shop::start().await;
    let base = format!("http://127.0.0.1:{}", shop.port());
    let told = tokio::task::spawn_blocking(move || {
        let dir = TempDir::new_in(tools()).expect("a temporary directory can be made");
        let mut generate = node("openapi-typescript/bin/cli.js");
        generate.arg(root().join("docs/openapi.json")).args(["--output", "shop.d.ts"]);
        run(generate, dir.path());
        copy("client.ts", dir.path());
        fs::write(dir.path().join("package.json"), "{\"type\":\"module\"}").expect("a file can be written");
        fs::write(dir.path().join("node.d.ts"), "declare const process: { argv: string[] };\n").expect("a file");
        let mut compile = node("typescript/bin/tsc");
        compile.args(["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"]);
        compile.args(["--module", "nodenext", "--lib", "es2022,dom", "client.ts", "node.d.ts"]);
        run(compile, dir.path());
        let mut client = std::process::Command::new("node");
        client.args(["client.js", &base]);
        run(client, dir.path())
    });
    assert!(told.await.expect("it does not panic").ends_with("held\n"));
}
