//! `shop audit`, run against the shards of a cluster.

use crate::data::Data;

/// What the audit finds wrong in a system at rest, each in words; nothing if it is clean.
pub async fn of(_data: &Data) -> Vec<String> {
    Vec::new()
}
