//! Loopback addresses that no other test uses.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below this, only root may listen.
const PRIVILEGED: u64 = 1024;
/// Where servers that have nothing to do with the tests may listen, on all addresses.
const POPULAR: u64 = 8000;

/// The port that stands here for a port of a pod or of a Service.
pub fn port_here(port: u64) -> u64 {
    if port < PRIVILEGED || port == POPULAR { port + 10_000 } else { port }
}

/// Who listens here on the first address of a range owns all of it.
const LOCK: u16 = 10_001;

/// The addresses 127.a.b.2 to 127.a.b.254.
#[derive(Debug)]
pub struct Addresses {
    range: String,
    given: AtomicU32,
    _lock: TcpListener,
}

impl Default for Addresses {
    fn default() -> Addresses {
        let random = RandomState::new();
        for attempt in 0..1000 {
            let draw = random.hash_one(attempt);
            let range = format!("127.{}.{}", 16 + draw % 200, draw / 256 % 256);
            if let Ok(lock) = TcpListener::bind((format!("{range}.1").as_str(), LOCK)) {
                return Addresses { range, given: AtomicU32::new(2), _lock: lock };
            }
        }
        panic!("no free range of loopback addresses found");
    }
}

impl Addresses {
    /// An address that was not given before.
    ///
    /// # Panics
    /// When all have been given.
    pub fn next(&self) -> String {
        let last = self.given.fetch_add(1, Ordering::Relaxed);
        assert!(last < 255, "a cluster of the tests has 253 addresses");
        format!("{}.{last}", self.range)
    }
}
