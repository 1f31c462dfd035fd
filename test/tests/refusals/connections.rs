//! What a connection may do: no client holds one without end, fills the machine, its memory or its log.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shardcart_harness::http::raw;
use shardcart_harness::{Service, Settings, Shop, ShopOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const CLIENT_TIMEOUT: Duration = Duration::from_secs(1);
/// Until when what takes too long has to have ended: sweeps are coarse, and this machine may be busy.
const ENDED: Duration = Duration::from_secs(6);
const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: shop\r\n\r\n";

async fn shop(settings: Settings) -> (Shop, SocketAddr) {
    let settings = settings.with("CLIENT_TIMEOUT_MS", CLIENT_TIMEOUT.as_millis());
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let (server, _) = shop.front().address(Service::Order);
    (shop, server)
}

async fn open(server: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.expect("the server accepts connections");
    stream.write_all(bytes).await.expect("an open connection takes bytes");
    stream
}

/// Reads until so much text has come.
async fn answer(stream: &mut TcpStream, until: &str) -> String {
    let mut text = String::new();
    let read = async {
        let mut part = [0; 4096];
        while !text.contains(until) {
            let length = stream.read(&mut part).await.expect("an answer");
            assert!(length > 0, "closed after {text:?}");
            text.push_str(&String::from_utf8_lossy(&part[..length]));
        }
    };
    tokio::time::timeout(ENDED, read).await.expect("an answer in time");
    text
}

/// Reads until the server closes the connection; what it said before.
async fn is_closed(stream: &mut TcpStream, what: &str) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(ENDED, stream.read_to_end(&mut said)).await;
    assert!(read.is_ok(), "still open: {what}");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_client_does_not_finish_is_ended_in_time() {
    let (_shop, server) = shop(Settings::none()).await;
    let head = |fields: &str| format!("POST /stock/item/create/1 HTTP/1.1\r\nHost: shop\r\n{fields}\r\n");
    let live = String::from_utf8_lossy(LIVE).into_owned();
    let form = "POST /console/login HTTP/1.1\r\nHost: evil.example\r\n";
    let unfinished = [
        ("half a head".to_owned(), "GET / HT".to_owned()),
        ("half a second head in one piece".to_owned(), format!("{live}GET / HT")),
        ("half a head behind a body".to_owned(), format!("{}{{}}GET / HT", head("Content-Length: 2\r\n"))),
        ("chunks that do not come".to_owned(), head("Transfer-Encoding: chunked\r\n")),
        ("a length that does not come".to_owned(), head("Content-Length: 100\r\n")),
        ("a body over the limit that does not come".to_owned(), head("Content-Length: 9999999\r\n")),
        ("a form in chunks".to_owned(), format!("{form}Transfer-Encoding: chunked\r\n\r\n")),
        ("a form with a length".to_owned(), format!("{form}Content-Length: 100\r\n\r\n")),
    ];
    let begun = Instant::now();
    join_all(unfinished.iter().map(async |(what, bytes)| {
        is_closed(&mut open(server, bytes.as_bytes()).await, what).await;
    }))
    .await;
    assert!(begun.elapsed() >= CLIENT_TIMEOUT);

    let mut stream = open(server, LIVE).await;
    answer(&mut stream, "true}").await;
    stream.write_all(b"GET / HT").await.expect("an open connection takes bytes");
    is_closed(&mut stream, "half a second head in a piece of its own").await;

    let mut stream = open(server, head("Transfer-Encoding: chunked\r\n").as_bytes()).await;
    stream.write_all(format!("11170\r\n{}", "x".repeat(70_000)).as_bytes()).await.expect("it reads");
    assert!(answer(&mut stream, "too_large").await.contains("413"));
    is_closed(&mut stream, "a chunked body over the limit that does not end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_stays_open_whatever_its_last_request_was() {
    let (_shop, server) = shop(Settings::none()).await;
    let with =
        |fields: &str, body: &str| format!("POST /payment/create_user HTTP/1.1\r\nHost: shop\r\n{fields}\r\n{body}");
    let requests = [
        with("", ""),
        with("Content-Length: 0\r\n", ""),
        with("Content-Length: 2\r\n", "{}"),
        with("Content-Length: 4\r\n", "null"),
        with("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    ];
    join_all(requests.iter().map(async |request| {
        let mut stream = open(server, request.as_bytes()).await;
        answer(&mut stream, "user_id").await;
        tokio::time::sleep(CLIENT_TIMEOUT * 3).await;
        stream.write_all(request.as_bytes()).await.expect("it is open");
        answer(&mut stream, "user_id").await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_sends_nothing_is_idle_and_gets_no_answer() {
    let (_shop, server) = shop(Settings::none()).await;
    let mut stream = open(server, b"").await;
    tokio::time::sleep(CLIENT_TIMEOUT * 3).await;
    stream.write_all(LIVE).await.expect("it is open");
    assert!(answer(&mut stream, "true}").await.starts_with("HTTP/1.1 200"), "the first answer is that of the request");

    let (_shop, server) = shop(Settings::none().with("KEEP_ALIVE_S", 1)).await;
    for (what, bytes) in [("nothing", ""), ("half a head", "GET / HT")] {
        let mut stream = open(server, bytes.as_bytes()).await;
        assert_eq!(is_closed(&mut stream, what).await, "", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_full_of_half_requests_serves_others_and_is_healthy() {
    const FULL: usize = 50;
    let (shop, server) = shop(Settings::none().with("CONNECTIONS_MAX", FULL).with("WORKERS", 1)).await;
    let mut half = Vec::new();
    for _ in 0..FULL * 3 {
        let mut stream = open(server, LIVE).await;
        // Some have been ended to make room for the others.
        let _ = stream.write_all(b"GET / HT").await;
        half.push(stream);
    }
    let begun = Instant::now();
    answer(&mut open(server, LIVE).await, "true}").await;
    shop.front().create_user().await.ok();
    assert!(begun.elapsed() < CLIENT_TIMEOUT, "there is room at once: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_that_do_not_come_neither_keep_others_out_nor_hold_up_a_stop() {
    const FULL: usize = 5;
    let (mut shop, server) = shop(Settings::none().with("REQUESTS_MAX", FULL)).await;
    let form = b"POST /console/login HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n";
    let _open = join_all((0..FULL * 2).map(|_| open(server, form))).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    shop.front().create_user().await.ok();
    let begun = Instant::now();
    shop.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "a stop took {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_and_does_not_read_is_not_read_on_and_ended() {
    let (mut shop, server) = shop(Settings::none()).await;
    let before = memory_kib(&mut shop);
    // Large answers, and little room for them: it is soon that nothing more can be written.
    let requests = b"GET /console/console.js HTTP/1.1\r\nHost: shop\r\n\r\n".repeat(2_000);
    let sent = join_all((0..20).map(async |_| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("it can be set");
        let mut stream = socket.connect(server).await.expect("the server accepts connections");
        let mut sent = 0;
        let send = async {
            while let Ok(length) = stream.write(&requests).await {
                sent += length;
            }
        };
        assert!(tokio::time::timeout(ENDED * 3, send).await.is_ok(), "is ended");
        sent
    }))
    .await;
    let grown = memory_kib(&mut shop).saturating_sub(before);
    assert!(grown < 60 * 1024, "20 clients that sent {sent:?} bytes took {grown} KiB");
    shop.front().create_user().await.ok();
}

/// The most memory that the shop has had.
fn memory_kib(shop: &mut Shop) -> u64 {
    let pid = shop.process().pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_requests_do_not_fill_the_log() {
    let (mut shop, server) = shop(Settings::none()).await;
    let before = shop.process().stderr().len();
    for _ in 0..200 {
        let refused = raw::exchange(server, b"this is no HTTP\r\n\r\n").await;
        assert_eq!(refused.status, 400);
    }
    let log = shop.process().stderr();
    let lines = log[before..].lines().count();
    assert!(log.contains("are left out"), "it is said: {log}");
    assert!(lines < 100, "{lines} lines");
}
