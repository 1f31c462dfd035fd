//! Settling: what happens after the decision. Every participant gets the decision, and then the attempt ends.
//!
//! `settler` does so for this machine's checkouts a moment after they were answered. `recovery` does so for those of a
//! coordinator that is late. Both end in `settle`.

pub mod recovery;
mod settle;
mod settlement;
pub mod settler;
mod take_over;

pub use settlement::Settlement;
