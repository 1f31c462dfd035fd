//! What happens when the shop dies, and when one of its servers does.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use shardcart_shop::data_dir::DataDir;
use shardcart_shop::redis_servers::{Fsync, RedisServers};
use shardcart_shop::start_error::StartError;

use crate::support::{
    OtherShop, REDIS, any_runs, eventually, is_ready, open, remember, remembered, signal, socket, start, temp_dir,
};

#[test]
#[cfg(target_os = "linux")]
fn servers_end_with_a_shop_that_is_killed() {
    let dir = temp_dir();
    let shop = OtherShop::start(&dir, Path::new(REDIS));
    let pids = shop.pids.clone();
    assert!(any_runs(&pids));
    shop.kill();
    eventually("the end of its servers", || !any_runs(&pids));
}

#[test]
fn servers_outlive_the_thread_that_started_them() {
    let dir = temp_dir();
    let servers = thread::scope(|scope| scope.spawn(|| start(&dir)).join().unwrap());
    thread::sleep(Duration::from_millis(500));
    remember(&dir, "stock-0", "alive");
    servers.stop();
}

#[test]
fn start_right_after_a_shop_was_killed_finds_its_data() {
    let dir = temp_dir();
    let shop = OtherShop::start(&dir, Path::new(REDIS));
    let refused = DataDir::open(dir.path(), 1).unwrap_err();
    assert!(matches!(refused, StartError::InUse(_)), "{refused}");
    remember(&dir, "payment-0", "paid");
    shop.kill();

    let servers = start(&dir);
    assert_eq!(remembered(&dir, "payment-0").as_deref(), Some("paid"));
    servers.stop();
}

#[test]
fn restart_exited_brings_back_a_killed_server_at_most_once_a_second() {
    let dir = temp_dir();
    let data_dir = open(&dir);
    let mut servers = RedisServers::start(&data_dir, REDIS, Fsync::Always).unwrap();
    remember(&dir, "stock-0", "survives");
    assert!(servers.restart_exited().is_empty());

    let mut restarted_at = Vec::new();
    for _ in 0..3 {
        let before = servers.pids();
        signal(before[1], Signal::SIGKILL);
        let mut restarted = Vec::new();
        eventually("the restart", || {
            restarted = servers.restart_exited();
            !restarted.is_empty()
        });
        restarted_at.push(Instant::now());
        assert_eq!(restarted, ["stock-0"]);
        let after = servers.pids();
        assert_eq!((before[0], before[2]), (after[0], after[2]));
        assert_ne!(before[1], after[1]);

        eventually("its answer", || is_ready(&socket(&dir, "stock-0")));
        assert_eq!(remembered(&dir, "stock-0").as_deref(), Some("survives"));
    }
    for pair in restarted_at.windows(2) {
        assert!(pair[1] - pair[0] > Duration::from_millis(900), "{pair:?}");
    }
    servers.stop();
}
