//! The clock of a Redis server, which a test can set while it runs.

use std::fs;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

/// A clock, by a small library (`clock.c`) that is loaded into the server.
#[derive(Debug)]
pub struct Clock(TempDir);

impl Default for Clock {
    /// # Panics
    /// When there is no C compiler; Rust needs one to link.
    fn default() -> Clock {
        let clock = Clock(TempDir::new().expect("a temporary directory can be made"));
        fs::write(clock.path("clock.c"), include_str!("clock.c")).expect("a file can be written");
        fs::write(clock.path("ahead"), 0_i64.to_ne_bytes()).expect("a file can be written");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.path("clock.so"))
            .arg(clock.path("clock.c"))
            .arg("-ldl")
            .status();
        assert!(compiled.expect("cc can be started").success(), "cc compiles clock.c");
        clock
    }
}

impl Clock {
    /// Gives a program that is started later this clock.
    pub fn put_into(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.path("clock.so")).env("CLOCK_AHEAD", self.path("ahead"));
    }

    /// Sets it so much ahead of the system's.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn set_ahead(&self, ahead: Duration) {
        let us = i64::try_from(ahead.as_micros()).expect("not that far");
        // In place: the server has this very file in its memory.
        let mut file = fs::File::options().write(true).open(self.path("ahead")).expect("the file is there");
        file.rewind().and_then(|()| file.write_all(&us.to_ne_bytes())).expect("a file can be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
