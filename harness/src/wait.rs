//! Bounded waiting for a condition.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long a condition may rest between two looks at it.
pub const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until the answer is `Some`, and returns what is in it.
///
/// # Panics
/// After `within`, naming `what` was waited for.
pub async fn eventually<T>(what: impl Display, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
