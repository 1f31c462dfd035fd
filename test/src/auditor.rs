//! `shop audit`, run over a system under test.

use std::process::{Command, Stdio};

use serde_json::Value;
use shardcart_harness::data::Data;
use shardcart_harness::processes::binaries;
use shardcart_harness::processes::settings::Settings;
use shardcart_harness::service::Service;

/// How an audit ended, and what it said.
#[derive(Debug)]
pub struct Audit {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Audit {
    /// Runs `shop audit` with these arguments and nothing else in its environment but the settings.
    ///
    /// # Panics
    /// When it ends by a signal.
    pub async fn run(settings: &Settings, arguments: &[&str]) -> Audit {
        let mut command = Command::new(binaries::path("shop"));
        settings.apply(&mut command);
        command.arg("audit").args(arguments).stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await;
        let ended = ended.expect("waiting does not panic").expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Audit {
            code: ended.status.code().expect("the audit ends by itself"),
            stdout: text(&ended.stdout),
            stderr: text(&ended.stderr),
        }
    }

    /// Audits these shards by their addresses, with `--json`.
    pub async fn of(data: &Data) -> Audit {
        Audit::run(&addresses(data), &["--json"]).await
    }

    /// The same with so little memory that everything is read several times.
    pub async fn in_passes(data: &Data) -> Audit {
        Audit::run(&addresses(data), &["--json", "--records-per-pass", "1"]).await
    }

    /// What it found, of an audit with `--json`.
    ///
    /// # Panics
    /// When it has no result.
    pub fn json(&self) -> Value {
        assert!(matches!(self.code, 0 | 1), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The result of an audit with which everything agrees.
    ///
    /// # Panics
    /// When something disagrees.
    pub fn clean(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        let report = self.json();
        assert_eq!(report["clean"], true, "{report}");
        report
    }

    /// All that disagrees: kind and id.
    pub fn disagreements(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("kinds and ids are text").to_owned();
        let report = self.json();
        let all = report["disagreements"].as_array().expect("a list").iter();
        all.map(|one| (text(&one["kind"]), text(&one["id"]))).collect()
    }
}

/// The settings that name all shards of a system.
pub fn addresses(data: &Data) -> Settings {
    let of = |service: Service| format!("{}_REDIS_ADDRS", service.program().to_uppercase());
    Service::ALL
        .into_iter()
        .fold(Settings::none(), |settings, service| settings.with(&of(service), data.addresses(service).join(",")))
}

/// What the audit finds wrong with a system at rest, each in words; nothing if it calls it clean and at rest.
pub async fn findings(data: &Data) -> Vec<String> {
    let audit = Audit::of(data).await;
    let told: Value = serde_json::from_str(&audit.stdout).unwrap_or_default();
    let disagreements = told["disagreements"].as_array().into_iter().flatten();
    let mut found: Vec<String> = disagreements.map(|one| format!("audit: {one}")).collect();
    if found.is_empty() && !(audit.code == 0 && told["clean"] == true && told["at_rest"] == true) {
        found.push(format!("audit ended with {}: {}{}", audit.code, audit.stdout, audit.stderr));
    }
    found
}
