//! What start promises, and that stop and drop leave the data and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};
use shardcart_shop::data_dir::DataDir;
use shardcart_shop::redis_servers::{Fsync, RedisServers};
use shardcart_shop::start_error::StartError;

use crate::support::{
    OtherShop, REDIS, any_runs, fill, keys, open, query, remember, remembered, setting, signal, socket, start, temp_dir,
};

#[test]
fn start_gives_every_service_its_shards_with_the_promised_settings() {
    let dir = temp_dir();
    // Nothing in a path may be taken for an option, a second word or the end of a quotation.
    let path = dir.path().join("--a \"data\" dir");
    let data_dir = DataDir::open(&path, 2).unwrap();
    let servers = RedisServers::start(&data_dir, REDIS, Fsync::Always).unwrap();

    assert_eq!(servers.pids().len(), 6);
    assert!(servers.addresses("cart").is_empty());
    for service in ["order", "stock", "payment"] {
        let sockets = [0, 1].map(|shard| data_dir.server_dir(service, shard).join("redis.sock"));
        let addresses = sockets.each_ref().map(|socket| format!("unix:{}", socket.display()));
        assert_eq!(servers.addresses(service), addresses);

        for socket in sockets {
            for private in [socket.as_path(), socket.parent().unwrap()] {
                let mode = private.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o700, "{}", private.display());
            }
            for (name, value) in [
                ("appendonly", "yes"),
                ("appendfsync", "always"),
                ("no-appendfsync-on-rewrite", "no"),
                ("maxmemory-policy", "noeviction"),
                ("save", ""),
                ("port", "0"),
            ] {
                assert_eq!(setting(&socket, name), value, "{name}");
            }
            assert_eq!(query::<String>(&socket, &["PING"]), "PONG");
        }
    }
    for pid in servers.pids() {
        let pid = Pid::from_raw(pid.try_into().unwrap());
        assert_eq!(getpgid(Some(pid)), Ok(pid), "not in the group that Ctrl-C ends");
    }
    servers.stop();
}

#[test]
fn start_works_where_the_socket_paths_are_as_long_as_they_may_be() {
    let dir = temp_dir();
    let refused = DataDir::open(dir.path().join("d".repeat(150)), 1).unwrap_err();
    let StartError::PathTooLong { length, limit, .. } = refused else {
        panic!("{refused}");
    };
    let path = dir.path().join("d".repeat(150 - (length - limit)));

    let data_dir = DataDir::open(&path, 1).unwrap();
    let servers = RedisServers::start(&data_dir, REDIS, Fsync::Always).unwrap();
    let longest = data_dir.server_dir("payment", 0).join("redis.sock");
    assert_eq!(longest.as_os_str().len(), limit);
    assert_eq!(query::<String>(&longest, &["PING"]), "PONG");
    servers.stop();
}

#[test]
fn start_after_stop_finds_the_data() {
    let dir = temp_dir();
    for fsync in [Fsync::Always, Fsync::Everysec, Fsync::No] {
        let data_dir = open(&dir);
        let servers = RedisServers::start(&data_dir, REDIS, fsync).unwrap();
        assert_eq!(setting(&socket(&dir, "stock-0"), "appendfsync"), fsync.as_str());
        remember(&dir, "stock-0", fsync.as_str());
        let pids = servers.pids();
        servers.stop();
        assert!(!any_runs(&pids));
        assert!(!socket(&dir, "stock-0").exists());

        let servers = RedisServers::start(&data_dir, REDIS, fsync).unwrap();
        assert_eq!(remembered(&dir, "stock-0").as_deref(), Some(fsync.as_str()));
        assert_eq!(remembered(&dir, "order-0"), None);
        servers.stop();
    }
}

#[test]
fn start_with_more_shards_keeps_the_old_ones() {
    let dir = temp_dir();
    let servers = start(&dir);
    remember(&dir, "payment-0", "kept");
    servers.stop();

    let data_dir = DataDir::open(dir.path(), 2).unwrap();
    let servers = RedisServers::start(&data_dir, REDIS, Fsync::Always).unwrap();
    assert_eq!(remembered(&dir, "payment-0").as_deref(), Some("kept"));
    assert_eq!(remembered(&dir, "payment-1"), None);
    servers.stop();
    drop(data_dir);

    let refused = DataDir::open(dir.path(), 1).unwrap_err();
    assert!(matches!(refused, StartError::FewerShards { had: 2, wanted: 1, .. }), "{refused}");
}

#[test]
fn start_shows_how_loading_gets_on() {
    let dir = temp_dir();
    let servers = start(&dir);
    fill(&dir, 20_000);
    servers.stop();

    // Makes Redis wait that many microseconds at each command that it loads.
    let delay = r#"[ "$1" = --version ] || set -- "$@" --key-load-delay 250"#;
    let slow_redis = dir.path().join("slow-redis");
    fs::write(&slow_redis, format!("#!/bin/sh\n{delay}\nexec {REDIS} \"$@\"\n")).unwrap();
    fs::set_permissions(&slow_redis, fs::Permissions::from_mode(0o700)).unwrap();
    let began = Instant::now();
    let shop = OtherShop::start(&dir, &slow_redis);
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(keys(&dir, "stock-0"), 20_000);

    let said = shop.kill();
    let percent = |line: &str| {
        let percent = line.strip_prefix("redis stock-0 is loading its data: ")?.strip_suffix('%')?;
        percent.parse::<u8>().ok()
    };
    let percents: Vec<u8> = said.lines().filter_map(percent).collect();
    assert!(!percents.is_empty() && percents.is_sorted() && percents.iter().all(|&p| p <= 100), "{said}");
    assert!(!said.contains("order-0"), "{said}");
}

#[test]
fn drop_leaves_no_server_behind() {
    let servers = start(&temp_dir());
    let pids = servers.pids();
    drop(servers);
    assert!(!any_runs(&pids));
}

#[test]
fn stop_kills_a_server_that_does_not_end() {
    let dir = temp_dir();
    let servers = start(&dir);
    let pids = servers.pids();
    signal(pids[1], Signal::SIGSTOP);

    let began = Instant::now();
    servers.stop();
    assert!(!any_runs(&pids));
    assert!((9..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}
