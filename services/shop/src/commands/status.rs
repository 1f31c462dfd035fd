//! `shop status`: its arguments, and how it ends.

use std::process::ExitCode;

use clap::Args;
use shardcart_operator::status::command;

use super::look::{self, LookArgs};

/// Show how the system is: shards, attempts in flight, throughput, and what is wrong
///
/// Asks the machine at --url; or else the shop that runs on the data directory; or reads the shards at the addresses
/// that are given, which do not tell throughput.
///
/// Ends with 0: all is well; 1: something is wrong; 2: a setting is wrong; 3: there is nobody to ask.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Look again every second, until Ctrl-C
    #[arg(long, short)]
    pub watch: bool,
    /// Print JSON; with --watch one line for each look
    #[arg(long)]
    pub json: bool,
    /// Where to look
    #[command(flatten)]
    pub look: LookArgs,
}

/// Runs the command.
pub async fn run(args: StatusArgs) -> ExitCode {
    let (asked, started) = match look::find(&args.look, false).await {
        Ok(found) => found,
        Err(error) => return error.exit(),
    };
    let ended = command::show(&asked, args.watch, args.json).await;
    started.stop();
    ended.unwrap_or_else(|error| error.exit())
}
