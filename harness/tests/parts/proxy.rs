//! The proxy of a cluster does what the shipped gateway does.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use shardcart_harness::http::raw;
use shardcart_harness::network::ports;
use shardcart_harness::network::proxy::Proxy;
use shardcart_harness::{Front, Service, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A machine that answers with what it was asked: method, path, body length. It says of a request with a key that it is
/// a replay.
async fn echo() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("connections can be accepted");
            let count = Arc::clone(&count);
            let answer = move |request: Request<Incoming>| {
                let count = Arc::clone(&count);
                async move {
                    let path = request.uri().path_and_query().expect("a path").to_string();
                    let method = request.method().clone();
                    let trace = request.headers().get("traceparent").cloned();
                    let key = request.headers().get("idempotency-key").cloned();
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    if !path.starts_with("/health") {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    let text = format!("{method} {path} {} {trace:?}", body.len());
                    let mut answer = Response::new(Full::<Bytes>::from(text));
                    if let Some(key) = key {
                        answer.headers_mut().insert("idempotency-replayed", key);
                    }
                    Ok::<_, Infallible>(answer)
                }
            };
            let serve = hyper::server::conn::http1::Builder::new();
            tokio::spawn(serve.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    (port, asked)
}

/// A machine that says it is ready, and breaks the connection instead of answering anything else.
async fn broken() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("some port is free");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("connections can be accepted");
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.expect("a request can be read");
                if request[..length].starts_with(b"GET /health/ready ") {
                    let ready = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    stream.write_all(ready).await.expect("an answer can be written");
                }
            });
        }
    });
    port
}

fn proxy(machines: &[u16]) -> (Proxy, Front) {
    let port = ports::free();
    let proxy = Proxy::start(port, [machines.to_vec(), machines.to_vec(), machines.to_vec()]);
    (proxy, Front::behind(port))
}

async fn is_up(front: &Front) {
    eventually("the proxy listens", Duration::from_secs(5), async || {
        front.try_call(Method::GET, Service::Stock, "/up").await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_spreads_a_thousand_requests_at_once() {
    let ((one, one_asked), (two, two_asked)) = (echo().await, echo().await);
    let (_proxy, front) = proxy(&[one, two]);
    is_up(&front).await;
    let before = one_asked.load(Ordering::Relaxed) + two_asked.load(Ordering::Relaxed);
    let statuses = front
        .at_once(0..1000, |front, number| async move {
            front.call(Method::POST, Service::Stock, &format!("/add/{number}/1")).await.status
        })
        .await;
    assert_eq!(statuses, [200; 1000]);
    let (one, two) = (one_asked.load(Ordering::Relaxed), two_asked.load(Ordering::Relaxed));
    assert_eq!(one + two - before, 1000);
    // Not to the unit: a machine that is slow to say that it is ready is left out for a moment.
    assert!(one.min(two) >= 250, "{one} and {two}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_passes_paths_queries_and_bodies_unchanged() {
    let (machine, _) = echo().await;
    let (_proxy, front) = proxy(&[machine]);
    is_up(&front).await;
    let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for path in ["/find/%2F%00%ff?items=flat&x=%20", "/a//b/../c/./%2e%2e", "/find/%zz"] {
        let fields = ["Content-Length: 5", trace];
        let answer = front.raw("DELETE", Service::Order, path, &fields, b"hello").await;
        let expected = format!("DELETE {path} 5 Some(\"{}\")", &trace[13..]);
        assert_eq!(answer.http.text, expected);
    }
    let (server, _) = front.address(Service::Order);
    let elsewhere = raw::exchange(server, raw::head("GET", "/elsewhere", &[]).as_bytes()).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_repeats_on_the_next_machine_only_what_may_be_repeated() {
    let ((machine, _), broken) = (echo().await, broken().await);
    let (_proxy, front) = proxy(&[broken, machine]);
    is_up(&front).await;
    let keyed = front.with_key("\"once\"");
    let mut others = Vec::new();
    // Kind by kind: the machines take turns, so each kind meets both.
    for _ in 0..10 {
        assert_eq!(front.checkout_once("1").await.status, 200);
    }
    for _ in 0..10 {
        assert_eq!(front.find_order("1").await.status, 200);
    }
    for _ in 0..10 {
        let answer = keyed.create_order("1").await;
        assert_eq!(answer.status, 200, "what has a key may be repeated: {answer:?}");
        assert_eq!(answer.http.header("idempotency-replayed"), Some("\"once\""), "keys and replays are passed on");
    }
    for _ in 0..10 {
        others.push(front.create_order("1").await.status);
    }
    assert!(others.contains(&502) && others.iter().all(|status| [200, 502].contains(status)), "{others:?}");

    let (_proxy, front) = proxy(&[ports::free(), machine]);
    is_up(&front).await;
    for _ in 0..10 {
        let answer = front.call(Method::POST, Service::Order, "/create/1").await;
        assert_eq!(answer.status, 200, "what never reached a machine may always be repeated");
    }
}
