//! `<service> health`: asks the machine that runs beside it whether it is ready, for containers without a shell.

use std::io::{Error, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// How long connecting, writing and each part of the answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than the answer can be.
const ANSWER_MAX: u64 = 64 * 1024;

/// The exit code of the probe if the first argument asks for it: 0 when the machine at `BIND` and `PORT` is ready,
/// 1 otherwise. `None` when the program was started for something else.
pub fn asked(port: u16) -> Option<ExitCode> {
    if std::env::args().nth(1).as_deref() != Some("health") {
        return None;
    }
    let everywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let bind = Some(setting("BIND").unwrap_or(everywhere)).filter(|bind| !bind.is_unspecified());
    let host = bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Some(match ready(SocketAddr::new(host, setting("PORT").unwrap_or(port))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("not ready: {error}");
            ExitCode::FAILURE
        }
    })
}

fn setting<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

fn ready(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: machine\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(Error::other(answer.lines().last().unwrap_or("an empty answer").to_owned()))
}
