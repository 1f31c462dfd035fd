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
    (&["shardcart-common"], Sees::Before),
    (&["shardcart-types"], Sees::Before),
    (&["shardcart-schema"], Sees::Before),
    (&["shardcart-telemetry"], Sees::Before),
    (&["shardcart-store"], Sees::Before),
    (&["shardcart-http"], Sees::Before),
    (&["shardcart-protocol"], Sees::Before),
    (&["shardcart-order", "shardcart-stock", "shardcart-payment"], Sees::Before),
    (&["shardcart-operator"], Sees::Before),
    (&["shardcart-shop"], Sees::Before),
    // These see the system from outside, but for the part of the harness that the tests of services share.
    (&["shardcart-harness"], Sees::Only(&[])),
    (&["shardcart-harness-shards"], Sees::Before),
    (&["shardcart-model"], Sees::Only(&[])),
    (&["shardcart-test", "shardcart-benchmark"], Sees::Only(&["shardcart-harness"])),
];

/// What the tests of any crate may use besides.
const FOR_TESTS: &[&str] = &["shardcart-harness", "shardcart-harness-shards", "shardcart-model"];

/// The crate that is being taken apart. As long as it is there, its parts need not be, and its modules may use one another.
const GOING: &str = "shardcart-common";

/// Crates that have cycles between their modules today. One that has none any more must leave this list.
const CYCLES_LEFT: &[&str] = &[GOING];
