//! Whom `shop status` and `shop inspect` ask: a machine by its URL, or the shards themselves. Nothing here writes.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use shardcart_store::membership::Membership;
use shardcart_store::settings::RedisSettings;
use shardcart_store::shards::Shards;
use shardcart_types::address::Address;
use shardcart_types::secret::Secret;

use crate::sources::Sources;

/// How long a machine's answer is waited for: it looks at all shards for it.
const ANSWER_MAX: Duration = Duration::from_secs(8);

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

/// Shards that are read for a look.
pub struct Opened {
    /// Who is asked about ids and shards.
    pub sources: Sources,
    /// The order shards.
    pub order: Arc<Shards>,
    /// Where they are, in a few words.
    pub name: String,
}

impl Opened {
    /// Connects to the shards of the three services: order, stock, payment. One that is silent is told as such later.
    ///
    /// # Errors
    /// `Failed`: what answers is not what it should be.
    pub async fn open(addresses: [Vec<Address>; 3], redis: &RedisSettings, name: String) -> Result<Self, LookError> {
        let [order, stock, payment] = addresses;
        let open = |service, addresses| async move {
            let membership = Membership::observe_what_answers(service, addresses, redis).await?;
            Shards::new(&membership).map(Arc::new)
        };
        let opened = tokio::try_join!(open("order", order), open("stock", stock), open("payment", payment));
        let (order, stock, payment) = opened.map_err(LookError::Failed)?;
        Ok(Opened { sources: Sources::of_shards(Arc::clone(&order), stock, payment), order, name })
    }
}

impl Machine {
    /// A machine by its URL, with the token that opens its console.
    ///
    /// # Errors
    /// `Failed`: no HTTP client can be made.
    pub fn new(url: Url, token: Option<Secret>) -> Result<Self, LookError> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build();
        let client = client.map_err(|error| LookError::Failed(format!("no HTTP client: {error}")))?;
        Ok(Machine { client, url, token })
    }

    /// Whether its console answers, and to this token.
    pub async fn answers(&self) -> bool {
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
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
