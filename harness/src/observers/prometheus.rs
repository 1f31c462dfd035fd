//! A real Prometheus server over the ports of a test, with no more patience between scrapes than a test has.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use hyper::Method;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::http::HttpClient;
use crate::network::ports;
use crate::processes::child::Child;
use crate::processes::dirs;
use crate::wait::eventually;

/// How long the server may take to start.
const START: Duration = Duration::from_secs(60);
/// How often it scrapes, and looks at its rules.
pub const INTERVAL: &str = "500ms";

/// A running server; ended when dropped.
#[derive(Debug)]
pub struct Prometheus {
    _child: Child,
    _dir: TempDir,
    port: u16,
    client: HttpClient,
}

impl Prometheus {
    /// Starts a server that scrapes `/metrics` on these ports, with these rules.
    ///
    /// # Panics
    /// When it does not start; `scripts/install-tools.sh test` installs it.
    pub async fn start(targets: &[u16], rules: &str) -> Prometheus {
        let dir = dirs::temporary("prometheus");
        let targets: Vec<String> = targets.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let config = format!(
            "global: {{scrape_interval: {INTERVAL}, scrape_timeout: {INTERVAL}, evaluation_interval: {INTERVAL}}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n  - job_name: shardcart\n    scrape_timeout: {INTERVAL}\n    static_configs: [{{targets: [{}]}}]\n",
            targets.join(", ")
        );
        fs::write(dir.path().join("prometheus.yml"), config).expect("a file can be written");
        fs::write(dir.path().join("rules.yml"), rules).expect("a file can be written");
        let port = ports::free();
        let log = fs::File::create(dir.path().join("stderr")).expect("a file can be made");
        let mut command = Command::new("prometheus");
        command
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let prometheus = Prometheus {
            _child: Child::start(command, Signal::SIGKILL),
            port,
            client: HttpClient::default(),
            _dir: dir,
        };
        eventually("Prometheus is ready", START, async || {
            let url = format!("http://127.0.0.1:{port}/-/ready");
            let answer = prometheus.client.request(Method::GET, &url).await;
            answer.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await;
        prometheus
    }

    /// The series that an expression has now: labels and value of each.
    ///
    /// # Panics
    /// When it is no expression.
    pub async fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let mut encoded = String::new();
        for byte in expression.bytes() {
            let _ = write!(encoded, "%{byte:02X}");
        }
        let url = format!("http://127.0.0.1:{}/api/v1/query?query={encoded}", self.port);
        let answer = self.client.request(Method::GET, &url).await.unwrap_or_else(|no| panic!("{}", no.0)).json();
        let result = &answer["data"]["result"];
        let series = result.as_array().unwrap_or_else(|| panic!("{expression}: {answer}"));
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        series.iter().map(|series| (series["metric"].clone(), value(series).unwrap_or(f64::NAN))).collect()
    }

    /// The names of the alerts that fire.
    pub async fn firing(&self) -> std::collections::BTreeSet<String> {
        let firing = self.query("count by (alertname) (ALERTS{alertstate=\"firing\"})").await;
        firing.iter().filter_map(|(labels, _)| Some(labels["alertname"].as_str()?.to_owned())).collect()
    }
}
