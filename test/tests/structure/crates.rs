//! The crates of this workspace, held against the layers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::modules::Modules;
use crate::{FOR_TESTS, LAYERS, Sees};

/// A crate, and what it depends on.
#[derive(Debug)]
struct Package {
    name: String,
    /// Dependencies that are not for tests alone.
    uses: Vec<String>,
    for_tests: Vec<String>,
    /// The root files of its library and its programs.
    roots: Vec<PathBuf>,
}

/// All crates of the workspace.
fn workspace() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    list(&told["packages"]).iter().map(package).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn package(told: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    // Crates of this workspace are those that lie somewhere, and come from no registry.
    let depends = |for_tests: bool| {
        let dependencies = list(&told["dependencies"]).iter().filter(|dependency| dependency["path"].is_string());
        let wanted = dependencies.filter(|dependency| (dependency["kind"] == "dev") == for_tests);
        wanted.map(|dependency| text(&dependency["name"])).collect()
    };
    let is_shipped = |target: &&Value| list(&target["kind"]).iter().any(|kind| kind == "lib" || kind == "bin");
    let roots = list(&told["targets"]).iter().filter(is_shipped).map(|target| text(&target["src_path"]).into());
    Package { name: text(&told["name"]), uses: depends(false), for_tests: depends(true), roots: roots.collect() }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(crates, _)| crates.contains(&name))
}

/// Whether a crate may use another.
fn may_use(name: &str, other: &str) -> bool {
    let (Some(own), Some(others)) = (layer(name), layer(other)) else { return false };
    match LAYERS[own].1 {
        Sees::Before => others < own,
        Sees::Only(these) => these.contains(&other),
    }
}

/// What is wrong with the dependencies of crates, as sentences.
fn faults(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for Package { name, uses, for_tests, .. } in packages {
        if layer(name).is_none() {
            faults.push(format!("{name} has no layer"));
        }
        let up = uses.iter().filter(|other| !may_use(name, other));
        faults.extend(up.map(|other| format!("{name} must not use {other}")));
        let up = for_tests.iter().filter(|other| !may_use(name, other) && !FOR_TESTS.contains(&other.as_str()));
        faults.extend(up.map(|other| format!("tests of {name} must not use {other}")));
    }
    faults
}

/// The circles between the modules of a library or a program.
fn cycles(root: &Path) -> Vec<String> {
    let (dir, file) = (root.parent().expect("a file lies somewhere"), root.file_name().expect("a file has a name"));
    let read = |path: &str| std::fs::read_to_string(dir.join(path)).ok();
    Modules::read(file.to_str().expect("names of files are text"), &read).cycles()
}

#[test]
fn crates_use_only_crates_of_layers_before_their_own() {
    assert_eq!(faults(&workspace()), [""; 0]);
}

#[test]
fn the_layers_name_only_crates_that_are_there() {
    let there: BTreeSet<String> = workspace().into_iter().map(|package| package.name).collect();
    let named = LAYERS.iter().flat_map(|(crates, _)| *crates);
    let gone: Vec<_> = named.filter(|name| !there.contains(**name)).collect();
    assert!(gone.is_empty(), "not there: {gone:?}");
}

#[test]
fn modules_of_a_crate_use_one_another_one_way() {
    let mut faults = Vec::new();
    for Package { name, roots, .. } in workspace() {
        let cycles: Vec<String> = roots.iter().flat_map(|root| cycles(root)).collect();
        faults.extend(cycles.into_iter().map(|cycle| format!("{name}, {cycle}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn no_file_is_included_into_another_crate_by_its_path() {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    for package in ["common", "services", "operator", "harness", "model", "test", "benchmark"] {
        collect(&root.join(package), &mut files);
    }
    assert!(files.len() > 100, "the files are found: {files:?}");
    let attribute = ["#[", "path"].concat();
    let includes =
        files.iter().filter(|file| std::fs::read_to_string(file).is_ok_and(|code| code.contains(&attribute)));
    let includes: Vec<_> = includes.collect();
    assert!(includes.is_empty(), "{includes:?}");
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn uses(name: &str, uses: &[&str], for_tests: &[&str]) -> Package {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Package { name: name.to_owned(), uses: owned(uses), for_tests: owned(for_tests), roots: Vec::new() }
}

#[test]
fn a_crate_that_looks_up_sideways_or_is_new_is_named() {
    let fine = [
        uses("shardcart-store", &["shardcart-types", "shardcart-telemetry"], &["shardcart-harness-shards"]),
        uses("shardcart-order", &["shardcart-protocol"], &["shardcart-model", "shardcart-harness"]),
        uses("shardcart-test", &["shardcart-harness"], &[]),
    ];
    assert_eq!(faults(&fine), [""; 0]);
    let wrong = [
        uses("shardcart-schema", &["shardcart-store"], &["shardcart-test"]),
        uses("shardcart-order", &["shardcart-stock"], &[]),
        uses("shardcart-test", &["shardcart-shop"], &[]),
        uses("shardcart-new", &[], &[]),
    ];
    let expected = [
        "shardcart-schema must not use shardcart-store",
        "tests of shardcart-schema must not use shardcart-test",
        "shardcart-order must not use shardcart-stock",
        "shardcart-test must not use shardcart-shop",
        "shardcart-new has no layer",
    ];
    assert_eq!(faults(&wrong), expected);
}
