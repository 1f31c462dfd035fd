//! What the first steps of a checkout can result in.

use shardcart_protocol::participant::Refusal;

use crate::attempt::{Attempt, OrderState};
use crate::participants::Part;

/// What beginning came to.
pub(super) enum Start {
    /// An attempt of this coordinator's own.
    Own(Attempt),
    /// No attempt: the state of the order says why.
    NotBegun(OrderState),
}

/// What reserving came to.
pub(super) enum Reserved<'a> {
    /// Everything is held.
    All,
    /// Not everything can be; these parts may hold something.
    Not { refusal: Refusal, holders: Vec<Part<'a>> },
}
