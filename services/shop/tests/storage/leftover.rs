//! What start does about servers that still run: waits for ours, refuses those of others.

use std::fs;
use std::mem;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use shardcart_shop::redis_servers::{Fsync, RedisServers};
use shardcart_shop::start_error::StartError;
use tempfile::TempDir;

use crate::support::{
    REDIS, any_runs, fill, foreign_redis, keys, open, remember, remembered, setting, signal, socket, start, temp_dir,
};

/// Servers of a shop that is gone, as they are where the system does not end them with it: their
/// processes, with something remembered by each.
fn leave_behind(dir: &TempDir) -> Vec<u32> {
    let servers = start(dir);
    for server in ["order-0", "stock-0", "payment-0"] {
        remember(dir, server, "left behind");
    }
    let pids = servers.pids();
    mem::forget(servers);
    pids
}

/// Sends a signal a while later, when start is waiting.
fn signal_soon(pid: u32, signal_then: Signal) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(1500));
        assert!(any_runs(&[pid]), "it was not waited for");
        signal(pid, signal_then);
    })
}

#[test]
fn start_takes_over_from_servers_that_were_left_running() {
    let dir = temp_dir();
    let leftovers = leave_behind(&dir);

    let servers = RedisServers::start(&open(&dir), REDIS, Fsync::Always).unwrap();
    assert!(!any_runs(&leftovers));
    for server in ["order-0", "stock-0", "payment-0"] {
        assert_eq!(remembered(&dir, server).as_deref(), Some("left behind"));
        assert_eq!(setting(&socket(&dir, server), "appendfsync"), "always", "of this start");
    }
    servers.stop();
}

#[test]
fn start_waits_for_a_leftover_that_is_slow_to_end() {
    let dir = temp_dir();
    let slow = leave_behind(&dir)[1];
    signal(slow, Signal::SIGSTOP);

    let waker = signal_soon(slow, Signal::SIGCONT);
    let servers = start(&dir);
    waker.join().unwrap();
    assert_eq!(remembered(&dir, "stock-0").as_deref(), Some("left behind"));
    servers.stop();
}

#[test]
fn start_waits_for_a_leftover_whose_socket_is_gone() {
    let dir = temp_dir();
    let unseen = leave_behind(&dir)[1];
    fs::remove_file(socket(&dir, "stock-0")).unwrap();

    let ender = signal_soon(unseen, Signal::SIGTERM);
    let servers = start(&dir);
    ender.join().unwrap();
    assert_eq!(remembered(&dir, "stock-0").as_deref(), Some("left behind"));
    servers.stop();
}

#[test]
fn start_takes_over_from_a_server_that_still_loads() {
    let dir = temp_dir();
    let servers = start(&dir);
    fill(&dir, 50_000);
    servers.stop();
    // By hand, so there is no lock to tell of it. It would load for 15 seconds and more.
    let slow = ["--appendonly", "yes", "--key-load-delay", "300"];
    let mut leftover = foreign_redis(&socket(&dir, "stock-0"), &dir.path().join("stock-0"), &slow);

    let servers = start(&dir);
    assert!(leftover.status().is_some());
    assert_eq!(keys(&dir, "stock-0"), 50_000);
    servers.stop();
}

#[test]
fn start_beside_a_leftover_that_never_ends_is_refused() {
    let dir = temp_dir();
    let stuck = leave_behind(&dir)[2];
    signal(stuck, Signal::SIGSTOP);

    let refused = RedisServers::start(&open(&dir), REDIS, Fsync::Always).unwrap_err();
    signal(stuck, Signal::SIGKILL);
    assert!(matches!(&refused, StartError::LeftoverStays { dir } if dir.ends_with("payment-0")), "{refused}");
    assert_eq!(refused.to_string().lines().count(), 1, "{refused}");
}

#[test]
fn start_refuses_a_foreign_server_and_leaves_it_alone() {
    let (dir, elsewhere) = (temp_dir(), temp_dir());
    fs::create_dir(dir.path().join("stock-0")).unwrap();
    let mut foreign = foreign_redis(&socket(&dir, "stock-0"), elsewhere.path(), &[]);

    let refused = RedisServers::start(&open(&dir), REDIS, Fsync::Always).unwrap_err();
    assert!(matches!(refused, StartError::ForeignServer { .. }), "{refused}");
    assert!(refused.to_string().contains(elsewhere.path().to_str().unwrap()), "{refused}");
    assert!(foreign.status().is_none());
}
