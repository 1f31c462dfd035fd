//! Names that only one may have: the hint under [`crate::key::unique`], on the shard of the name.
//!
//! A hint is a text: `1 claimed <nonce> <deadline> <id>` or `1 held <nonce> <deadline> <id>`. It says at whose record to
//! look: the record is the truth. A claim waits for its record to be written until its deadline (Unix ms, by the clock of
//! the shard of the name). The nonce is new with each claim, so that whoever saw a hint and looked at the record after it
//! never changes a later hint.

use crate::words::words;

/// The version of all hints that this release writes.
pub const VERSION: u8 = 1;

words! {
    /// What a hint says.
    State {
        /// The record may be written, until the deadline.
        Claimed = "claimed",
        /// The record was seen with the name.
        Held = "held",
    }
}

/// A hint that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint<'a> {
    /// What it says.
    pub state: State,
    /// Which claim it was.
    pub nonce: &'a str,
    /// Until when the record may be written, Unix ms.
    pub deadline_ms: u64,
    /// Whose the name is.
    pub id: &'a str,
}

impl<'a> Hint<'a> {
    /// Reads a hint; `None`: this release does not understand it.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut words = text.split(' ');
        let (version, state, nonce, deadline, id) =
            (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
        let is_known = version.parse() == Ok(VERSION) && words.next().is_none();
        let hint = Hint { state: State::parse(state)?, nonce, deadline_ms: deadline.parse().ok()?, id };
        is_known.then_some(hint)
    }
}

/// A claim as its script writes it.
pub fn claimed(nonce: &str, deadline_ms: u64, id: &str) -> String {
    format!("{VERSION} {} {nonce} {deadline_ms} {id}", State::Claimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_as_it_is_written() {
        let hint = Hint { state: State::Claimed, nonce: "n", deadline_ms: 12, id: "tux" };
        assert_eq!(Hint::read(&claimed("n", 12, "tux")), Some(hint));
        assert_eq!(claimed("n", 12, "tux"), "1 claimed n 12 tux");
        assert_eq!(Hint::read("1 held n 12 tux"), Some(Hint { state: State::Held, ..hint }));
    }

    #[test]
    fn what_is_no_hint_of_this_release_is_none() {
        for text in ["", "2 held n 12 tux", "1 lent n 12 tux", "1 held n x tux", "1 held n 12", "1 held n 12 tux more"]
        {
            assert_eq!(Hint::read(text), None, "{text}");
        }
    }
}
