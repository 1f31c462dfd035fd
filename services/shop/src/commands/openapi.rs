//! `shop openapi`: prints the description of the API.

use std::process::ExitCode;

use clap::Args;
use shardcart_operator::client::{ClientError, print_json};

use super::api::ApiArgs;

/// Print the OpenAPI description of the API v1, as the shop serves it
#[derive(Debug, Clone, Args)]
pub struct OpenapiArgs {
    /// Which shop
    #[command(flatten)]
    pub api: ApiArgs,
}

/// Runs the command.
pub async fn run(args: OpenapiArgs) -> ExitCode {
    ask(&args).await.map_or_else(|error| error.exit(), |()| ExitCode::SUCCESS)
}

async fn ask(args: &OpenapiArgs) -> Result<(), ClientError> {
    print_json(&args.api.client()?.openapi().await?)
}
