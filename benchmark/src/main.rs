#![doc = include_str!("../README.md")]

mod answers;
mod books;
mod checkout;
mod client;
mod control;
mod cpu;
mod fill;
mod http;
mod load;
mod report;
mod settle;
#[cfg(test)]
mod standin;

use std::fmt::Display;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use tokio::task::LocalSet;

/// What a checkout costs, and how long it takes.
///
/// Measures a running shop, which it fills with data of its own by batch_init: whatever orders, items and users
/// 0, 1, 2 … it held are overwritten. Figures go to stdout, progress to stderr. Ends with 1 if there is nothing to report.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Print the figures as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Time three batch_init calls, one after another
    Load(load::LoadArgs),
    /// Check out distinct orders of two items each: rate, latency, CPU time of the named processes
    Checkout(checkout::CheckoutArgs),
}

/// One thread is enough and is the cheapest: it shares its cores with the server, and clients need no locks.
fn main() -> ExitCode {
    let args = Args::parse();
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, run(&args)),
        Err(error) => Err(format!("could not start: {error}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), String> {
    match &args.command {
        Command::Load(load) => show(&load::run(load).await?, args.json),
        Command::Checkout(checkout) => {
            let report = checkout::run(checkout).await?;
            show(&report, args.json)?;
            report.verdict()
        }
    }
}

fn show(report: &(impl Display + Serialize), json: bool) -> Result<(), String> {
    if json {
        let text = serde_json::to_string_pretty(report).map_err(|error| format!("no JSON of the report: {error}"))?;
        println!("{text}");
    } else {
        println!("{report}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
