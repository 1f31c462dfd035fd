//! The stock service as a process of its own.

use std::process::ExitCode;

use clap::Parser;
use shardcart_common::machine;
use shardcart_stock::config::Config;

#[actix_web::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    machine::start_log(config.observe.log_format);
    machine::raise_file_limit();
    machine::exit(shardcart_stock::run(config).await)
}
