//! Looking at a system from a terminal: `shop status` and `shop inspect`.
//!
//! A machine is asked by its URL, or the shards are read directly. Nothing here writes.

pub mod inspect;
pub mod status;

use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use shardcart_order::inspect::Sources;
use shardcart_store::membership::Membership;
use shardcart_store::shards::Shards;
use shardcart_types::parse::base_url;
use shardcart_types::secret::Secret;

use crate::audit::AuditError;
use crate::audit::source::{self, Started};
use crate::data_args::DataArgs;
use crate::data_dir;

/// How long a machine's answer is waited for: it looks at all shards for it.
const ANSWER_MAX: Duration = Duration::from_secs(8);

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

fn machine_url(text: &str) -> Result<Url, String> {
    if text.starts_with("https:") {
        return Err("https is not spoken here; ask a machine by http://host:port, through a tunnel (kubectl port-forward, ssh -L)".to_owned());
    }
    base_url(text).map_err(|_| "expected http://host:port".to_owned())
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// A setting leads nowhere. Exit code 2.
    #[error("{0}")]
    Setting(String),
    /// It cannot be asked, or does not answer. Exit code 3.
    #[error("{0}")]
    Failed(String),
}

impl LookError {
    /// Says why on stderr, in one line.
    pub fn exit(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(if matches!(self, LookError::Setting(_)) { 2 } else { 3 })
    }
}

impl From<AuditError> for LookError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Setting(words) => LookError::Setting(words),
            AuditError::Failed(words) => LookError::Failed(words),
        }
    }
}

/// Who is asked.
pub enum Asked {
    /// A machine.
    Machine(Machine),
    /// The shards themselves.
    Shards(Opened),
}

/// A machine that shows a console.
pub struct Machine {
    client: reqwest::Client,
    url: Url,
    token: Option<Secret>,
}

/// Shards that were opened for a look, and servers that were started for it.
pub struct Opened {
    /// Who is asked about ids and shards.
    pub sources: Sources,
    /// The order shards.
    pub order: Arc<Shards>,
    /// Where they are, in a few words.
    pub name: String,
    started: Started,
}

impl Opened {
    /// Ends what was started for the look.
    pub fn close(self) {
        self.started.stop();
    }
}

impl Asked {
    /// Finds whom to ask: the URL that was given; the shop that runs on the data directory; or the shards. `start` says
    /// whether servers may be started where no shop runs.
    ///
    /// # Errors
    /// There is nobody to ask.
    pub async fn find(args: &LookArgs, start: bool) -> Result<Self, LookError> {
        let token = args.console_token.clone().filter(|token| !token.expose().is_empty());
        if let Some(url) = &args.url {
            return Ok(Asked::Machine(Machine::new(url.clone(), token)?));
        }
        let by_address = !args.data.order_redis.is_empty();
        if !by_address && let Some(url) = data_dir::noted_url(&args.data.data_dir).and_then(|url| base_url(&url).ok()) {
            let machine = Machine::new(url, token)?;
            // It may be gone, or want a token that we do not have: its shards can be read all the same.
            if machine.answers().await {
                return Ok(Asked::Machine(machine));
            }
        }
        if !by_address && !start && !data_dir::is_in_use(&args.data.data_dir) {
            let path = args.data.data_dir.display();
            return Err(LookError::Failed(format!(
                "no shop runs on {path}; start it, or say where to look: --data-dir, --url, or the shards' addresses (see --help)"
            )));
        }
        Ok(Asked::Shards(open(args, by_address).await?))
    }
}

async fn open(args: &LookArgs, by_address: bool) -> Result<Opened, LookError> {
    let (addresses, redis, started) = source::find(&args.data)?;
    let [order, stock, payment] = addresses;
    let open = |service, addresses| {
        let redis = &redis;
        async move {
            let membership = Membership::observe_what_answers(service, addresses, redis).await?;
            Shards::new(&membership).map(Arc::new)
        }
    };
    let opened = tokio::try_join!(open("order", order), open("stock", stock), open("payment", payment));
    let (order, stock, payment) = match opened {
        Ok(opened) => opened,
        Err(words) => {
            started.stop();
            return Err(LookError::Failed(words));
        }
    };
    let sources = Sources {
        order: Rc::new(shardcart_order::insight::LocalInsight::new(Arc::clone(&order))),
        stock: Rc::new(shardcart_stock::insight::LocalInsight::new(stock)),
        payment: Rc::new(shardcart_payment::insight::LocalInsight::new(payment)),
        recent: None,
    };
    let name = if by_address { "shards by address".to_owned() } else { args.data.data_dir.display().to_string() };
    Ok(Opened { sources, order, name, started })
}

impl Machine {
    fn new(url: Url, token: Option<Secret>) -> Result<Self, LookError> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build();
        let client = client.map_err(|error| LookError::Failed(format!("no HTTP client: {error}")))?;
        Ok(Machine { client, url, token })
    }

    async fn answers(&self) -> bool {
        self.ask::<serde_json::Value>("console/status").await.is_ok()
    }

    /// Asks for something below its URL.
    ///
    /// # Errors
    /// It does not answer, or not like this.
    pub async fn ask<A: DeserializeOwned>(&self, path: &str) -> Result<A, LookError> {
        let url = self.url.join(path).map_err(|error| LookError::Setting(error.to_string()))?;
        let mut request = self.client.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let base = self.url.as_str().trim_end_matches('/');
        let silent = |error: reqwest::Error| LookError::Failed(format!("{base} does not answer: {}", cause(&error)));
        let answer = request.send().await.map_err(silent)?;
        match answer.status() {
            StatusCode::OK => answer
                .json()
                .await
                .map_err(|_| LookError::Failed(format!("what {base} answers is not what a console says"))),
            StatusCode::UNAUTHORIZED => {
                Err(LookError::Setting(format!("{base} wants the token that it was started with: set CONSOLE_TOKEN")))
            }
            StatusCode::NOT_FOUND => Err(LookError::Failed(format!(
                "{base} has no console: ask a shop, or the internal port of an order machine"
            ))),
            status => {
                let problem: serde_json::Value = answer.json().await.unwrap_or_default();
                let detail = problem["detail"].as_str().map_or(String::new(), |detail| format!(": {detail}"));
                Err(LookError::Failed(format!("{base} answers {status}{detail}")))
            }
        }
    }
}

/// The innermost cause: the outer ones only say that there was one.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Prints to stdout; whoever reads it may have read enough (`| head`).
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), LookError> {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(LookError::Failed(error.to_string())),
        _ => Ok(()),
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A short time in words.
pub fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A longer time in words.
pub fn age(ms: u64) -> String {
    match ms / 1_000 {
        0..60 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        seconds @ 60..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(String::as_str)
        );
        assert_eq!(
            ["7 µs", "1.2 ms", "12 ms", "1.2 s"],
            [7, 1_234, 12_345, 1_234_567].map(time).each_ref().map(String::as_str)
        );
        assert_eq!(["0.5 s", "2 min", "3 h"], [500, 125_000, 11_000_000].map(age).each_ref().map(String::as_str));
    }
}
