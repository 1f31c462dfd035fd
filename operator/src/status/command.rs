//! `shop status`: shards, what is in flight, throughput, and what is wrong.

use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use shardcart_protocol::insight::ShardState;

use super::{Level, Status, System, Throughput};
use crate::asked::{Asked, LookError};
use crate::terminal::{self, age, grouped, time};

/// How often `--watch` looks again.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts in flight that are listed.
const LISTED_MAX: usize = 10;
/// Moves a terminal's cursor home and clears what is below it.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Prints how the system is: once, or every second until Ctrl-C. The command ends with 0: all is well; 1: something is
/// wrong.
///
/// # Errors
/// There is nobody to ask, or it cannot be written.
pub async fn show(asked: &Asked, watch: bool, as_json: bool) -> Result<ExitCode, LookError> {
    let is_redrawn = watch && !as_json && std::io::stdout().is_terminal();
    loop {
        // While it is watched, a machine that restarts is waited for.
        let looked = look(asked).await;
        let text = match &looked {
            Ok(status) if as_json => json(status, watch)?,
            Ok(status) => table(status),
            Err(error) if watch && !as_json => format!("error: {error}"),
            Err(_) => return looked.map(|_| ExitCode::SUCCESS),
        };
        let text = if is_redrawn { format!("{CLEAR}{text}") } else { text };
        terminal::print(&text).map_err(|error| LookError::Failed(error.to_string()))?;
        if !watch {
            let is_well = looked.is_ok_and(|status| status.system.is_well());
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(1) });
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn look(asked: &Asked) -> Result<Status, LookError> {
    match asked {
        Asked::Machine(machine) => machine.ask("console/status").await,
        Asked::Shards(opened) => {
            let system = System::look(&opened.sources, &opened.order, &opened.name).await;
            Ok(Status { system, throughput: None })
        }
    }
}

fn json(status: &Status, in_one_line: bool) -> Result<String, LookError> {
    let text = if in_one_line { serde_json::to_string(status) } else { serde_json::to_string_pretty(status) };
    text.map_err(|error| LookError::Failed(error.to_string()))
}

fn table(Status { system, throughput }: &Status) -> String {
    let mut text = String::new();
    let alarms = system.alarms.len();
    let health = match alarms {
        0 => "all is well".to_owned(),
        1 => "1 thing to look at".to_owned(),
        many => format!("{many} things to look at"),
    };
    line(&mut text, &format!("{}: {health}", system.machine));
    for alarm in &system.alarms {
        line(&mut text, &format!("  {}  {}", if alarm.level == Level::Alarm { "!!" } else { " !" }, alarm.words));
    }
    line(&mut text, "");
    line(&mut text, &format!("checkouts  {}", throughput.as_ref().map_or_else(untold, told)));
    let oldest = system.oldest.first().map_or(String::new(), |one| format!(", the oldest for {}", age(one.age_ms)));
    line(&mut text, &format!("in flight  {}{oldest}", grouped(system.in_flight)));
    line(&mut text, "");
    line(&mut text, &row(["shard", "state", "answers in", "memory", "under way", "keys", "commands/s"]));
    for state in &system.shards {
        line(&mut text, &shard(state));
    }
    if !system.oldest.is_empty() {
        line(&mut text, "");
        line(&mut text, &format!("{:>8}  {:<9} {:<36}  shard", "age", "state", "order"));
    }
    for one in system.oldest.iter().take(LISTED_MAX) {
        line(&mut text, &format!("{:>8}  {:<9} {:<36}  {}", age(one.age_ms), one.status, one.order, one.shard));
    }
    text.truncate(text.trim_end().len());
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail. A record could hold anything, and a terminal obeys control characters.
    let _ = writeln!(text, "{}", line.replace(char::is_control, "?").trim_end());
}

fn row(cells: [&str; 7]) -> String {
    let [name, state, trip, memory, listed, keys, commands] = cells;
    format!("{name:<11} {state:<15} {trip:>10}  {memory:>18}  {listed:>15}  {keys:>11}  {commands:>10}")
}

fn shard(state: &ShardState) -> String {
    let name = format!("{} {}", state.service, state.shard);
    if !state.up {
        return row([&name, "DOES NOT ANSWER", "-", "-", "-", "-", "-"]);
    }
    let memory = match state.fill_percent() {
        Some(percent) => format!("{} ({percent} %)", bytes(state.used_memory)),
        None => bytes(state.used_memory),
    };
    let listed = format!("{} {}", grouped(state.listed), if state.service == "order" { "in flight" } else { "held" });
    let disk = if state.disk == "failing" { "disk fails" } else { "answers" };
    let (trip, keys) = (time(state.round_trip_us), grouped(state.keys));
    row([&name, disk, &trip, &memory, &listed, &keys, &grouped(state.commands_per_second)])
}

fn told(throughput: &Throughput) -> String {
    let rate = |name: &str| throughput.per_second.get(name).copied().unwrap_or_default();
    let mut text = format!("{:.1} a second paid", rate("paid"));
    for (name, words) in [
        ("repeated", "repeated"),
        ("refused", "refused"),
        ("aborted", "given up"),
        ("unknown", "unknown"),
        ("turned_away", "turned away"),
    ] {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {:.1} {words}", rate(name));
    }
    let _ = write!(text, " (last {} s)", throughput.seconds);
    if throughput.median_us > 0 {
        let _ =
            write!(text, "; half within {}, 99 in 100 within {}", time(throughput.median_us), time(throughput.p99_us));
    }
    text
}

fn untold() -> String {
    "not told by shards; ask a machine with --url".to_owned()
}

fn bytes(value: u64) -> String {
    match value {
        0..1_000_000 => format!("{} kB", value / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{} MB", value / 1_000_000, value % 1_000_000 / 100_000),
        _ => format!("{}.{} GB", value / 1_000_000_000, value % 1_000_000_000 / 100_000_000),
    }
}
