//! Starts that cannot succeed: what they say, and that they leave no server running.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use shardcart_shop::redis_servers::{Fsync, RedisServers};
use shardcart_shop::start_error::StartError;
use tempfile::TempDir;

use crate::support::{REDIS, open, remember, remembered, socket, start, temp_dir};

/// A program that only pretends to be Redis.
fn script(dir: &TempDir, body: &str) -> PathBuf {
    let path = dir.path().join("script");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("one that can be run");
    path
}

#[test]
fn start_reports_a_server_that_exits_with_the_end_of_its_log() {
    let dir = temp_dir();
    let servers = start(&dir);
    remember(&dir, "stock-0", "still there");
    servers.stop();
    let manifest = dir.path().join("stock-0/appendonlydir/appendonly.aof.manifest");
    let good = fs::read(&manifest).unwrap();
    fs::write(&manifest, "this is no manifest\n").unwrap();

    let began = Instant::now();
    let refused = RedisServers::start(&open(&dir), REDIS, Fsync::Always).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(matches!(&refused, StartError::Exited { name, .. } if name == "stock-0"), "{refused}");
    let said = refused.to_string();
    assert!(said.starts_with("redis stock-0 has exited (exit status: 1)"), "{said}");
    assert!(said.contains("manifest") && said.lines().count() <= 11, "{said}");
    for server in ["order-0", "payment-0"] {
        assert!(!socket(&dir, server).exists(), "{server} was left running");
    }

    fs::write(&manifest, good).unwrap();
    let servers = start(&dir);
    assert_eq!(remembered(&dir, "stock-0").as_deref(), Some("still there"));
    servers.stop();
}

#[test]
fn start_reports_what_a_program_says_before_it_has_a_log() {
    let (dir, programs) = (temp_dir(), temp_dir());
    let odd = "echo Redis server v=7.9.9; [ $1 = --version ] || { echo no such option >&2; exit 3; }";
    let refused = RedisServers::start(&open(&dir), script(&programs, odd), Fsync::Always).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("(exit status: 3)") && said.ends_with("\n  no such option"), "{said}");
}

#[test]
fn start_without_a_usable_program_is_refused_and_makes_no_servers() {
    let (dir, programs) = (temp_dir(), temp_dir());
    let data_dir = open(&dir);
    let refused_with = |program: &Path, hint: &str| {
        let refused = RedisServers::start(&data_dir, program, Fsync::Always).unwrap_err().to_string();
        assert!(refused.contains(hint) && refused.lines().count() == 1, "{refused}");
    };
    refused_with(Path::new("no-such-redis-server"), "apt-get install redis-server");
    refused_with(&programs.path().join("none"), "--redis-server");
    refused_with(dir.path(), "cannot be used as the Redis server");
    refused_with(&script(&programs, "echo Redis server v=6.2.7 sha=0"), "version 6.2.7");
    refused_with(&script(&programs, "echo program 9.1"), "not that of Redis");
    refused_with(&script(&programs, "exec sleep 60"), "does not answer");

    let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["lock"]);
}
