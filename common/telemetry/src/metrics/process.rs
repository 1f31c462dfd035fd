//! What the operating system reports about this process.

use std::fmt::{Display, Write};
use std::fs;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::names::{self, Kind, Metric};

static STARTED: OnceLock<f64> = OnceLock::new();

/// Takes note of when this process started.
pub(super) fn start() {
    STARTED.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()));
}

/// Writes it. What a system does not report is left out: only Linux reports memory and open descriptors.
pub(super) fn render(text: &mut String) {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    write(text, &names::PROCESS_CPU, spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9);
    let statm = fs::read_to_string("/proc/self/statm").ok();
    if let Some(pages) = statm.as_deref().and_then(|statm| statm.split(' ').nth(1)?.parse::<usize>().ok()) {
        write(text, &names::PROCESS_MEMORY, pages * rustix::param::page_size());
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        write(text, &names::PROCESS_OPEN_FDS, open.count().saturating_sub(1));
    }
    if let Ok((limit, _)) = rlimit::getrlimit(rlimit::Resource::NOFILE) {
        write(text, &names::PROCESS_MAX_FDS, limit);
    }
    if let Some(started) = STARTED.get() {
        write(text, &names::PROCESS_START, started);
    }
}

fn write(text: &mut String, metric: &Metric, value: impl Display) {
    let Metric { name, help, kind, .. } = metric;
    let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}
