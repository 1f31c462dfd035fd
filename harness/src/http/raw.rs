//! Requests byte by byte, for what no well-behaved client sends.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::HttpAnswer;

/// How long an exchange may take.
const EXCHANGE: Duration = Duration::from_secs(30);

/// Sends these bytes on a connection of their own and reads the answer until the server closes it.
///
/// A server may answer before it has read everything, and then close: what comes back counts, and
/// that the rest of the request could not be written does not.
///
/// # Panics
/// When nothing that looks like an answer comes within half a minute.
pub async fn exchange(server: SocketAddr, request: &[u8]) -> HttpAnswer {
    let mut received = Vec::new();
    let talk = async {
        let mut stream = TcpStream::connect(server).await.expect("the server accepts connections");
        let (mut reader, mut writer) = stream.split();
        let write = async { writer.write_all(request).await };
        let read = async {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut part).await {
                received.extend_from_slice(&part[..length]);
            }
        };
        let _ = tokio::join!(write, read);
    };
    let finished = tokio::time::timeout(EXCHANGE, talk).await.is_ok();
    let text = String::from_utf8_lossy(&received);
    parse(&text).unwrap_or_else(|| panic!("no answer (connection closed: {finished}): {text:?}"))
}

/// A request line and header fields, ready to be sent on a connection of its own.
pub fn head(method: &str, path: &str, fields: &[&str]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n");
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head
}

/// Requests that never end, each on a connection of its own: as long as these are kept, so many are in flight.
///
/// # Panics
/// When nobody listens on the port.
pub async fn requests_without_end(port: u16, count: usize) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..count {
        // A body that is announced and does not come.
        let head = b"POST /payment/create_user HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.expect("it listens");
        stream.write_all(head).await.expect("it reads");
        open.push(stream);
    }
    open
}

fn parse(text: &str) -> Option<HttpAnswer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    // Answers of this API are one chunk, if they are chunked at all.
    let body = match headers.get("transfer-encoding") {
        Some(_) => body.split("\r\n").nth(1)?,
        None => body,
    };
    Some(HttpAnswer { status, headers, text: body.to_owned() })
}
