//! The whole shop in one process, and the commands that look at it.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use shardcart_http::machine;
use shardcart_shop::commands::audit::{self, AuditArgs};
use shardcart_shop::commands::inspect::{self, InspectArgs};
use shardcart_shop::commands::openapi::{self, OpenapiArgs};
use shardcart_shop::commands::products::{self, ProductsArgs};
use shardcart_shop::commands::shell::{self, CompletionsArgs, ManArgs};
use shardcart_shop::commands::status::{self, StatusArgs};
use shardcart_shop::config::shop::Config;
use shardcart_telemetry::logging::{self, LogFormat};
use shardcart_types::parse;

/// Order, stock and payment in one process, with Redis servers of its own: the whole shop, on a laptop
#[derive(Debug, Parser)]
#[command(name = "shop", version = shardcart_shop::VERSION, about, long_about = None, args_conflicts_with_subcommands = true)]
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
    Status(Box<StatusArgs>),
    Inspect(Box<InspectArgs>),
    Products(Box<ProductsArgs>),
    Openapi(Box<OpenapiArgs>),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[actix_web::main]
async fn main() -> ExitCode {
    let Args { command, config } = parse::settings();
    match command {
        Some(Command::Audit(args)) => {
            logging::start(LogFormat::Text, "warn");
            audit::run(*args).await
        }
        Some(Command::Status(args)) => {
            logging::start(LogFormat::Text, "error");
            status::run(*args).await
        }
        Some(Command::Inspect(args)) => {
            logging::start(LogFormat::Text, "error");
            inspect::run(*args).await
        }
        Some(Command::Products(args)) => {
            logging::start(LogFormat::Text, "error");
            products::run(*args).await
        }
        Some(Command::Openapi(args)) => {
            logging::start(LogFormat::Text, "error");
            openapi::run(*args).await
        }
        Some(Command::Completions(args)) => shell::completions(&args, Args::command()),
        Some(Command::Man(args)) => shell::man(&args, Args::command()),
        None => {
            machine::start_log(config.common.observe.log_format);
            machine::raise_file_limit();
            machine::exit(shardcart_shop::machines::shop::run(config).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
