//! `shop inspect`: its arguments, and how it ends.

use std::process::ExitCode;

use clap::Args;
use shardcart_operator::asked::LookError;
use shardcart_operator::inspect::command;
use shardcart_operator::inspect::found::Inspected;
use shardcart_types::ids::{self, InvalidId};

use super::look::{self, LookArgs};

/// Show what is known under an id: an order, an item, a user, or an attempt (tx)
///
/// An id does not say what it belongs to, and one that was not made here may belong to several things: all of them are
/// shown, each with its state, its shard, and what there is of lines, payment and attempts.
///
/// Ends with 0: found; 1: nothing has this id; 2: it cannot be an id, or a setting is wrong; 3: not everyone who may
/// know it answers.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// The id
    pub id: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Where to look
    #[command(flatten)]
    pub look: LookArgs,
}

/// Runs the command.
pub async fn run(args: InspectArgs) -> ExitCode {
    look(&args).await.and_then(|found| command::show(&found, args.json)).unwrap_or_else(|error| error.exit())
}

async fn look(args: &InspectArgs) -> Result<Inspected, LookError> {
    ids::check(&args.id).map_err(|refused: InvalidId| LookError::Setting(refused.to_string()))?;
    let (asked, started) = look::find(&args.look, true).await?;
    let found = command::look(&asked, &args.id).await;
    started.stop();
    found
}
