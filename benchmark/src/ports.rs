//! Free TCP ports for the systems that are started here.

use std::collections::BTreeSet;
use std::net::TcpListener;

/// How often another port is tried.
const TRIES_MAX: u32 = 10_000;

/// Gives each port once.
#[derive(Debug, Default)]
pub struct Ports(BTreeSet<u16>);

impl Ports {
    /// A port on which nobody listens.
    ///
    /// It lies below those that the kernel gives to outgoing connections: with ten thousand clients one of them would
    /// sooner or later sit on a port that a server is about to take.
    ///
    /// # Errors
    /// None was found.
    pub fn free(&mut self) -> Result<u16, String> {
        for _ in 0..TRIES_MAX {
            let port = fastrand::u16(12_000..32_000);
            if !self.0.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
                self.0.insert(port);
                return Ok(port);
            }
        }
        Err("no free TCP port was found on 127.0.0.1".to_owned())
    }
}
