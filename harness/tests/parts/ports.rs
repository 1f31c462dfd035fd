//! Free ports are free, and stay so.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use shardcart_harness::network::ports;

#[test]
fn free_ports_are_given_once() {
    let given: std::collections::BTreeSet<u16> = (0..100).map(|_| ports::free()).collect();
    assert_eq!(given.len(), 100);
}

#[test]
fn a_free_port_can_be_listened_on_while_processes_are_started() {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    Command::new("true").status().expect("a process starts");
                }
            });
        }
        let taken: Vec<u16> = (0..300)
            .map(|_| ports::free())
            .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_err())
            .collect();
        over.store(true, Ordering::Relaxed);
        assert!(taken.is_empty(), "{taken:?}");
    });
}
