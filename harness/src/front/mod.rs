//! The public API as a client sees it: one method for every endpoint.

mod answer;
mod orders;
mod payment;
mod steps;
mod stock;

use std::net::SocketAddr;

use hyper::Method;
use hyper::body::Bytes;

pub use self::answer::Answer;
pub use self::steps::Order;
use crate::http::{HttpClient, NoAnswer, raw};
use crate::service::Service;

/// A client of the three services, behind one address or at three of their own. It belongs to the
/// test that made it: its connections end with the runtime.
#[derive(Debug, Clone)]
pub struct Front {
    client: HttpClient,
    /// `http://host:port` or `http://host:port/prefix`, by [`Service::index`].
    bases: [String; 3],
    /// What its requests carry as `Idempotency-Key`.
    key: Option<String>,
}

impl Front {
    /// A client of a gateway, or of a shop: all services on one port, told apart by a prefix.
    pub fn behind(port: u16) -> Front {
        Front::at(&format!("127.0.0.1:{port}"))
    }

    /// A client of a gateway at any `address:port`.
    pub fn at(address: &str) -> Front {
        let base = |service: Service| format!("http://{address}/{}", service.prefix());
        Front { client: HttpClient::default(), bases: Service::ALL.map(base), key: None }
    }

    /// The same client, with a connection for each request.
    #[must_use]
    pub fn without_keep_alive(self) -> Front {
        Front { client: HttpClient::without_keep_alive(), ..self }
    }

    /// A client of single machines, by [`Service::index`].
    pub fn direct(ports: [u16; 3]) -> Front {
        Front::direct_at(ports.map(|port| format!("127.0.0.1:{port}")))
    }

    /// A client of single machines anywhere, by [`Service::index`].
    pub fn direct_at(addresses: [String; 3]) -> Front {
        Front { client: HttpClient::default(), bases: addresses.map(|address| format!("http://{address}")), key: None }
    }

    /// The same client, with this value of the header `Idempotency-Key` in each of its requests.
    #[must_use]
    pub fn with_key(&self, value: &str) -> Front {
        Front { key: Some(value.to_owned()), ..self.clone() }
    }

    /// The URL under which a service is reached.
    pub fn base(&self, service: Service) -> &str {
        &self.bases[service.index()]
    }

    /// Where to connect to for a service, and what its paths begin with: for [`raw::exchange`].
    pub fn address(&self, service: Service) -> (SocketAddr, String) {
        let rest = self.base(service).trim_start_matches("http://");
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        (host.parse().expect("a base begins with an address"), prefix)
    }

    /// Any request, for what has no method of its own.
    ///
    /// # Errors
    /// There was no answer; whether the request was carried out is unknown.
    pub async fn try_call(&self, method: Method, service: Service, path: &str) -> Result<Answer, NoAnswer> {
        let url = format!("{}{path}", self.base(service));
        let key = self.key.as_deref().map(|key| ("idempotency-key", key));
        let answer = self.client.request_of(method, &url, key.as_slice(), Bytes::new()).await;
        answer.map(Answer::from)
    }

    /// Any request that must be answered, with whatever.
    pub async fn call(&self, method: Method, service: Service, path: &str) -> Answer {
        self.try_call(method, service, path).await.unwrap_or_else(|no| panic!("{}", no.0))
    }

    /// Any request with a body.
    pub async fn call_with(&self, method: Method, service: Service, path: &str, body: Bytes) -> Answer {
        let url = format!("{}{path}", self.base(service));
        let answer = self.client.request_with(method, &url, body).await;
        answer.unwrap_or_else(|no| panic!("{}", no.0)).into()
    }

    /// A request byte by byte: any method, any path, any header fields, any body.
    pub async fn raw(&self, method: &str, service: Service, path: &str, fields: &[&str], body: &[u8]) -> Answer {
        let (server, prefix) = self.address(service);
        let mut request = raw::head(method, &format!("{prefix}{path}"), fields).into_bytes();
        request.extend_from_slice(body);
        raw::exchange(server, &request).await.into()
    }

    pub(super) async fn get(&self, service: Service, path: String) -> Answer {
        self.call(Method::GET, service, &path).await
    }

    pub(super) async fn post(&self, service: Service, path: String) -> Answer {
        self.call(Method::POST, service, &path).await
    }

    pub(super) async fn delete(&self, service: Service, path: String) -> Answer {
        self.call(Method::DELETE, service, &path).await
    }
}
