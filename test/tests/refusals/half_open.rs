//! Clients that begin a request and never finish it: they hold nobody up, and are sent away.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use shardcart_harness::{Cluster, ClusterOptions, Front, Service, Settings, Shop, ShopOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a client may take to send the head of a request, here: long enough to open them all.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Raises the limit of open files as far as allowed, also for processes that are started later,
/// and returns how many connections a test may open.
fn connections_allowed(wanted: u64) -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a process may read its limits");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("a process may use its limits");
    let allowed = wanted.min(hard.saturating_sub(1_000));
    assert!(allowed >= 2_000, "at most {hard} open files allowed: too few for this test");
    usize::try_from(allowed).expect("thousands fit into a usize")
}

/// Opens a connection and sends half of a request.
async fn half_open(server: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.expect("the server accepts connections");
    let half = b"POST /orders/create/someone HTTP/1.1\r\nHost: shop\r\nX-More: to co";
    stream.write_all(half).await.expect("an open connection takes bytes");
    stream
}

/// Reads until the server closes the connection, whatever it says before.
async fn is_closed(mut stream: TcpStream) {
    let mut part = [0; 1024];
    while let Ok(1..) = stream.read(&mut part).await {}
}

async fn others_are_served_meanwhile(front: &Front, server: SocketAddr, count: usize) {
    let start = Instant::now();
    let open: Vec<TcpStream> = stream::iter(0..count).map(|_| half_open(server)).buffer_unordered(256).collect().await;
    assert!(start.elapsed() < CLIENT_TIMEOUT, "this machine is too slow to hold {count} open");

    let (user, item) = (front.user_with(100).await, front.item_with(100, 1).await);
    for left in (0..10).rev() {
        let order = front.order_of(&user, &[(&item, 1)]).await;
        front.checkout(&order).await.ok();
        assert_eq!(front.stock_of(&item).await, 90 + left);
    }
    let still_open =
        |stream: &&TcpStream| matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    let alive = open.iter().filter(still_open).count();
    assert_eq!(alive, count, "were open all the while (it took {:?})", start.elapsed());

    let closed = futures_util::future::join_all(open.into_iter().map(is_closed));
    let bound = CLIENT_TIMEOUT * 2;
    tokio::time::timeout(bound, closed).await.expect("the server closes what is never finished");
    front.create_user().await.ok();
}

fn settings() -> Settings {
    Settings::none().with("CLIENT_TIMEOUT_MS", CLIENT_TIMEOUT.as_millis())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_serves_others_while_10000_clients_never_finish_and_closes_these() {
    let count = connections_allowed(10_000);
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: settings() }).await;
    let (server, _) = shop.front().address(Service::Order);
    others_are_served_meanwhile(&shop.front(), server, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_serves_others_while_2000_clients_never_finish_and_closes_these() {
    let count = connections_allowed(2_000);
    let options = ClusterOptions { machines: 1, shards: 1, settings: settings() };
    let cluster = Cluster::start_with(options).await;
    let (server, _) = cluster.direct(0).address(Service::Order);
    others_are_served_meanwhile(&cluster.front(), server, count).await;
}
