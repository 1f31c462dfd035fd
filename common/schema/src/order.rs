//! Orders: the states of an order, the reasons that an order keeps for a refused attempt, and the lines of a cart.

use crate::reply::Reply;
use crate::words::words;

words! {
    /// The status of an order, as it stands in the order's record.
    OrderStatus {
        /// No attempt is under way.
        Open = "open",
        /// An attempt is under way and undecided.
        Pending = "pending",
        /// An attempt is being given up: it will never be decided.
        Aborting = "aborting",
        /// Paid, for ever.
        Paid = "paid",
    }
}

/// What a script says of an order that it was asked about: its status, or why it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusReply {
    /// No attempt is under way.
    Open,
    /// An attempt is under way and undecided.
    Pending,
    /// An attempt is being given up: it will never be decided.
    Aborting,
    /// Paid, for ever.
    Paid,
    /// There is no such order.
    Unknown,
    /// A later release wrote it.
    Newer,
}

impl StatusReply {
    /// Reads the word; `None`: no script answers it in this place.
    pub fn parse(word: &str) -> Option<Self> {
        match (OrderStatus::parse(word), Reply::parse(word)) {
            (Some(status), _) => Some(status.into()),
            (None, Some(Reply::Unknown)) => Some(StatusReply::Unknown),
            (None, Some(Reply::Newer)) => Some(StatusReply::Newer),
            _ => None,
        }
    }

    /// The status; `None` where there is no order that this release can read.
    pub fn status(self) -> Option<OrderStatus> {
        match self {
            StatusReply::Open => Some(OrderStatus::Open),
            StatusReply::Pending => Some(OrderStatus::Pending),
            StatusReply::Aborting => Some(OrderStatus::Aborting),
            StatusReply::Paid => Some(OrderStatus::Paid),
            StatusReply::Unknown | StatusReply::Newer => None,
        }
    }
}

impl From<OrderStatus> for StatusReply {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Open => StatusReply::Open,
            OrderStatus::Pending => StatusReply::Pending,
            OrderStatus::Aborting => StatusReply::Aborting,
            OrderStatus::Paid => StatusReply::Paid,
        }
    }
}

words! {
    /// Why an attempt was given up, as its order keeps it. The first two are followed by a space and the item.
    RefusalWord {
        /// An item does not exist.
        UnknownItem = "unknown_item",
        /// Too little stock of an item.
        InsufficientStock = "insufficient_stock",
        /// The user does not exist.
        UnknownUser = "unknown_user",
        /// The order was paid directly.
        AlreadyPaid = "already_paid",
        /// The user has too little credit.
        InsufficientCredit = "insufficient_credit",
        /// The attempt was given up.
        CheckoutAborted = "checkout_aborted",
    }
}

/// A line of a cart: in the hash `{tag}:cart:<id>`, an item's id leads to the units and the sum quoted for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CartLine {
    /// How many.
    pub units: u64,
    /// The sum quoted for all of them.
    pub sum: u64,
}

impl CartLine {
    /// How scripts write a line.
    pub const FORMAT: &str = "%.0f %.0f";
    /// How scripts read a line.
    pub const PATTERN: &str = "^(%d+) (%d+)$";
    /// A line of no units.
    pub const NO_UNITS: &str = "0 0";

    /// Reads a line; `None`: no release writes it.
    pub fn parse(line: &str) -> Option<Self> {
        let (units, sum) = line.split_once(' ')?;
        Some(CartLine { units: units.parse().ok()?, sum: sum.parse().ok()? })
    }
}

/// For how many milliseconds more an attempt is its coordinator's alone; 0: it is over, or there is none.
///
/// A lease that ends [`crate::limit::LEASE_MAX_MS`] from now or later was written before the shard's clock was set
/// back. It counts as over: `take_over.lua` has the same rule.
pub fn lease_left_ms(status: &str, lease_ms: u64, now_ms: u64) -> u64 {
    let left = lease_ms.saturating_sub(now_ms);
    let is_running = OrderStatus::parse(status) == Some(OrderStatus::Pending) && left < crate::limit::LEASE_MAX_MS;
    if is_running { left } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::LEASE_MAX_MS;

    #[test]
    fn a_status_is_read_from_a_reply() {
        for status in OrderStatus::ALL {
            assert_eq!(StatusReply::parse(status.as_str()).and_then(StatusReply::status), Some(*status));
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{status}\""));
        }
        assert_eq!(StatusReply::parse("UNKNOWN"), Some(StatusReply::Unknown));
        assert_eq!(StatusReply::parse("NEWER"), Some(StatusReply::Newer));
        for word in ["PAID", "Paid", "DONE", ""] {
            assert_eq!(StatusReply::parse(word), None, "{word}");
        }
    }

    #[test]
    fn a_line_is_units_and_a_sum() {
        assert_eq!(CartLine::parse("2 60"), Some(CartLine { units: 2, sum: 60 }));
        for line in ["2", "2 x", "", " 60", "2 60 1"] {
            assert_eq!(CartLine::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_lease_that_ends_too_far_ahead_counts_as_over() {
        assert_eq!(lease_left_ms("pending", 1_000 + LEASE_MAX_MS - 1, 1_000), LEASE_MAX_MS - 1);
        assert_eq!(lease_left_ms("pending", 1_000 + LEASE_MAX_MS, 1_000), 0, "the clock was set back");
        assert_eq!(lease_left_ms("pending", 999, 1_000), 0, "it is over");
        assert_eq!(lease_left_ms("aborting", 2_000, 1_000), 0, "the coordinator has lost it");
    }
}
