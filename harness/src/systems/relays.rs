//! The network of a cluster: relays between the services, and between services and their shards.

use futures_util::future::join_all;

use crate::network::messages::MessageRelay;
use crate::network::relay::Relay;
use crate::redis::RedisServer;
use crate::service::Service;

/// Two relays one behind the other, in front of an internal port: the wire, and the messages on it.
#[derive(Debug)]
pub struct Link {
    /// The bytes.
    pub wire: Relay,
    /// The messages.
    pub messages: MessageRelay,
}

/// The relays of a cluster.
#[derive(Debug)]
pub struct Network {
    shards: [Vec<Relay>; 3],
    links: [Vec<Link>; 3],
}

impl Network {
    /// Puts a relay in front of every shard and every internal port, which are by [`Service::index`].
    pub async fn before(shards: &[Vec<RedisServer>; 3], internal_ports: [Vec<u16>; 3]) -> Network {
        let shards = shards.each_ref().map(|shards| shards.iter().map(RedisServer::port).map(Relay::start));
        let links = internal_ports.map(|ports| ports.into_iter().map(link));
        Network { shards: each(shards.map(join_all)).await, links: each(links.map(join_all)).await }
    }

    /// The relay in front of a shard.
    pub fn shard(&self, service: Service, shard: usize) -> &Relay {
        &self.shards[service.index()][shard]
    }

    /// The relays in front of a machine's internal port.
    pub fn link(&self, service: Service, machine: usize) -> &Link {
        &self.links[service.index()][machine]
    }

    /// All relays in front of the internal ports of a service.
    pub fn links(&self, service: Service) -> &[Link] {
        &self.links[service.index()]
    }

    /// Lets everything through from now on.
    pub fn pass(&self) {
        self.shards.iter().flatten().for_each(Relay::pass);
        for link in self.links.iter().flatten() {
            link.wire.pass();
            link.messages.pass();
        }
    }

    /// The addresses under which machines reach the shards of a service.
    pub(crate) fn shard_addresses(&self, service: Service) -> Vec<String> {
        self.shards[service.index()].iter().map(|relay| format!("127.0.0.1:{}", relay.port())).collect()
    }

    /// The ports at which machines reach the internal ports of a service.
    pub(crate) fn internal_ports(&self, service: Service) -> Vec<u16> {
        self.links[service.index()].iter().map(|link| link.wire.port()).collect()
    }
}

async fn link(target: u16) -> Link {
    let messages = MessageRelay::start(target).await;
    Link { wire: Relay::start(messages.port()).await, messages }
}

async fn each<T>(all: [impl Future<Output = T>; 3]) -> [T; 3] {
    let [order, stock, payment] = all;
    [order.await, stock.await, payment.await]
}
