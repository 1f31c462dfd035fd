//! What every command leaves behind, against real shops: JSON on stdout, a page, and charts.

use std::path::Path;
use std::process::{Command, Output};

use shardcart_harness::systems::shop::Shop;

/// Runs a command with everything that shows its figures, and looks at all of it.
fn shows_everything(line: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (page, charts) = (directory.path().join("page.html"), directory.path().join("charts"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command.args(line.split_whitespace()).arg("--json").arg("--html").arg(&page).arg("--charts").arg(&charts);
    let Output { status, stdout, stderr } = command.output().expect("the program was built for this test");
    let [shown, said] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("it writes text"));
    assert_eq!(status.code(), Some(0), "{line}: {said}");

    let json: serde_json::Value =
        serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{line}: {error}: {shown}"));
    for figure in ["at", "version", "command"] {
        assert!(json["made"][figure].is_string(), "{line}: {figure}");
    }
    let page = std::fs::read_to_string(page).expect("the page was written");
    let command = line.split_whitespace().next().expect("a line begins with its command");
    assert!(
        page.contains(" UTC, benchmark ") && page.contains(&format!("<pre>benchmark {command} ")),
        "{line}: {page}"
    );
    assert!(page.contains("<svg "), "{line}: {page}");
    let files = svg_files(&charts);
    assert!(files > 0 && said.contains(&format!("wrote {files} chart")), "{line}: {said}");
}

fn svg_files(directory: &Path) -> usize {
    let names = std::fs::read_dir(directory).expect("the directory was made").flatten().map(|file| file.path());
    names.filter(|path| path.extension().is_some_and(|extension| extension == "svg")).count()
}

#[tokio::test]
async fn every_command_against_a_running_shop_gives_json_a_page_and_charts() {
    let shop = Shop::start().await;
    for command in [
        "load --items 5 --users 5 --orders 5",
        "checkout --clients 2 --checkouts 50 --items 5 --users 5",
        "stress --clients 2 --checkouts 50 --items 5 --users 5 --orders 60",
        "stress --mix purchase --clients 2 --duration-s 1 --items 2 --users 1 --orders 1",
        "consistency --users 10 --stock 3 --large-orders 10 --large-items 4 --large-users 3 --large-clients 4",
        "experiments --only thousand --seconds 2 --fewer 500 --records 10",
    ] {
        let line = format!("{command} --url http://127.0.0.1:{}", shop.port());
        tokio::task::spawn_blocking(move || shows_everything(&line)).await.unwrap();
    }
}

#[test]
fn every_command_that_starts_a_shop_gives_json_a_page_and_charts() {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("kept.json");
    for command in [
        "price --settings a --fsync everysec --clients 2 --checkouts 100".to_owned(),
        "growth --only hot --clients 2 --checkouts 100".to_owned(),
        format!("kept --settings a --checkouts 100 --record --recorded {}", record.display()),
    ] {
        shows_everything(&format!("{command} --data-parent {}", directory.path().display()));
    }
}

/// The gateway that ships, with a machine and with two machines of each service behind it.
#[test]
fn separate_services_are_measured_behind_the_shipped_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let line = "price --settings b,c --fsync everysec --clients 4 --checkouts 100";
    shows_everything(&format!("{line} --data-parent {}", directory.path().display()));
}
