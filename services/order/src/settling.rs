//! Participants: what happens after the decision. Every participant is told it, and then the attempt ends.

pub mod participants;
pub mod recovery;
pub mod settler;
