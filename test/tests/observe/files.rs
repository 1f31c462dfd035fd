//! The files of `observability/`, as far as no system has to run for it.

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use shardcart_harness::{Cluster, ClusterOptions, Service, Settings, Shop, ShopOptions};
use shardcart_test::scrape::Scrape;

const RULES: &str = include_str!("../../../observability/alerts.yml");
const RUNBOOK: &str = include_str!("../../../observability/runbook.md");
const METRICS: &str = include_str!("../../../observability/metrics.md");
const TESTS: &str = include_str!("../../../observability/alerts.test.yml");

/// The directory of these files.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../observability")
}

/// The dashboards, by name, as text.
pub fn dashboards() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(directory().join("dashboards")).expect("there are dashboards");
    let mut read: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a directory can be listed").path();
            let text = std::fs::read_to_string(&path).expect("a dashboard can be read");
            (path.file_name().expect("it has a name").to_string_lossy().into_owned(), text)
        })
        .collect();
    read.sort();
    assert_eq!(read.len(), 3, "overview, checkout, shards");
    read
}

/// Names and actions of the alerts.
pub fn alerts() -> Vec<(String, String)> {
    let (mut found, mut name) = (Vec::new(), String::new());
    for line in RULES.lines().map(str::trim) {
        if let Some(alert) = line.strip_prefix("- alert: ") {
            name = alert.to_owned();
        }
        if let Some(action) = line.strip_prefix("action: ") {
            found.push((name.clone(), action.to_owned()));
        }
    }
    found
}

/// Runs promtool beside the files.
///
/// # Panics
/// When it finds something; `scripts/install-tools.sh test` installs it.
fn promtool(arguments: &[&str]) {
    promtool_on(Stdio::null(), arguments);
}

fn promtool_on(input: Stdio, arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(directory()).stdin(input).output();
    let output = output.expect("promtool can be started");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_in_what_each_program_answers() {
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: Settings::none() }).await;
    let cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 1, settings: Settings::none() }).await;
    let machines = Service::ALL.map(|service| cluster.machine(service, 0).internal_port);
    for port in machines.into_iter().chain([shop.port()]) {
        let mut file = tempfile::tempfile().expect("a file can be made");
        file.write_all(Scrape::of(port).await.text.as_bytes()).and_then(|()| file.rewind()).expect("and written");
        promtool_on(file.into(), &["check", "metrics"]);
    }
}

#[test]
fn promtool_finds_rules_and_configuration_in_order() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"]);
    promtool(&["check", "config", "prometheus.yml"]);
}

#[test]
fn each_alert_fires_and_clears_at_its_real_durations() {
    let tested: BTreeSet<&str> = TESTS.lines().filter_map(|line| line.trim().strip_prefix("- name: ")).collect();
    let alerts = alerts();
    assert_eq!(tested, alerts.iter().map(|(name, _)| name.as_str()).collect());
    promtool(&["test", "rules", "alerts.test.yml"]);
}

#[test]
fn the_runbook_has_a_section_for_each_alert_and_it_begins_with_the_action() {
    let plain = |text: &str| text.replace('`', "").replace('\n', " ");
    let mut sections: Vec<&str> = RUNBOOK.split("\n## ").skip(1).collect();
    for (name, action) in alerts() {
        let place = sections.iter().position(|section| section.lines().next() == Some(&name));
        let section = sections.remove(place.unwrap_or_else(|| panic!("{name} is not in the runbook")));
        let begins = section.trim_start_matches(&name).trim_start();
        assert!(plain(begins).starts_with(&plain(&action)), "{name}: {action}\n{begins}");
        let link = format!("runbook_url: observability/runbook.md#{}", name.to_lowercase());
        assert!(RULES.contains(&link), "{name} names its section");
    }
    assert!(sections.is_empty(), "sections of no alert: {sections:?}");
}

#[test]
fn panels_of_a_dashboard_lie_beside_one_another_and_ask_the_chosen_datasource() {
    for (file, text) in dashboards() {
        let dashboard: Value = serde_json::from_str(&text).expect("a dashboard is JSON");
        assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource", "{file}");
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard["panels"].as_array().expect("it has panels") {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].as_u64()), "{file}, {title}: its id is another's");
            let place = |name: &str| panel["gridPos"][name].as_u64().expect("a panel has its place");
            let (left, top) = (place("x"), place("y"));
            assert!(left + place("w") <= 24, "{file}, {title}: it stands over the edge");
            for cell in (left..left + place("w")).flat_map(|x| (top..top + place("h")).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{file}, {title}: it lies on another");
            }
            let queries = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
            let names: BTreeSet<_> = queries.iter().map(|query| query["refId"].as_str()).collect();
            assert_eq!(names.len(), queries.len(), "{file}, {title}: each query has a name of its own");
            let asks = |query: &Value| query["datasource"]["uid"] == "${datasource}";
            assert!(queries.iter().all(asks), "{file}, {title}: it asks the datasource that was chosen");
        }
    }
}

#[test]
fn dashboards_alerts_and_runbook_name_only_metrics_that_are_documented() {
    let word = |character: char| !character.is_ascii_alphanumeric() && character != '_' && character != ':';
    let documented: BTreeSet<&str> =
        METRICS.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut texts = dashboards();
    texts.push(("alerts.yml".to_owned(), RULES.to_owned()));
    texts.push(("runbook.md".to_owned(), RUNBOOK.to_owned()));
    for (file, text) in texts {
        for name in text.split(word).filter(|name| name.starts_with("shardcart_") || name.starts_with("process_")) {
            let endings = ["", "_bucket", "_sum", "_count"];
            let known = endings.iter().any(|end| name.strip_suffix(end).is_some_and(|name| documented.contains(name)));
            assert!(known, "{name} in {file} is no documented metric");
        }
    }
}
