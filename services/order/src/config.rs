//! The settings of a checkout.

use std::time::Duration;

use clap::Args;
use shardcart_schema::limit::WAIT_MAX_MS;
use shardcart_types::parse::milliseconds;

/// The longest wait of a checkout.
const WAIT_MAX: Duration = Duration::from_millis(WAIT_MAX_MS);

/// How a checkout is driven. Lease < deadline < wait, queue < wait: checked at start.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Checkout")]
pub struct CheckoutSettings {
    /// How long a coordinator has its attempt to itself before recovery gives it up, in milliseconds. Safety does not depend on it
    #[arg(long, env = "CHECKOUT_LEASE_MS", default_value = "2000", value_parser = milliseconds)]
    pub checkout_lease_ms: Duration,
    /// How long an attempt may reserve, in milliseconds. More than the lease, less than the wait
    #[arg(long, env = "CHECKOUT_DEADLINE_MS", default_value = "5000", value_parser = milliseconds)]
    pub checkout_deadline_ms: Duration,
    /// How long a checkout waits for another of the same order, in milliseconds; then it answers 503. Less than the gateway's timeout
    #[arg(long, env = "CHECKOUT_WAIT_MS", default_value = "8000", value_parser = milliseconds)]
    pub checkout_wait_ms: Duration,
    /// Checkouts under way at once in each worker thread; others wait for admission
    #[arg(long, env = "CHECKOUTS_MAX", default_value = "1024", value_parser = clap::value_parser!(u16).range(1..))]
    pub checkouts_max: u16,
    /// How long a checkout may wait for admission, in milliseconds. Excess checkouts get 429 immediately. Less than the wait
    #[arg(long, env = "CHECKOUT_QUEUE_MS", default_value = "2500", value_parser = milliseconds)]
    pub checkout_queue_ms: Duration,
    /// How long an attempt asks again where only undecided attempts of others stand in its way, in milliseconds
    #[arg(long, env = "BUSY_WAIT_MS", default_value = "500", value_parser = milliseconds)]
    pub busy_wait_ms: Duration,
    /// How long decided checkouts are collected before they are settled together, in milliseconds
    #[arg(long, env = "SETTLE_LINGER_MS", default_value = "10", value_parser = milliseconds)]
    pub settle_linger_ms: Duration,
    /// A checkout that takes longer than this logs its steps with their times, in milliseconds
    #[arg(long, env = "SLOW_MS", default_value = "1000", value_parser = milliseconds)]
    pub slow_ms: Duration,
    /// How often recovery looks for what was left behind, in milliseconds
    #[arg(long, env = "RECOVERY_INTERVAL_MS", default_value = "250", value_parser = milliseconds)]
    pub recovery_interval_ms: Duration,
}

impl CheckoutSettings {
    /// Checks what one setting alone cannot.
    ///
    /// # Errors
    /// A sentence that names the variables.
    pub fn check(&self) -> Result<(), String> {
        let (lease, deadline, wait) = (self.checkout_lease_ms, self.checkout_deadline_ms, self.checkout_wait_ms);
        let queue = self.checkout_queue_ms;
        if queue >= wait {
            let (queue, wait) = (queue.as_millis(), wait.as_millis());
            return Err(format!("CHECKOUT_QUEUE_MS={queue}, CHECKOUT_WAIT_MS={wait}: expected queue < wait"));
        }
        if lease < deadline && deadline < wait && wait <= WAIT_MAX && !lease.is_zero() {
            return Ok(());
        }
        let (lease, deadline, wait) = (lease.as_millis(), deadline.as_millis(), wait.as_millis());
        Err(format!(
            "CHECKOUT_LEASE_MS={lease}, CHECKOUT_DEADLINE_MS={deadline}, CHECKOUT_WAIT_MS={wait}: expected 0 < lease < deadline < wait <= {}",
            WAIT_MAX.as_millis()
        ))
    }
}
