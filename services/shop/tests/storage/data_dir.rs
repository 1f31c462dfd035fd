//! The data directory: who may have it, and that a refusal leaves everything as it was.

use std::fs;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use shardcart_shop::data_dir::DataDir;
use shardcart_shop::start_error::StartError;
use tempfile::{TempDir, tempdir};

/// All names below a directory, and when each was last changed.
fn contents(dir: &Path) -> Vec<(String, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory of the test") {
        let path = entry.expect("an entry of it").path();
        let changed = path.metadata().expect("its metadata").modified().expect("its time");
        found.push((path.display().to_string(), changed));
        if path.is_dir() {
            found.extend(contents(&path));
        }
    }
    found.sort();
    found
}

fn dir_with(subdirs: &[&str]) -> TempDir {
    let dir = tempdir().expect("a directory for the test");
    for subdir in subdirs {
        fs::create_dir(dir.path().join(subdir)).expect("a directory in it");
    }
    dir
}

#[test]
fn open_creates_a_missing_directory_and_its_parents() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("deep/down/data");

    let opened = DataDir::open(&path, 3).unwrap();
    assert!(path.join("lock").is_file());
    assert_eq!((opened.path(), opened.shards_per_service()), (path.as_path(), 3));
    assert_eq!(opened.server_dir("stock", 2), path.join("stock-2"));
}

#[test]
fn open_twice_is_refused_until_the_first_is_gone() {
    let dir = tempdir().unwrap();
    let first = DataDir::open(dir.path(), 1).unwrap();
    let before = contents(dir.path());

    let refused = DataDir::open(dir.path(), 1).unwrap_err();
    assert!(matches!(refused, StartError::InUse(_)), "{refused}");
    assert!(refused.to_string().contains("in use by another shop"), "{refused}");
    assert_eq!(contents(dir.path()), before);

    drop(first);
    DataDir::open(dir.path(), 1).unwrap();
}

#[test]
fn open_with_fewer_shards_is_refused_and_touches_nothing() {
    let dir = dir_with(&["order-0", "stock-0", "stock-1", "stock-2", "payment-0"]);
    let before = contents(dir.path());

    let refused = DataDir::open(dir.path(), 2).unwrap_err();
    assert!(matches!(refused, StartError::FewerShards { had: 3, wanted: 2, .. }), "{refused}");
    assert!(refused.to_string().contains("--shards 3 or more"), "{refused}");
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn open_with_more_shards_or_as_many_is_fine() {
    let dir = dir_with(&["order-0", "order-1", "stock-7-old", "stock-x", "user-9"]);
    for shards in [2, 5] {
        DataDir::open(dir.path(), shards).unwrap();
    }
}

#[test]
fn open_counts_a_gap_as_a_shard() {
    let dir = dir_with(&["order-0", "order-3"]);
    let refused = DataDir::open(dir.path(), 2).unwrap_err();
    assert!(matches!(refused, StartError::FewerShards { had: 4, .. }), "{refused}");
}

#[test]
fn open_where_a_socket_path_would_be_too_long_creates_nothing() {
    let dir = tempdir().unwrap();
    // `/` + `payment-0/redis.sock` are 21 bytes, `payment-10` is one more than `payment-9`.
    let room = if cfg!(target_os = "linux") { 107 } else { 103 };
    let name = "d".repeat(room - 21 - dir.path().as_os_str().len() - 1);
    let path = dir.path().join(name);

    for (shards, refused) in [(11, true), (10, false)] {
        match DataDir::open(&path, shards) {
            Ok(_) => assert!(!refused),
            Err(error) => {
                assert!(refused && matches!(error, StartError::PathTooLong { .. }), "{error}");
                assert!(error.to_string().contains("shorter --data-dir"), "{error}");
                assert!(!path.exists());
            }
        }
    }
}

#[test]
fn open_of_no_shards_or_of_a_file_is_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("data");
    assert!(matches!(DataDir::open(&path, 0), Err(StartError::NoShards)));
    assert!(!path.exists());

    fs::write(&path, "not ours").unwrap();
    for path in [path.clone(), path.join("below")] {
        let refused = DataDir::open(path, 1).unwrap_err();
        assert!(matches!(refused, StartError::NotADirectory(_)), "{refused}");
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "not ours");
}

#[test]
fn open_where_nothing_can_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if access(dir.path(), AccessFlags::W_OK).is_ok() {
        return; // Nothing keeps root from writing.
    }
    for path in [dir.path().to_owned(), dir.path().join("data")] {
        let refused = DataDir::open(path, 1).unwrap_err();
        assert!(matches!(refused, StartError::NotWritable { .. }), "{refused}");
    }
}
