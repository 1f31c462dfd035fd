//! The stock service as a process of its own.

use std::process::ExitCode;

use shardcart_http::{machine, probe};
use shardcart_shop::config::stock::Config;
use shardcart_shop::machines::participant;
use shardcart_types::parse;

#[actix_web::main]
async fn main() -> ExitCode {
    if let Some(answer) = probe::asked(8002) {
        return answer;
    }
    let config = parse::settings::<Config>();
    machine::start_log(config.settings.common.observe.log_format);
    machine::raise_file_limit();
    machine::exit(participant::run_stock(config).await)
}
