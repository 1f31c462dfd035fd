//! The whole shop in one process, and the audit of its data.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shardcart_common::machine;
use shardcart_shop::audit;
use shardcart_shop::audit::args::AuditArgs;
use shardcart_shop::config::Config;

/// Order, stock and payment in one process, with Redis servers of its own: the whole shop, on a laptop
#[derive(Debug, Parser)]
#[command(name = "shop", version, about, long_about = None, args_conflicts_with_subcommands = true)]
struct Args {
    /// Without a command, the shop is started.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(Box<AuditArgs>),
}

#[actix_web::main]
async fn main() -> ExitCode {
    let Args { command, config } = Args::parse();
    match command {
        Some(Command::Audit(args)) => {
            machine::start_log_at("warn");
            audit::run(*args).await
        }
        None => {
            machine::start_log();
            machine::raise_file_limit();
            machine::exit(shardcart_shop::run(config).await)
        }
    }
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
