//! Free TCP ports that stay free until somebody listens on them.

use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};

/// Ports are taken in blocks. Who listens on the first port of a block owns the others.
const BLOCK: u16 = 64;
const FIRST: u16 = 10_000;

static OWNED: LazyLock<Mutex<Blocks>> = LazyLock::new(Mutex::default);

/// The blocks of this process, and the ports that nobody was given yet.
#[derive(Default)]
struct Blocks {
    left: Vec<u16>,
    /// Held to the end of the process: keeps other test processes away, whichever run they belong to.
    locks: Vec<TcpListener>,
}

/// A port on which nobody listens, given to one caller of one process only.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections:
/// otherwise one of thousands of clients could sit on it before its server does, or between the
/// death of a server and its restart.
///
/// # Panics
/// When none is found.
pub fn free() -> u16 {
    try_free().unwrap_or_else(|error| panic!("{error}"))
}

/// The same.
///
/// # Errors
/// None is found: a sentence that says so.
pub fn try_free() -> Result<u16, String> {
    let mut owned = OWNED.lock().expect("no holder of this lock panics");
    loop {
        while let Some(port) = owned.left.pop() {
            // What an earlier, killed run left behind may still listen there. StatusQuery by connecting, not by listening:
            // a process that is being started at this moment has a copy of our listener, until its program begins.
            if TcpStream::connect(("127.0.0.1", port)).is_err() {
                return Ok(port);
            }
        }
        let (lock, ports) = block()?;
        owned.locks.push(lock);
        owned.left = ports.collect();
    }
}

fn block() -> Result<(TcpListener, impl Iterator<Item = u16>), String> {
    let blocks = u64::from((outgoing_from().max(FIRST + 1_000) - FIRST) / BLOCK);
    let random = RandomState::new();
    for attempt in 0..10_000 {
        let place = u16::try_from(random.hash_one(attempt) % blocks).expect("there are fewer blocks than ports");
        let first = FIRST + place * BLOCK;
        if let Ok(lock) = TcpListener::bind(("127.0.0.1", first)) {
            return Ok((lock, first + 1..first + BLOCK));
        }
    }
    Err("no free TCP port was found on 127.0.0.1".to_owned())
}

fn outgoing_from() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}
