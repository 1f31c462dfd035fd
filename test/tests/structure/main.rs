//! Imports go one way: between the crates of this workspace, and between the modules of each crate.

mod crates;
mod graph;
mod modules;
mod tokens;

/// Which crates a crate may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// Those of all layers before its own.
    Before,
    /// These alone.
    Only(&'static [&'static str]),
}

/// The layers, from the bottom up. Crates of one layer do not know each other.
const LAYERS: &[(&[&str], Sees)] = &[
    (&["shardcart-types"], Sees::Before),
    (&["shardcart-schema"], Sees::Before),
    (&["shardcart-telemetry"], Sees::Before),
    (&["shardcart-store"], Sees::Before),
    (&["shardcart-http"], Sees::Before),
    (&["shardcart-protocol"], Sees::Before),
    (&["shardcart-order", "shardcart-stock", "shardcart-payment"], Sees::Before),
    (&["shardcart-operator"], Sees::Before),
    (&["shardcart-shop"], Sees::Before),
    // These see the system from outside, and at most know how its data lies; but for the part of the harness that the tests
    // of services share.
    (&["shardcart-harness"], Sees::Only(&["shardcart-types", "shardcart-schema"])),
    (&["shardcart-harness-shards"], Sees::Before),
    (&["shardcart-model"], Sees::Only(&[])),
    (&["shardcart-test", "shardcart-benchmark"], Sees::Only(&["shardcart-harness", "shardcart-schema"])),
];

/// What the tests of any crate may use besides.
const FOR_TESTS: &[&str] = &["shardcart-harness", "shardcart-harness-shards", "shardcart-model"];
