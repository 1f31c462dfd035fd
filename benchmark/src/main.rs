#![doc = include_str!("../README.md")]

mod commands;
mod flags;
mod load;
mod measure;
mod report;
mod shop;
mod systems;
mod waiting;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::commands::{checkout, consistency, experiments, growth, kept, price, stress};
use crate::report::findings::Findings;
use crate::report::outcome::Report;
use crate::report::page::{self, Page};
use crate::systems::reference;

const EXIT_CODES: &str = "\
Exit codes:
  0         the figures stand
  1         they do not: the shop is not ready, refuses to be filled, stops answering, commits nothing or has sold out, the
            books do not agree, something is inconsistent, or a checkout costs more than on record
  2         a wrong flag, or one that has no effect with the others
  130, 143  interrupted, by SIGINT or SIGTERM";

/// What a checkout costs, how long it takes, and whether it is true.
///
/// Measures any running shop. `load`, `checkout`, `stress` and `experiments` fill it with batch_init: whatever orders, items
/// and users 0, 1, 2 … it held are overwritten. `price`, `growth` and `kept` start systems of their own and leave nothing behind.
/// Figures go to stdout, progress to stderr.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Print the figures as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Write a page with tables and charts, which needs nothing else
    #[arg(long, global = true, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write each chart of that page as an SVG file of its own; of several runs those that show all of them together
    #[arg(long, global = true, value_name = "DIRECTORY")]
    charts: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Time how long it takes to fill a shop
    #[command(after_help = EXIT_CODES)]
    Load(commands::load::LoadArgs),
    /// Check out distinct orders of two items each: rate, latency, CPU time of the named processes
    #[command(after_help = EXIT_CODES)]
    Checkout(checkout::CheckoutArgs),
    /// Any mix of calls, closed or open loop, for a time or a number of checkouts
    #[command(after_help = EXIT_CODES)]
    Stress(stress::StressArgs),
    /// Bursts that want more than there is, and then every store against every answer.
    ///
    /// In the large burst two clients ask for each order at the same time. A client sends a checkout again, every 0.2 s and up to
    /// 40 times in all, when it was turned away (429), given up (409 checkout_aborted), answered 5xx or not answered at all: until
    /// an answer tells whether the order is paid. A checkout is idempotent, so no order may be paid twice. The output counts what
    /// was asked and what was asked again. Ends with 1 on any difference.
    #[command(after_help = EXIT_CODES)]
    Consistency(consistency::ConsistencyArgs),
    /// What others published about systems of this kind, done again: theirs beside ours
    #[command(after_help = EXIT_CODES)]
    Experiments(experiments::ExperimentsArgs),
    /// What a checkout costs in CPU time: as one shop, as separate services behind the shipped gateway, and as two machines of each
    #[command(after_help = EXIT_CODES)]
    Price(price::PriceArgs),
    /// How that cost grows: shards, data, carts, contention, refusals, memory, overload
    #[command(after_help = EXIT_CODES)]
    Growth(growth::GrowthArgs),
    /// Whether a checkout is still as cheap as on record, against a reference of this minute; ends with 1 if not
    #[command(after_help = EXIT_CODES)]
    Kept(kept::KeptArgs),
    /// A server that does nothing, for the reference
    #[command(hide = true)]
    Bare(reference::BareArgs),
}

/// One thread is enough and is the cheapest: it shares its cores with the server, and clients need no locks.
fn main() -> ExitCode {
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Err(why) = flags::sensible(&args, &matches) {
        Args::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, until_interrupted(&args)),
        Err(error) => Err(format!("could not start: {error}")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An interrupted run is dropped where it stands, and with it what it has started.
async fn until_interrupted(args: &Args) -> Result<ExitCode, String> {
    let handler = |kind| signal(kind).map_err(|error| format!("no signal handler: {error}"));
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    tokio::select! {
        done = run(args) => done.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
    }
}

async fn run(args: &Args) -> Result<(), String> {
    writable(args)?;
    match &args.command {
        Command::Load(load) => show(&commands::load::run(load).await?, args),
        Command::Checkout(checkout) => shown(&checkout::run(checkout).await?, args),
        Command::Stress(stress) => shown(&stress::run(stress).await?, args),
        Command::Consistency(consistency) => found(&consistency::run(consistency).await?, args),
        Command::Price(price) => found(&price::run(price).await?, args),
        Command::Growth(growth) => found(&growth::run(growth).await?, args),
        Command::Experiments(experiments) => found(&experiments::run(experiments).await?, args),
        Command::Kept(kept) => found(&kept::run(kept).await?, args),
        Command::Bare(bare) => reference::bare(bare).await,
    }
}

/// Looks whether the page and the charts can be written, before minutes are spent on them.
fn writable(args: &Args) -> Result<(), String> {
    if let Some(file) = &args.html {
        let failed = |error| format!("could not write {}: {error}", file.display());
        let new = !file.exists();
        std::fs::OpenOptions::new().append(true).create(true).open(file).map_err(failed)?;
        if new {
            std::fs::remove_file(file).map_err(failed)?;
        }
    }
    args.charts.as_deref().map_or(Ok(()), |directory| {
        std::fs::create_dir_all(directory).map_err(|error| format!("could not make {}: {error}", directory.display()))
    })
}

fn shown(report: &Report, args: &Args) -> Result<(), String> {
    show(report, args)?;
    report.verdict()
}

fn found(findings: &Findings, args: &Args) -> Result<(), String> {
    show(findings, args)?;
    findings.verdict()
}

fn show(report: &(impl Display + Serialize + Page), args: &Args) -> Result<(), String> {
    if args.json {
        let text = serde_json::to_string_pretty(report).map_err(|error| format!("no JSON of the report: {error}"))?;
        println!("{text}");
    } else {
        println!("{report}");
    }
    if let Some(file) = &args.html {
        page::write(file, report)?;
        eprintln!("wrote {}", file.display());
    }
    if let Some(directory) = &args.charts {
        let count = page::write_charts(directory, report)?;
        let plural = if count == 1 { "" } else { "s" };
        eprintln!("wrote {count} chart{plural} into {}", directory.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_tells_its_exit_codes() {
        for command in Args::command().get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            for help in [command.render_help(), command.render_long_help()] {
                assert!(help.to_string().contains("Exit codes:"), "{}", command.get_name());
            }
        }
    }

    #[test]
    fn consistency_says_in_its_help_that_it_asks_again() {
        let mut command = Args::command();
        let help = command.find_subcommand_mut("consistency").unwrap().render_long_help().to_string();
        assert!(help.contains("two clients ask for each order") && help.contains("sends a checkout again"), "{help}");
    }
}
