//! What real clients send, byte by byte and by the clients themselves: each is answered, and its connection stays of
//! use.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use hyper::Method;
use shardcart_harness::http::raw;
use shardcart_harness::{Front, Service, Settings, Shop, ShopOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(60);

/// A first request as each client sends it, and whether its connection is to stay open.
const FIRST: &[(&str, &str, bool)] = &[
    (
        "the JDK's HttpClient",
        "POST /payment/create_user HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 0\r\n\
         Host: HOST\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n\
         User-Agent: Java-http-client/17.0.12\r\n\r\n",
        true,
    ),
    (
        "curl --http2",
        "POST /payment/create_user HTTP/1.1\r\nHost: HOST\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\
         Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
        true,
    ),
    (
        "a browser that wants a web socket",
        "POST /payment/create_user HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        true,
    ),
    (
        "Python's requests",
        "POST /payment/create_user HTTP/1.1\r\nHost: HOST\r\nUser-Agent: python-requests/2.31.0\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        true,
    ),
    (
        "aiohttp",
        "POST /payment/create_user HTTP/1.1\r\nHost: HOST\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\
         User-Agent: Python/3.11 aiohttp/3.9.1\r\nContent-Length: 0\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        true,
    ),
    (
        "aiohttp with an empty object",
        "POST /payment/create_user HTTP/1.1\r\nHost: HOST\r\nAccept: */*\r\nContent-Length: 2\r\n\
         Content-Type: application/json\r\n\r\n{}",
        true,
    ),
    (
        "Node's fetch",
        "POST /payment/create_user HTTP/1.1\r\nhost: HOST\r\nconnection: keep-alive\r\naccept: */*\r\n\
         accept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate\r\n\
         content-length: 0\r\n\r\n",
        true,
    ),
    (
        "nginx to an upstream, by default",
        "POST /payment/create_user HTTP/1.0\r\nHost: shop\r\nConnection: close\r\nUser-Agent: curl/7.88.1\r\n\
         Accept: */*\r\n\r\n",
        false,
    ),
    ("a client of 1996", "POST /payment/create_user HTTP/1.0\r\n\r\n", false),
];

async fn shop() -> (Shop, SocketAddr) {
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: Settings::none() }).await;
    let (server, _) = shop.front().address(Service::Order);
    (shop, server)
}

