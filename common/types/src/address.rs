//! Addresses of Redis servers.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Where a Redis server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `host:port`.
    Tcp(String, u16),
    /// `unix:/path/to.sock`.
    Unix(String),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Address::Unix(path.to_owned()))
            } else {
                Err("unix: wants an absolute path".to_owned())
            };
        }
        let parsed =
            text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port > 0)?)));
        match parsed {
            Some((host, port)) if is_host(host.trim_matches(['[', ']'])) => {
                Ok(Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port))
            }
            // Never what was given: somebody may have put a password into it.
            _ => Err("expected host:port or unix:/path, comma-separated, in shard order; a password is set apart, as REDIS_PASSWORD".to_owned()),
        }
    }
}

/// A name or an IP address: what has colons is an IPv6 address or more than a host.
fn is_host(host: &str) -> bool {
    !host.is_empty() && !host.contains([' ', '/', '@']) && (!host.contains(':') || host.parse::<Ipv6Addr>().is_ok())
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) => write!(formatter, "{host}:{port}"),
            Address::Unix(path) => write!(formatter, "unix:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port_or_a_socket() {
        assert_eq!("redis-0:6379".parse(), Ok(Address::Tcp("redis-0".to_owned(), 6379)));
        assert_eq!("[::1]:6379".parse(), Ok(Address::Tcp("::1".to_owned(), 6379)));
        assert_eq!("unix:/tmp/a.sock".parse(), Ok(Address::Unix("/tmp/a.sock".to_owned())));
        for bad in
            ["", "redis", "redis:", "redis:0", "redis:99999", ":6379", "unix:a.sock", "user@host:1", "user:pass:1"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
