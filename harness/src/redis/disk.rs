//! The disk of a Redis server, as far as a power cut is concerned: what has been synced stays, all else goes.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::wait::eventually;

/// How long a sync may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks after what a program syncs, by a small library (`disk.c`) that is loaded into it.
#[derive(Debug)]
pub struct Disk {
    dir: TempDir,
    delay: Duration,
}

impl Disk {
    /// A disk on which every sync takes so much longer than it does anyway.
    ///
    /// # Panics
    /// When there is no C compiler; Rust needs one to link.
    pub fn new(delay: Duration) -> Disk {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let disk = Disk { dir, delay };
        let source = disk.path("disk.c");
        fs::write(&source, include_str!("disk.c")).expect("a file can be written");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(disk.path("disk.so"))
            .arg(&source)
            .arg("-ldl")
            .status();
        assert!(compiled.expect("cc can be started").success(), "cc compiles disk.c");
        File::create(disk.journal()).expect("a file can be made");
        disk
    }

    /// Makes a program that is started later write to this disk.
    pub fn put_under(&self, command: &mut Command) {
        // What an earlier program began and did not end, it never will.
        self.note("start");
        command
            .env("LD_PRELOAD", self.path("disk.so"))
            .env("DISK_JOURNAL", self.journal())
            .env("DISK_HOLD", self.path("hold"))
            .env("DISK_DELAY_US", self.delay.as_micros().to_string());
    }

    /// From now on no sync ends.
    pub fn hold(&self) {
        File::create(self.path("hold")).expect("a file can be made");
    }

    /// Lets syncs end again.
    pub fn release(&self) {
        fs::remove_file(self.path("hold")).expect("it was held");
    }

    /// Waits until a sync has begun that does not end.
    pub async fn holds_one(&self) {
        eventually("a sync is held", PATIENCE, async || {
            let journal = self.read();
            let this_run = journal.rsplit_once("start\n").map_or("", |(_, this_run)| this_run);
            let count = |what| this_run.lines().filter(|line| line.starts_with(what)).count();
            (count("begin") > count("done")).then_some(())
        })
        .await;
    }

    /// What the system does when it comes to it: writes the files of a directory back, without being asked.
    pub fn write_back(&self, dir: &Path) {
        for path in files(dir) {
            let file = fs::metadata(path).expect("the files of a log stay");
            self.note(&format!("done {} {}", file.ino(), file.len()));
        }
    }

    /// How many bytes of a directory's files have not been synced.
    pub fn unsynced(&self, dir: &Path) -> u64 {
        self.kept(dir).into_iter().map(|(_, length, kept)| length - kept).sum()
    }

    /// Takes from the files of a directory what had not been synced, after the program that wrote them was killed.
    /// Returns how many bytes that was.
    pub fn cut_power(&self, dir: &Path) -> u64 {
        let mut lost = 0;
        for (path, length, kept) in self.kept(dir) {
            let file = OpenOptions::new().write(true).open(&path).expect("a file of a dead program can be opened");
            file.set_len(kept).expect("a file can be cut off");
            lost += length - kept;
        }
        lost
    }

    /// The files of a directory, how long each is, and how much of it has been synced.
    fn kept(&self, dir: &Path) -> Vec<(PathBuf, u64, u64)> {
        let mut synced = HashMap::new();
        for line in self.read().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["done", inode, length] = words[..] {
                let number = |text: &str| text.parse::<u64>().expect("the journal holds whole numbers");
                synced.insert(number(inode), number(length));
            }
        }
        let kept = files(dir).into_iter().map(|path| {
            let file = fs::metadata(&path).expect("the files of a log stay");
            let kept = synced.get(&file.ino()).copied().unwrap_or(0).min(file.len());
            (path, file.len(), kept)
        });
        kept.collect()
    }

    fn note(&self, line: &str) {
        let journal = OpenOptions::new().append(true).open(self.journal());
        let mut journal = journal.expect("the journal is there as long as the disk");
        journal.write_all(format!("{line}\n").as_bytes()).expect("the journal can be written");
    }

    fn read(&self) -> String {
        fs::read_to_string(self.journal()).expect("the journal is there as long as the disk")
    }

    fn journal(&self) -> PathBuf {
        self.path("journal")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// The files of a directory without others in it.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the directory is there");
    entries.map(|entry| entry.expect("a directory that nobody changes can be listed").path()).collect()
}
