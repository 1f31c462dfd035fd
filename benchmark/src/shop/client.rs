//! One client: one keep-alive connection, one request at a time, buffers that are used again.

use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shop::http::{self, Malformed};

/// Where the shop listens: plain HTTP, and nothing after the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host and port as a `Host` header and a socket address name them.
    authority: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("must begin with http://")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
            return Err("must be http://host:port and no more".to_owned());
        }
        let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let authority = match authority[after_host..].rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some((_, port)) => return Err(format!("{port:?} is not a port")),
            None => format!("{authority}:80"),
        };
        Ok(Self { authority })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "http://{}", self.authority)
    }
}

/// Why a request has no answer. But for `Connect`, the server may have done what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection to send the request on: nothing was asked.
    #[error("could not connect: {0}")]
    Connect(std::io::Error),
    /// The connection was closed before the answer began.
    #[error("connection closed")]
    Closed,
    /// The connection broke.
    #[error("connection broken: {0}")]
    Broken(std::io::Error),
    /// Nothing, or not everything, came in time.
    #[error("timed out")]
    Timeout,
    /// What came is not HTTP.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body, chunks put together.
    pub body: &'a [u8],
}

/// A client with a connection of its own, opened again when it is lost.
#[derive(Debug)]
pub struct Client {
    target: Target,
    timeout: Duration,
    stream: Option<TcpStream>,
    request: String,
    received: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    /// A client that opens its connection with its first request. `timeout` bounds each request, from the first byte sent
    /// (or the connection asked for) to the last byte of the answer.
    pub fn new(target: &Target, timeout: Duration) -> Self {
        Self {
            target: target.clone(),
            timeout,
            stream: None,
            // Small, because there may be 15,000 of them; what is longer makes its buffer grow.
            request: String::with_capacity(192),
            received: Vec::with_capacity(1024),
            body: Vec::with_capacity(128),
        }
    }

    /// A client that is connected.
    ///
    /// # Errors
    /// `Connect`, `Timeout`.
    #[cfg(test)]
    pub async fn connect(target: &Target, timeout: Duration) -> Result<Self, NoAnswer> {
        let mut client = Self::new(target, timeout);
        let opened = tokio::time::timeout(timeout, client.open()).await;
        client.stream = Some(opened.map_err(|_| NoAnswer::Timeout)??);
        Ok(client)
    }

    /// Changes how long each later request may take.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sends one request without a body and waits for the whole answer. Never repeats a request.
    ///
    /// # Errors
    /// See [`NoAnswer`]. The next request opens a new connection.
    pub async fn ask(&mut self, method: &str, path: &str) -> Result<Answer<'_>, NoAnswer> {
        http::write_request(&mut self.request, method, path, &self.target.authority);
        let exchanged = tokio::time::timeout(self.timeout, self.exchange()).await;
        let status = exchanged.unwrap_or(Err(NoAnswer::Timeout))?;
        Ok(Answer { status, body: &self.body })
    }

    async fn open(&self) -> Result<TcpStream, NoAnswer> {
        let stream = TcpStream::connect(&self.target.authority).await.map_err(NoAnswer::Connect)?;
        stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
        Ok(stream)
    }

    /// The connection is taken out while it is in use, so that whatever cuts this short (a timeout drops it
    /// anywhere) leaves none behind that might still bring this answer to a later request.
    async fn exchange(&mut self) -> Result<u16, NoAnswer> {
        // One that was given up is closed before another is opened: ten thousand clients have no file descriptors to spare.
        let mut stream = match self.stream.take().filter(quiet) {
            Some(stream) => stream,
            None => self.open().await?,
        };
        self.received.clear();
        stream.write_all(self.request.as_bytes()).await.map_err(NoAnswer::Broken)?;
        loop {
            let read = stream.read_buf(&mut self.received).await.map_err(NoAnswer::Broken)?;
            if read == 0 && self.received.is_empty() {
                return Err(NoAnswer::Closed);
            }
            if let Some(answer) = http::parse(&self.received, read == 0, &mut self.body)? {
                // Bytes after the answer are no answer of ours: the next request gets a new connection.
                if answer.keep_alive && answer.length == self.received.len() {
                    self.stream = Some(stream);
                }
                return Ok(answer.status);
            }
        }
    }
}

