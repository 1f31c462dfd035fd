//! Keeps clients from filling the log: of the lines that one target writes, only so many in a second are written, and
//! the rest are counted.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, Log, Metadata, Record};

/// What a target of a library may write in a second: every unreadable request is a line of actix.
const OF_LIBRARIES: u32 = 10;
/// What one of our own may write in a second.
const OUR_OWN: u32 = 200;
/// Where lines of our own come from.
const OWN: &str = "shardcart";
const SECOND: Duration = Duration::from_secs(1);
/// Targets are told apart by a hash in so many places, so that the memory for them is bounded.
const PLACES: usize = 64;

/// The lines of a target, or of several that share a place.
#[derive(Debug, Clone, Copy)]
struct Written {
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Write,
    /// It is the first of its second to be left out.
    LeaveOutFirst,
    LeaveOut,
    /// It is written, and before it how many were left out.
    WriteAfter(u64),
}

impl Written {
    fn next(&mut self, max: u32, now: Instant) -> Fate {
        if now.duration_since(self.since) >= SECOND {
            let left_out = self.left_out;
            *self = Written { since: now, lines: 1, left_out: 0 };
            return if left_out > 0 { Fate::WriteAfter(left_out) } else { Fate::Write };
        }
        if self.lines < max {
            self.lines += 1;
            return Fate::Write;
        }
        self.left_out += 1;
        if self.left_out == 1 { Fate::LeaveOutFirst } else { Fate::LeaveOut }
    }
}

/// A log of which no target takes more than its share.
pub struct Limited<L> {
    log: L,
    targets: Mutex<[Written; PLACES]>,
}

impl<L: Log> Limited<L> {
    /// Limits what is written to a log.
    pub fn new(log: L) -> Self {
        let written = Written { since: Instant::now(), lines: 0, left_out: 0 };
        Limited { log, targets: Mutex::new([written; PLACES]) }
    }

    fn fate(&self, target: &str) -> Fate {
        let max = if target.starts_with(OWN) { OUR_OWN } else { OF_LIBRARIES };
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(target);
        let place = usize::try_from(hash % PLACES as u64).unwrap_or(0);
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets[place].next(max, Instant::now())
    }

    fn say(&self, target: &str, what: std::fmt::Arguments<'_>) {
        self.log.log(&Record::builder().target(target).level(Level::Warn).args(what).build());
    }
}

impl<L: Log> Log for Limited<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.log.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.log.enabled(record.metadata()) {
            return;
        }
        let target = record.target();
        match self.fate(target) {
            Fate::Write => self.log.log(record),
            Fate::LeaveOutFirst => {
                self.say(target, format_args!("too many lines of {target}: the rest of this second are left out"));
            }
            Fate::LeaveOut => {}
            Fate::WriteAfter(count) => {
                self.say(target, format_args!("{count} lines of {target} were left out"));
                self.log.log(record);
            }
        }
    }

    fn flush(&self) {
        self.log.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_in_a_second_is_counted_and_said() {
        let start = Instant::now();
        let mut written = Written { since: start, lines: 0, left_out: 0 };
        let first: Vec<_> = (0..4).map(|_| written.next(2, start)).collect();
        assert_eq!(first, [Fate::Write, Fate::Write, Fate::LeaveOutFirst, Fate::LeaveOut]);
        assert_eq!(written.next(2, start + SECOND), Fate::WriteAfter(2));
        assert_eq!(written.next(2, start + SECOND), Fate::Write);
        assert_eq!(written.next(2, start + SECOND * 3), Fate::Write);
    }
}
