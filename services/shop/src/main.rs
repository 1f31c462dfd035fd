//! The whole shop in one process.

use std::process::ExitCode;

use clap::Parser;
use shardcart_common::machine;
use shardcart_shop::config::Config;

#[actix_web::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    machine::start_log();
    machine::raise_file_limit();
    machine::exit(shardcart_shop::run(config).await)
}
