//! `shop audit`, run against the shards of a cluster at rest.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binaries;
use crate::data::Data;
use crate::service::Service;
use crate::settings::Settings;

/// What the audit finds wrong, each in words; nothing if it ends well and calls the system clean and at rest.
pub async fn of(data: &Data) -> Vec<String> {
    let mut command = Command::new(binaries::path("shop"));
    Settings::none().apply(&mut command);
    command.args(["audit", "--json"]).stdin(Stdio::null());
    for service in Service::ALL {
        command.arg(format!("--{}-redis", service.program())).arg(data.addresses(service).join(","));
    }
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.expect("waiting for a process does not panic").expect("the audit can be started");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut found = Vec::new();
    for disagreement in told["disagreements"].as_array().into_iter().flatten() {
        found.push(format!("audit: {disagreement}"));
    }
    if found.is_empty() && !(output.status.success() && told["clean"] == true && told["at_rest"] == true) {
        let errors = String::from_utf8_lossy(&output.stderr);
        found.push(format!("audit ended with {}: {told} {errors}", output.status));
    }
    found
}
