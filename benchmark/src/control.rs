//! The calls around a measurement: is the shop there, fill it, look at what it holds.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::client::{Client, Target};

/// Which shop, and how patient to be with it.
#[derive(Debug, Clone, clap::Args)]
pub struct ShopArgs {
    /// The shop, as http://host:port
    #[arg(long, default_value = "http://localhost:8000")]
    pub url: Target,
    /// How long the shop may take to become ready, in seconds
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    pub ready_timeout_s: u64,
    /// Longest a batch_init may take, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub batch_timeout_s: u64,
}

/// How long one call may take that is not a batch_init.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before asking again whether the shop is ready.
const READY_POLL: Duration = Duration::from_millis(50);

/// A client for calls that must succeed.
pub struct Control {
    target: Target,
    client: Client,
    batch_timeout: Duration,
}

impl Control {
    /// Connects to a shop and waits until it says that it is ready.
    ///
    /// # Errors
    /// It does not in time: what it said last.
    pub async fn connect(shop: &ShopArgs) -> Result<Self, String> {
        let (begun, wait) = (Instant::now(), Duration::from_secs(shop.ready_timeout_s));
        loop {
            let why = match Client::connect(&shop.url, CALL_TIMEOUT).await {
                Ok(client) => {
                    let batch_timeout = Duration::from_secs(shop.batch_timeout_s);
                    let mut control = Self { target: shop.url.clone(), client, batch_timeout };
                    match control.call("GET", "/health/ready").await {
                        Ok(_) => return Ok(control),
                        Err(why) => why,
                    }
                }
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= wait {
                return Err(format!("the shop at {} is not ready: {why}", shop.url));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Calls one batch_init, such as `/stock/batch_init/10/5/1`, and says how long it took.
    ///
    /// # Errors
    /// Any answer but 2xx, with what it says.
    pub async fn batch_init(&mut self, path: &str) -> Result<Duration, String> {
        self.client.set_timeout(self.batch_timeout);
        let begun = Instant::now();
        let done = self.call("POST", path).await.map(|_| ());
        let took = begun.elapsed();
        self.client.set_timeout(CALL_TIMEOUT);
        done.map(|()| took)
    }

    /// Reads one record, such as `/stock/find/7`.
    ///
    /// # Errors
    /// Any answer but 2xx, or one without the fields wanted.
    pub async fn find<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, String> {
        let body = self.call("GET", path).await?;
        serde_json::from_slice(body).map_err(|error| format!("GET {path} gave something else: {error}"))
    }

    async fn call(&mut self, method: &str, path: &str) -> Result<&[u8], String> {
        match self.client.ask(method, path).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
            Ok(answer) => {
                let said = String::from_utf8_lossy(answer.body);
                Err(format!("{method} {path} was answered {}: {}", answer.status, said.trim()))
            }
            Err(error) => Err(format!("{method} {path} at {} had no answer: {error}", self.target)),
        }
    }
}