/// Reads one answer with a body; its head.
async fn answer(stream: &mut TcpStream, who: &str) -> String {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !text.ends_with("\"}") {
        let length = stream.read(&mut part).await.expect("an answer");
        assert!(length > 0, "{who}: closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&part[..length]));
    }
    assert!(text.contains("user_id"), "{who}: {text}");
    text.to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_every_client_is_answered_and_its_connection_stays_of_use() {
    let (_shop, server) = shop().await;
    for (who, request, stays) in FIRST {
        let request = request.replace("HOST", &server.to_string());
        let mut stream = TcpStream::connect(server).await.expect("the server accepts connections");
        for turn in 0..if *stays { 3 } else { 1 } {
            stream.write_all(request.as_bytes()).await.expect("it is open");
            let said = answer(&mut stream, who).await;
            assert!(said.contains(" 200 ok\r\n"), "{who}, request {turn}: {said}");
            assert!(!said.contains("upgrade"), "{who}, request {turn}: {said}");
            assert!(!said.contains("connection: close"), "{who}, request {turn}: {said}");
        }
        if !stays {
            assert_eq!(stream.read(&mut [0; 16]).await.expect("its end"), 0, "{who}: closed after the answer");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_asks_to_upgrade_in_pieces_is_told_that_its_connection_closes() {
    let (_shop, server) = shop().await;
    let mut stream = TcpStream::connect(server).await.expect("the server accepts connections");
    stream.set_nodelay(true).expect("it can be set");
    for piece in ["POST /payment/create_user HTTP/1.1\r\nHost: shop\r\nConne", "ction: Upgrade\r\nUpgrade: h2c\r\n\r\n"]
    {
        stream.write_all(piece.as_bytes()).await.expect("it is open");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(answer(&mut stream, "in pieces").await.contains("connection: close"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_answered_as_get_without_a_body_on_every_route() {
    let (shop, server) = shop().await;
    let front = shop.front();
    let (user, item) = (front.user_with(5).await, front.item_with(5, 1).await);
    let order = front.order_of(&user, &[(&item, 1)]).await;
    for path in [
        "/".to_owned(),
        "/health/live".to_owned(),
        "/health/ready".to_owned(),
        "/metrics".to_owned(),
        "/console".to_owned(),
        "/console/status".to_owned(),
        "/console/events".to_owned(),
        format!("/orders/find/{order}"),
        format!("/stock/find/{item}"),
        format!("/payment/find_user/{user}"),
        format!("/payment/status/{user}/{order}"),
        "/stock/find/none".to_owned(),
    ] {
        let head = raw::exchange(server, raw::head("HEAD", &path, &[]).as_bytes()).await;
        assert_eq!(head.text, "", "{path}");
        let status = if path.ends_with("none") { 404 } else { 200 };
        assert_eq!(head.status, status, "{path}: {head:?}");
        if !path.ends_with("events") {
            let get = raw::exchange(server, raw::head("GET", &path, &[]).as_bytes()).await;
            assert_eq!((get.status, get.header("content-type")), (status, head.header("content-type")), "{path}");
        }
    }
    front.call(Method::HEAD, Service::Order, &format!("/checkout/{order}")).await;
    assert!(!front.is_paid(&order).await, "HEAD does nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_machine_says_what_there_is() {
    let (_shop, server) = shop().await;
    let index = raw::exchange(server, raw::head("GET", "/", &[]).as_bytes()).await;
    assert_eq!(index.status, 200);
    for there in ["shop", "/health/ready", "/console", "docs/use/http-api.md"] {
        assert!(index.text.contains(there), "{there}: {}", index.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_beyond_the_limit_is_431_and_upper_case_ids_are_the_same() {
    let (shop, server) = shop().await;
    let field = format!("X-Long: {}", "x".repeat(140_000));
    assert_eq!(raw::exchange(server, raw::head("GET", "/", &[&field]).as_bytes()).await.status, 431);
    let front = shop.front();
    let item = front.item_with(5, 1).await;
    assert_eq!(front.stock_of(&item.to_uppercase()).await, 5);
    front.add_stock(&item.to_uppercase(), 2).await.ok();
    assert_eq!(front.stock_of(&item).await, 7);
}

/// Runs a client, and returns what it says: how many of its requests failed, or the status.
async fn said(front: &Front, program: &str, arguments: &[&str]) -> String {
    let address = front.address(Service::Payment).0;
    let url = format!("http://{address}/payment/create_user");
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.replace("URL", &url)));
    let run = tokio::task::spawn_blocking(move || command.output());
    let ran = tokio::time::timeout(PATIENCE, run).await.expect("it ends in time").expect("it is run");
    let ran = ran.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    let text = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    assert!(ran.status.success(), "{program}: {text} {}", String::from_utf8_lossy(&ran.stderr));
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_post_of_the_jdks_client_fails() {
    let (shop, _) = shop().await;
    let dir = tempfile::tempdir().expect("a directory");
    let source = dir.path().join("Client.java");
    let program = r#"
import java.net.URI;
import java.net.http.*;
public class Client {
    public static void main(String[] arguments) throws Exception {
        int failed = 0;
        for (int client = 0; client < 50; client++) {
            HttpClient http = HttpClient.newHttpClient();
            for (int turn = 0; turn < 4; turn++) {
                HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                    .POST(HttpRequest.BodyPublishers.noBody()).build();
                try {
                    if (http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode() != 200) failed++;
                } catch (java.io.IOException error) { failed++; }
            }
        }
        System.out.println(failed);
    }
}
"#;
    std::fs::write(&source, program).expect("a file can be written");
    let source = source.to_str().expect("a path of text");
    assert_eq!(said(&shop.front(), "java", &["-Xshare:auto", source, "URL"]).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_post_of_nodes_fetch_fails() {
    let (shop, _) = shop().await;
    let program = "let failed = 0; for (let i = 0; i < 200; i++) { try { \
                   const answer = await fetch('URL', { method: 'POST' }); await answer.json(); \
                   if (answer.status !== 200) failed++ } catch { failed++ } } console.log(failed)";
    assert_eq!(said(&shop.front(), "node", &["--input-type=module", "-e", program]).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_post_of_curl_or_of_python_fails() {
    let (shop, _) = shop().await;
    let curl = ["--http2", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "URL"];
    assert_eq!(said(&shop.front(), "curl", &curl).await, "200");
    let program = "import http.client, urllib.parse\nurl = urllib.parse.urlsplit('URL')\n\
                   connection = http.client.HTTPConnection(url.netloc)\nfailed = 0\nfor _ in range(200):\n\
                   \x20   connection.request('POST', url.path)\n    answer = connection.getresponse()\n\
                   \x20   answer.read()\n    failed += answer.status != 200\nprint(failed)\n";
    assert_eq!(said(&shop.front(), "python3", &["-c", program]).await, "0");
}
