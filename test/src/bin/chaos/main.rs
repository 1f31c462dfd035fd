//! `chaos`: a whole cluster under load, with faults drawn from a seed, for as long as it is told.
//!
//! It ends with a table and the line `inconsistencies: 0, stuck: 0`, or with exit code 1.

mod report;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use shardcart_harness::processes::dirs;
use shardcart_harness::{Cluster, ClusterOptions};
use shardcart_test::schedule::Schedule;
use shardcart_test::storm;
use shardcart_test::world::{Fronts, Judge, Load, Tally, World};
use tokio::sync::watch;

use crate::report::Report;

/// Kills, stops, cuts off and starves parts of a cluster under load, and checks every answer that its clients get
///
/// Two machines and two Redis servers of each service, with relays between all of them. Every round has fresh users,
/// items and orders: faults happen as drawn from the seed, all of them end, everything has to be settled within 15 s,
/// and orders, payments, stock, credit and `shop audit` are compared with what the clients were told. Ctrl-C ends it
/// after the round that is under way; a second one at once. Build the programs first: `make chaos` does.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
struct Options {
    /// How long to go on, as in 90s, 30m or 2h
    #[arg(long, default_value = "2m", value_parser = duration)]
    duration: Duration,
    /// What the faults are drawn from; the same seed gives the same faults at the same times. Random if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults go on before all of them end and everything is checked
    #[arg(long, default_value = "60s", value_parser = duration)]
    round: Duration,
    /// Clients at work
    #[arg(long, default_value_t = 24)]
    clients: u64,
    /// How long a client pauses before each order, on average
    #[arg(long, default_value = "100ms", value_parser = duration)]
    think: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().map_err(|_| "expected a number and a unit".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3_600)),
        _ => Err("expected ms, s, m or h after the number".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let files = tempfile::Builder::new().prefix("shardcart-chaos-").disable_cleanup(true).tempdir();
    let files = match files {
        Ok(files) => files,
        Err(error) => {
            eprintln!("error: no directory for data and logs can be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    dirs::keep_in(files.path());
    println!("seed {seed}; data and logs are in {}", files.path().display());

    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        println!("stopping: this round is checked first");
        stop.send_replace(true);
        let _ = tokio::signal::ctrl_c().await;
        // Its processes end with it.
        std::process::exit(130);
    });
    // A panic is a finding like others: data and logs stay.
    let report = AssertUnwindSafe(run(options, seed, stopped)).catch_unwind().await;
    match report {
        Ok(report) => end(&report, seed, files.path()),
        Err(_) => {
            eprintln!("the run itself failed; seed {seed}; data and logs are in {}", files.path().display());
            println!("inconsistencies: 1, stuck: 0");
            ExitCode::FAILURE
        }
    }
}

fn end(report: &Report, seed: u64, files: &Path) -> ExitCode {
    println!("{report}");
    if report.is_clean() {
        // What cannot be removed is in the way of nobody.
        let _ = std::fs::remove_dir_all(files);
        return ExitCode::SUCCESS;
    }
    eprintln!("seed {seed}; data and logs are in {}", files.display());
    ExitCode::FAILURE
}

/// Round after round, until the time is over, or something is wrong.
async fn run(options: Options, seed: u64, mut stop: watch::Receiver<bool>) -> Report {
    let start = Instant::now();
    let progress = ProgressBar::new(options.duration.as_secs());
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(500));
    let mut cluster = Cluster::start_relayed(ClusterOptions::default()).await;
    let (fronts, judge) = (Fronts::of(&cluster), Judge::of(&cluster));
    let mut schedule = Schedule::new(seed, true);
    let tally = Arc::new(Tally::default());
    let mut report = Report::new(seed, Arc::clone(&tally));
    while start.elapsed() < options.duration && !*stop.borrow() && report.is_clean() {
        let length = options.round.min(options.duration - start.elapsed());
        let planned = schedule.round(length);
        let world = Arc::new(World::prepare(&fronts.gateway, length).await);
        let load = Load::start(&fronts, &world, options.clients, options.think, seed ^ report.rounds(), &tally);
        let played = storm::play(&mut cluster, &planned, &mut stop).await;
        let last_end = Instant::now();
        cluster.all_ready().await;
        let ended = Instant::now();
        let placed = load.end().await;
        let verdict = judge.judge(&world, placed, ended).await;
        report.add(&played, &verdict, ended - last_end, start.elapsed());
        if report.is_clean() {
            dirs::empty_logs();
        }
        progress.set_position(start.elapsed().as_secs());
        progress.set_message(report.line());
        progress.suspend(|| println!("{}", report.line()));
    }
    progress.finish_and_clear();
    report
}
