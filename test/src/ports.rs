//! Free TCP ports that stay free until somebody listens on them.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port on which nobody listens, given to one caller of this process only.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections:
/// otherwise one of thousands of clients could sit on it before its server does, or between the
/// death of a server and its restart.
pub fn free() -> u16 {
    const FIRST: u16 = 10_000;
    let span = u64::from(outgoing_from().max(FIRST + 1_000) - FIRST);
    let random = RandomState::new();
    for attempt in 0..10_000 {
        let port = FIRST + u16::try_from(random.hash_one(attempt) % span).expect("span is below 2^16");
        let fresh = GIVEN.lock().expect("no holder of this lock panics").insert(port);
        if fresh && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free TCP port found on 127.0.0.1");
}

fn outgoing_from() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}
