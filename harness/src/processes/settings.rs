//! The environment in which a process under test is started.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::process::Command;

/// The variable that puts one checkout lease, in milliseconds, on every service that is started.
pub const LEASE: &str = "SHARDCART_TEST_LEASE_MS";

/// Environment variables by name. Nothing else is inherited but `PATH` and `RUST_LOG`, so that a
/// test sees the defaults of the product and not those of the shell it runs in.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, Option<String>>);

impl Settings {
    /// No settings at all: what a program sees that was started by hand.
    pub fn none() -> Settings {
        Settings::default()
    }

    /// What all tests share unless they say otherwise: bulk loading is allowed, and
    /// [`LEASE`] is passed on.
    pub fn usual() -> Settings {
        let settings = Settings::none().with("ALLOW_BATCH_INIT", true);
        match std::env::var(LEASE) {
            Ok(lease_ms) => settings.with("CHECKOUT_LEASE_MS", lease_ms),
            Err(_) => settings,
        }
    }

    /// The same with one more, or another value of one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Display) -> Settings {
        self.0.insert(name.to_owned(), Some(value.to_string()));
        self
    }

    /// The same without one, also where these are laid over others.
    #[must_use]
    pub fn without(mut self, name: &str) -> Settings {
        self.0.insert(name.to_owned(), None);
        self
    }

    /// The same, with all of `others`, which win.
    #[must_use]
    pub fn and(mut self, others: &Settings) -> Settings {
        self.0.extend(others.0.clone());
        self
    }

    /// Makes these the whole environment of a command.
    pub fn apply(&self, command: &mut Command) {
        command.env_clear();
        for inherited in ["PATH", "RUST_LOG"] {
            if let Ok(value) = std::env::var(inherited) {
                command.env(inherited, value);
            }
        }
        command.envs(self.0.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    }
}

/// Whether the suite runs with a lease so short that attempts are given up all the time: then
/// 409 `checkout_aborted` is an answer to be repeated, and everything else must hold.
pub fn lease_is_short() -> bool {
    std::env::var(LEASE).is_ok_and(|lease_ms| lease_ms.parse::<u64>().is_ok_and(|ms| ms < 1_000))
}
