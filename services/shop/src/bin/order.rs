//! The order service as a process of its own.

use std::process::ExitCode;

use shardcart_http::{machine, probe};
use shardcart_shop::config::order::Config;
use shardcart_types::parse;

#[actix_web::main]
async fn main() -> ExitCode {
    if let Some(answer) = probe::asked(8001) {
        return answer;
    }
    let config = parse::settings::<Config>();
    machine::start_log(config.common.observe.log_format);
    machine::raise_file_limit();
    machine::exit(shardcart_shop::machines::order::run(config).await)
}
