//! How a client reaches the shop: all services behind one URL, or each at its own.

use std::fmt::{Arguments, Write as _};
use std::time::Duration;

use shardcart_harness::Service;

use crate::shop::client::{Answer, Client, NoAnswer, Target};

/// Which shop, and how patient to be with it.
#[derive(Debug, Clone, clap::Args)]
pub struct ShopArgs {
    /// The shop, or the gateway in front of the services, as http://host:port
    #[arg(long, default_value = "http://localhost:8000")]
    pub url: Target,
    /// The order service where there is no gateway: its paths have no prefix. Goes with the next two, instead of --url
    #[arg(long, value_name = "URL", requires_all = ["stock_url", "payment_url"], conflicts_with = "url")]
    pub order_url: Option<Target>,
    /// The stock service
    #[arg(long, value_name = "URL", requires = "order_url")]
    pub stock_url: Option<Target>,
    /// The payment service
    #[arg(long, value_name = "URL", requires = "order_url")]
    pub payment_url: Option<Target>,
    /// How long the shop may take to become ready, in seconds
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    pub ready_timeout_s: u64,
    /// Longest a batch_init may take, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub batch_timeout_s: u64,
}

impl ShopArgs {
    /// A shop that listens at one URL.
    pub fn at(url: Target) -> Self {
        let (order_url, stock_url, payment_url) = (None, None, None);
        Self { url, order_url, stock_url, payment_url, ready_timeout_s: 30, batch_timeout_s: 600 }
    }

    /// Where its services are.
    pub fn places(&self) -> Places {
        match (&self.order_url, &self.stock_url, &self.payment_url) {
            (Some(order), Some(stock), Some(payment)) => Places::Each([order.clone(), stock.clone(), payment.clone()]),
            _ => Places::Gateway(self.url.clone()),
        }
    }
}

/// Where the services are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// All at one URL, told apart by the first word of the path.
    Gateway(Target),
    /// Each at its own, in the order of orders, stock, payment, without that word.
    Each([Target; 3]),
}

impl std::fmt::Display for Places {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gateway(target) => write!(out, "{target}"),
            Self::Each([order, stock, payment]) => write!(out, "{order} {stock} {payment}"),
        }
    }
}

/// One client of the whole shop: a connection to each place, one request at a time.
#[derive(Debug)]
pub struct Front {
    clients: Vec<Client>,
    path: String,
}

impl Front {
    /// A client whose connections are opened with its first requests.
    pub fn new(places: &Places, timeout: Duration) -> Self {
        let clients = match places {
            Places::Gateway(target) => vec![Client::new(target, timeout)],
            Places::Each(targets) => targets.iter().map(|target| Client::new(target, timeout)).collect(),
        };
        Self { clients, path: String::with_capacity(128) }
    }

    /// A client that is connected to all of its places, and has asked each something: a server waits a few seconds for the
    /// first request on a connection, and longer for the next.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn connect(places: &Places, timeout: Duration) -> Result<Self, NoAnswer> {
        let mut front = Self::new(places, timeout);
        for client in &mut front.clients {
            client.ask("GET", "/health/live").await?;
        }
        Ok(front)
    }

    /// Changes how long each later request may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.clients.iter_mut().for_each(|client| client.set_timeout(timeout));
    }

    /// Sends one request without a body to a service, and waits for the whole answer. `path` is that of the service
    /// itself, such as `/find/7`.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub async fn ask(&mut self, service: Service, method: &str, path: Arguments<'_>) -> Result<Answer<'_>, NoAnswer> {
        self.path.clear();
        let client = match self.clients.as_mut_slice() {
            [gateway] => {
                self.path.push('/');
                self.path.push_str(service.prefix());
                gateway
            }
            clients => &mut clients[service as usize],
        };
        let _ = self.path.write_fmt(path); // Writing to a string cannot fail.
        client.ask(method, &self.path).await
    }

    /// Asks every place whether it is ready.
    ///
    /// # Errors
    /// What the first one said that is not. One that has no such path counts as ready.
    pub async fn ready(&mut self) -> Result<(), String> {
        for client in &mut self.clients {
            match client.ask("GET", "/health/ready").await {
                Ok(answer) if (200..300).contains(&answer.status) || answer.status == 404 => {}
                Ok(answer) => {
                    return Err(format!("{} {}", answer.status, String::from_utf8_lossy(answer.body).trim()));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::standin::{Behaviour, StandIn};

    #[test]
    fn services_stand_in_the_order_of_their_places() {
        assert_eq!(Service::ALL.map(|service| service as usize), [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_prefix_leads_through_a_gateway_and_is_left_out_at_the_service_itself() {
        let gateway = StandIn::start(Behaviour::default()).await;
        let each = StandIn::start(Behaviour { only: Some(Service::Stock), ..Behaviour::default() }).await;
        let target: Target = each.url.parse().unwrap();
        let places =
            [Places::Gateway(gateway.url.parse().unwrap()), Places::Each([target.clone(), target.clone(), target])];
        for places in places {
            let mut front = Front::connect(&places, Duration::from_secs(5)).await.unwrap();
            front.ready().await.unwrap();
            let loaded = front.ask(Service::Stock, "POST", format_args!("/batch_init/3/7/1")).await.unwrap();
            assert_eq!(loaded.status, 200);
            let found = front.ask(Service::Stock, "GET", format_args!("/find/{}", 2)).await.unwrap();
            assert_eq!(str::from_utf8(found.body).unwrap(), r#"{"stock":7,"price":1}"#);
        }
    }
}