/// Whether a connection waits for a request. One on which something has come meanwhile was given up by the server, which
/// says so (408) or closes it. This costs a system call only if something has come.
fn quiet(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    /// A server that plays one script a connection: for each request, the pieces to answer with, sent apart.
    /// After its script it closes the connection; after the last script it stops listening.
    async fn server(scripts: Vec<Vec<Vec<&'static str>>>) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            for script in scripts {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                for pieces in script {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                    }
                    for piece in pieces {
                        stream.write_all(piece.as_bytes()).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
        });
        target
    }

    async fn client(target: &Target) -> Client {
        Client::connect(target, Duration::from_millis(500)).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_is_used_again() {
        let target =
            server(vec![vec![vec![OK], vec!["HTTP/1.1 409 C", "onflict\r\nconte", "nt-length: 1\r\n\r\n", "x"]]]).await;
        let mut client = client(&target).await;
        assert_eq!(client.ask("GET", "/").await.unwrap().body, b"ok");
        let answer = client.ask("GET", "/").await.unwrap();
        assert_eq!((answer.status, answer.body), (409, b"x".as_slice()));
    }

    #[tokio::test]
    async fn a_connection_that_the_server_closes_is_opened_again() {
        let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let target = server(vec![vec![vec![close]], vec![vec![OK]]]).await;
        let mut client = client(&target).await;
        assert_eq!(client.ask("GET", "/").await.unwrap().status, 200);
        assert_eq!(client.ask("GET", "/").await.unwrap().body, b"ok");
    }

    #[tokio::test]
    async fn a_connection_that_the_server_gave_up_while_it_was_idle_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut client = Client::connect(&target, Duration::from_secs(10)).await.unwrap();
        let (mut first, _) = listener.accept().await.unwrap();
        first.write_all(b"HTTP/1.1 408 X\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        drop(first);
        // Until the client's side has heard of it.
        client.stream.as_ref().unwrap().readable().await.unwrap();
        let serve = async {
            let (mut second, _) = listener.accept().await.unwrap();
            second.write_all(OK.as_bytes()).await.unwrap();
            second
        };
        let (answer, _second) = tokio::join!(client.ask("GET", "/"), serve);
        assert_eq!(answer.unwrap().body, b"ok");
    }

    #[tokio::test]
    async fn a_request_without_an_answer_is_not_repeated() {
        let target = server(vec![vec![vec![]], vec![vec![OK]]]).await;
        let mut client = client(&target).await;
        assert!(matches!(client.ask("GET", "/").await, Err(NoAnswer::Closed)));
        assert_eq!(client.ask("GET", "/").await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn an_answer_that_comes_too_late_is_never_read_for_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut client = Client::connect(&target, Duration::from_millis(30)).await.unwrap();
        let (mut first, _) = listener.accept().await.unwrap();
        assert!(matches!(client.ask("GET", "/").await, Err(NoAnswer::Timeout)));

        let _ = first.write_all(OK.as_bytes()).await;
        assert!(matches!(client.ask("GET", "/").await, Err(NoAnswer::Timeout)));
    }

    #[tokio::test]
    async fn a_stopped_server_is_told_from_a_silent_one() {
        let target = server(vec![]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let refused = Client::connect(&target, Duration::from_secs(1)).await;
        assert!(matches!(refused, Err(NoAnswer::Connect(_))), "{refused:?}");
    }

    #[test]
    fn a_target_is_a_host_and_a_port() {
        let shown = |url: &str| url.parse::<Target>().map(|target| target.to_string());
        assert_eq!(shown("http://localhost:8000").unwrap(), "http://localhost:8000");
        assert_eq!(shown("http://shop/").unwrap(), "http://shop:80");
        assert_eq!(shown("http://[::1]").unwrap(), "http://[::1]:80");
        assert_eq!(shown("http://[::1]:81").unwrap(), "http://[::1]:81");
        for wrong in ["localhost:8000", "https://x", "http://", "http://x/orders", "http://x:port", "http://x:70000"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
