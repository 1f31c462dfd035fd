//! A bar on stderr while the audit runs, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws a second at most.
const REDRAWS: u8 = 10;

/// How far the audit is, in records read.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many records.
    pub fn new(records: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(records), ProgressDrawTarget::stderr_with_hz(REDRAWS));
        if let Ok(style) = ProgressStyle::with_template("{msg:22} {wide_bar} {percent:>3}% {elapsed}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// Says what is read now.
    pub fn say(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// So many more have been read.
    pub fn add(&self, records: usize) {
        self.0.inc(u64::try_from(records).unwrap_or(0));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
