//! Progress on stderr while a run is under way: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::answers::Counts;
use crate::load::timeline::Tick;
use crate::waiting::told_at;

/// The progress of one run; gone from the terminal when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    name: String,
    /// Whether the bar counts checkouts, not seconds.
    by_checkouts: bool,
    seconds: Cell<u64>,
}

impl Progress {
    /// Of a run of so many checkouts, or of so long.
    pub fn new(name: &str, checkouts: Option<u64>, duration: Duration) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(checkouts.unwrap_or(duration.as_secs())), ProgressDrawTarget::stderr());
        let template = match checkouts {
            Some(_) => "{prefix} [{bar:30}] {human_pos}/{human_len}  {msg}",
            None => "{prefix} [{bar:30}] {pos}/{len} s  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let bar = bar.with_prefix(name.to_owned());
        Self { bar, name: name.to_owned(), by_checkouts: checkouts.is_some(), seconds: Cell::new(0) }
    }

    /// Shows the second that has just passed, and how many answers there are by now.
    pub fn show(&self, tick: &Tick, so_far: Counts) {
        let line = line(tick, so_far);
        self.seconds.set(self.seconds.get() + 1);
        let asked = so_far.all() - so_far.other_done;
        self.bar.set_position(if self.by_checkouts { asked } else { self.seconds.get() });
        if self.bar.is_hidden() && told_at(self.seconds.get()) {
            eprintln!("{}, {} s: {line}", self.name, self.seconds.get());
        }
        self.bar.set_message(line);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Rates of the last second, and what went wrong so far.
fn line(tick: &Tick, so_far: Counts) -> String {
    let a_second = |count: u64| count as f64 / tick.seconds.max(1e-9);
    let Counts { committed, already_paid, other_done, .. } = tick.answers;
    let mut line = format!("{:.0} committed/s", a_second(committed));
    if already_paid > 0 {
        line.push_str(&format!(", {:.0} already paid/s", a_second(already_paid)));
    }
    if other_done > 0 {
        line.push_str(&format!(", {:.0} others/s", a_second(other_done)));
    }
    line.push_str(&format!(", p50 {:.1} ms, p99 {:.1} ms", tick.p50_us / 1000.0, tick.p99_us / 1000.0));
    for (count, what) in [(so_far.refused, "refused"), (so_far.turned_away, "turned away"), (so_far.failed, "errors")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_rate_latency_and_errors() {
        let answers = Counts { committed: 500, already_paid: 7, ..Counts::default() };
        let tick = Tick { at_s: 3.0, seconds: 0.5, answers, p50_us: 1500.0, p99_us: 9000.0, cores: Vec::new() };
        let so_far = Counts { committed: 2000, failed: 3, ..Counts::default() };
        assert_eq!(line(&tick, so_far), "1000 committed/s, 14 already paid/s, p50 1.5 ms, p99 9.0 ms, 3 errors");
    }
}
