//! The calls around a measurement, which must succeed: is the shop there, fill it, look at what it holds.

use std::cell::Cell;
use std::fmt::Arguments;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shardcart_harness::Service;

use crate::shop::front::{Front, Places, ShopArgs};
use crate::waiting::during;

/// How long one call may take that is not a batch_init.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before asking again whether the shop is ready.
const READY_POLL: Duration = Duration::from_millis(50);

/// Calls under way at once where many are to be made.
const ABREAST: u64 = 32;

/// How often a call is made that may be repeated and was turned away or not answered.
const TRIES_MAX: u32 = 8;

/// How often a batch_init is called that is answered 5xx, and the pause between.
const BATCH_TRIES_MAX: u32 = 5;
const BATCH_PAUSE: Duration = Duration::from_secs(1);

/// A client for calls that must succeed.
pub struct Control {
    places: Places,
    front: Front,
    batch_timeout: Duration,
}

#[derive(Deserialize)]
struct Minted {
    #[serde(alias = "order_id", alias = "item_id", alias = "user_id")]
    id: String,
}

impl Control {
    /// Connects to a shop and waits until it says that it is ready.
    ///
    /// # Errors
    /// It does not in time: what it said last.
    pub async fn connect(shop: &ShopArgs) -> Result<Self, String> {
        during("waiting until the shop is ready", Self::connected(shop)).await
    }

    async fn connected(shop: &ShopArgs) -> Result<Self, String> {
        let (begun, wait) = (Instant::now(), Duration::from_secs(shop.ready_timeout_s));
        let places = shop.places();
        loop {
            let mut control = Self::of(&places, Duration::from_secs(shop.batch_timeout_s));
            match control.front.ready().await {
                Ok(()) => return Ok(control),
                Err(why) if begun.elapsed() >= wait => return Err(format!("the shop at {places} is not ready: {why}")),
                Err(_) => tokio::time::sleep(READY_POLL).await,
            }
        }
    }

    fn of(places: &Places, batch_timeout: Duration) -> Self {
        Self { places: places.clone(), front: Front::new(places, CALL_TIMEOUT), batch_timeout }
    }

    /// Where the shop is.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Calls one batch_init, such as `/batch_init/10/5/1` of stock, and says how long it took. It may be repeated, and is
    /// where a shard was too busy to answer.
    ///
    /// # Errors
    /// Any answer but 2xx, with what it says.
    pub async fn batch_init(&mut self, service: Service, path: &str) -> Result<Duration, String> {
        self.front.set_timeout(self.batch_timeout);
        let mut tries = 1;
        let done = loop {
            let begun = Instant::now();
            match self.call(service, "POST", format_args!("{path}")).await {
                Ok(_) => break Ok(begun.elapsed()),
                Err(error) if tries == BATCH_TRIES_MAX || !error.contains(" was answered 5") => break Err(error),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(BATCH_PAUSE).await;
        };
        self.front.set_timeout(CALL_TIMEOUT);
        done
    }

    /// Reads one record, such as `/find/7` of stock. Asked again where no answer came.
    ///
    /// # Errors
    /// Any answer but 2xx, or one without the fields wanted.
    pub async fn find<T: DeserializeOwned>(&mut self, service: Service, path: Arguments<'_>) -> Result<T, String> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.call(service, "GET", path).await {
                Ok(body) => {
                    return serde_json::from_slice(body)
                        .map_err(|error| format!("GET {path} gave something else: {error}"));
                }
                Err(error) if tries == TRIES_MAX => return Err(error),
                Err(_) => tokio::time::sleep(READY_POLL * tries).await,
            }
        }
    }

    /// Makes something new with a POST and tells its id.
    ///
    /// # Errors
    /// Any answer but 2xx, or one without an id.
    pub async fn create(&mut self, service: Service, path: Arguments<'_>) -> Result<Box<str>, String> {
        let body = self.call(service, "POST", path).await?;
        let minted: Minted =
            serde_json::from_slice(body).map_err(|error| format!("POST {path} gave no id: {error}"))?;
        Ok(minted.id.into_boxed_str())
    }

    /// Makes a change with a POST. It is not repeated.
    ///
    /// # Errors
    /// Any answer but 2xx.
    pub async fn post(&mut self, service: Service, path: Arguments<'_>) -> Result<(), String> {
        self.call(service, "POST", path).await.map(|_| ())
    }

    async fn call(&mut self, service: Service, method: &str, path: Arguments<'_>) -> Result<&[u8], String> {
        let shown = service.prefix();
        match self.front.ask(service, method, path).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body),
            Ok(answer) => {
                let said = String::from_utf8_lossy(answer.body);
                Err(format!("{method} /{shown}{path} was answered {}: {}", answer.status, said.trim()))
            }
            Err(error) => Err(format!("{method} /{shown}{path} at {} had no answer: {error}", self.places)),
        }
    }

    /// Does something for each of `0..count`, several at once, each with a client of its own.
    ///
    /// # Errors
    /// The first error of any of them; the others are given up.
    pub async fn each(
        &self,
        count: u64,
        work: impl AsyncFn(u64, &mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let next = Cell::new(0);
        let workers = (0..ABREAST.min(count)).map(|_| async {
            let mut control = Self::of(&self.places, self.batch_timeout);
            while next.get() < count {
                let at = next.replace(next.get() + 1);
                work(at, &mut control).await?;
            }
            Ok(())
        });
        try_join_all(workers).await.map(|_: Vec<()>| ())
    }
}

/// An id out of the body of an answer to a create call; `None` if there is none.
pub fn minted(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body).ok().map(|Minted { id }| id)
}
