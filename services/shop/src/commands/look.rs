//! Whom `shop status` and `shop inspect` ask.

use clap::Args;
use reqwest::Url;
use shardcart_operator::asked::{Asked, LookError, Machine, Opened};
use shardcart_types::parse::base_url;
use shardcart_types::secret::Secret;

use super::data::{self, DataArgs, Found, Started};
use crate::data_dir;

/// Where to look.
#[derive(Debug, Clone, Args)]
pub struct LookArgs {
    /// Ask this shop, gateway, or order machine (its internal port, or with a token its port for clients): http://host:port. TLS (https) is not spoken: where the way is not private, go through a tunnel
    #[arg(long, env = "SHOP_URL", value_parser = machine_url, conflicts_with_all = ["order_redis", "stock_redis", "payment_redis"])]
    pub url: Option<Url>,
    /// What opens its console, if it wants a token
    #[arg(long, env = "CONSOLE_TOKEN", hide_env_values = true)]
    pub console_token: Option<Secret>,
    /// The shards, where no machine is asked
    #[command(flatten)]
    pub data: DataArgs,
}

pub(super) fn machine_url(text: &str) -> Result<Url, String> {
    if text.starts_with("https:") {
        return Err("https is not spoken here; ask a machine by http://host:port, through a tunnel (kubectl port-forward, ssh -L)".to_owned());
    }
    base_url(text).map_err(|_| "expected http://host:port".to_owned())
}

/// Finds whom to ask: the URL that was given; the shop that runs on the data directory; or the shards. `start` says
/// whether servers may be started where no shop runs; those are to be stopped after the look.
///
/// # Errors
/// There is nobody to ask.
pub async fn find(args: &LookArgs, start: bool) -> Result<(Asked, Started), LookError> {
    let token = args.console_token.clone().filter(|token| !token.expose().is_empty());
    if let Some(url) = &args.url {
        return Ok((Asked::Machine(Machine::new(url.clone(), token)?), Started::default()));
    }
    let by_address = !args.data.order_redis.is_empty();
    if !by_address && let Some(url) = data_dir::noted_url(&args.data.data_dir).and_then(|url| base_url(&url).ok()) {
        let machine = Machine::new(url, token)?;
        // It may be gone, or want a token that we do not have: its shards can be read all the same.
        if machine.answers().await {
            return Ok((Asked::Machine(machine), Started::default()));
        }
    }
    if !by_address && !start && !data_dir::is_in_use(&args.data.data_dir) {
        let path = args.data.data_dir.display();
        return Err(LookError::Failed(format!(
            "no shop runs on {path}; start it, or say where to look: --data-dir, --url, or the shards' addresses (see --help)"
        )));
    }
    let Found { addresses, redis, started } = data::find(&args.data)?;
    let name = if by_address { "shards by address".to_owned() } else { args.data.data_dir.display().to_string() };
    match Opened::open(addresses, &redis, name).await {
        Ok(opened) => Ok((Asked::Shards(opened), started)),
        Err(error) => {
            started.stop();
            Err(error)
        }
    }
}
