//! Shows on stderr that something goes on: what takes long, and says nothing by itself.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// Seconds between two lines where stderr is no terminal.
const LINE_EVERY_S: u64 = 10;

/// What takes longer than this shows that it goes on.
const QUIET_S: u64 = 2;

/// Whether a line is due after so many seconds: soon, and then now and then.
pub fn told_at(seconds: u64) -> bool {
    seconds == QUIET_S || seconds.is_multiple_of(LINE_EVERY_S)
}

/// Waits for `work`, and shows that it goes on where it takes more than two seconds.
pub async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_message(what.to_owned());
    let told = async {
        for seconds in 1.. {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if seconds == QUIET_S {
                spinner.set_draw_target(ProgressDrawTarget::stderr());
                spinner.enable_steady_tick(Duration::from_millis(200));
            }
            if spinner.is_hidden() && told_at(seconds) {
                eprintln!("{what}, {seconds} s");
            }
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = told => unreachable!("it counts seconds for longer than anything takes"),
    };
    spinner.finish_and_clear();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_after_two_seconds_and_then_every_ten() {
        let told: Vec<_> = (1..=30).filter(|seconds| told_at(*seconds)).collect();
        assert_eq!(told, [2, 10, 20, 30]);
    }

    #[tokio::test]
    async fn what_is_waited_for_is_handed_on() {
        assert_eq!(during("nothing", async { 7 }).await, 7);
    }
}
