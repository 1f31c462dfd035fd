//! The console and the commands that look at a system, as an operator meets them.

use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use shardcart_harness::http::{HttpAnswer, HttpClient};
use shardcart_harness::processes::binaries;
use shardcart_harness::processes::settings::Settings;

/// How long an event is waited for: they come every second, and a machine under test may be busy.
const EVENT: Duration = Duration::from_secs(30);
/// The header without which the console does nothing for anybody.
pub const BY_HAND: (&str, &str) = ("x-shardcart-console", "1");

/// A client of a console.
#[derive(Debug)]
pub struct Console {
    client: HttpClient,
    base: String,
}

impl Console {
    /// The console on a port of this machine.
    pub fn on(port: u16) -> Console {
        Console::at(&format!("127.0.0.1:{port}"))
    }

    /// The console at any `address:port`.
    pub fn at(address: &str) -> Console {
        Console { client: HttpClient::default(), base: format!("http://{address}") }
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, fields: &[(&str, &str)], body: &str) -> HttpAnswer {
        let url = format!("{}{path}", self.base);
        let answer = self.client.request_of(method, &url, fields, Bytes::from(body.to_owned())).await;
        answer.unwrap_or_else(|no| panic!("{}", no.0))
    }

    /// A `GET`.
    pub async fn get(&self, path: &str) -> HttpAnswer {
        self.call(Method::GET, path, &[], "").await
    }

    /// Presses "settle now".
    pub async fn settle(&self, order: &str) -> Value {
        let answer = self.call(Method::POST, &format!("/console/settle/{order}"), &[BY_HAND], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Opens the stream of events.
    ///
    /// # Errors
    /// The status, if it is not 200.
    pub async fn events(&self) -> Result<Events, u16> {
        self.events_with(&[]).await
    }

    /// The same with header fields.
    ///
    /// # Errors
    /// The status, if it is not 200.
    pub async fn events_with(&self, fields: &[(&str, &str)]) -> Result<Events, u16> {
        let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("{}/console/events", self.base));
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Empty::new());
        let answer = client.request(request.expect("this is a request")).await.expect("the console answers");
        if answer.status() != 200 {
            return Err(answer.status().as_u16());
        }
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Ok(Events { body: answer.into_body(), text: String::new() })
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    /// The next event with its data; `None` when the stream has ended.
    ///
    /// # Panics
    /// When none comes for half a minute.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name| block.lines().find_map(|line: &str| line.strip_prefix(name));
                let event = field("event: ").zip(field("data: "));
                let event = event.map(|(name, data)| {
                    let data = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
                    (name.to_owned(), data)
                });
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
            }
            let frame = tokio::time::timeout(EVENT, self.body.frame()).await.expect("something comes every second");
            let bytes = frame?.ok()?.into_data().ok()?;
            self.text.push_str(std::str::from_utf8(&bytes).expect("events are text"));
        }
    }

    /// Waits for an event of this name of which `look` gives something.
    ///
    /// # Panics
    /// When the stream ends before, or after a minute.
    pub async fn until<T>(&mut self, name: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let found = async {
            loop {
                let (event, data) = self.next().await.expect("the stream goes on");
                if event == name
                    && let Some(found) = look(&data)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(2 * EVENT, found).await.unwrap_or_else(|_| panic!("no such {name}"))
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Looked {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Looked {
    /// Runs `shop` with these arguments and nothing else in its environment but the settings.
    ///
    /// # Panics
    /// When it ends by a signal.
    pub async fn run(settings: &Settings, arguments: &[&str]) -> Looked {
        let mut command = Command::new(binaries::path("shop"));
        settings.apply(&mut command);
        command.args(arguments).stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await;
        let ended = ended.expect("waiting does not panic").expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Looked {
            code: ended.status.code().expect("the command ends by itself"),
            stdout: text(&ended.stdout),
            stderr: text(&ended.stderr),
        }
    }

    /// What it printed, of a command with `--json`.
    ///
    /// # Panics
    /// When that is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks the exit code, and that each of these is on stdout.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.stdout.contains(word), "no {word:?} in\n{}{}", self.stdout, self.stderr);
        }
    }
}
