//! A reservation, which is what a participant holds for an attempt: how it lies in the hash `{tag}:held` of its shard, by
//! tx.
//!
//! Byte by byte: the version (1), `u` for units or `c` for credit, and the deadline (a double, Unix ms). Units go on
//! with the number of lines (two bytes), for each the item's key and the units (a double), and the order to the end.
//! Credit goes on with the amount (a double), the user's key, the payment's key, the order, and the incarnations of user
//! and order to the end. A text has its length in one byte before it, but for the one that goes to the end. Numbers are
//! little endian.

use std::fmt::Display;
use std::io::Write;

use crate::limit::AMOUNT_MAX;
use crate::record::{NUMBER_SIZE, VERSION};

/// The kind of a reservation of units.
pub const UNITS: u8 = b'u';
/// The kind of a reservation of credit.
pub const CREDIT: u8 = b'c';

/// Bytes before the kind.
pub const KIND_OFFSET: usize = 1;
/// Bytes before what is held: the version, the kind and the deadline.
pub const BODY_OFFSET: usize = KIND_OFFSET + 1 + NUMBER_SIZE;
/// Bytes before the first line of units: what comes before it is the number of lines.
pub const FIRST_LINE_OFFSET: usize = BODY_OFFSET + size_of::<u16>();
/// Bytes before the user's key of credit: what comes before it is the amount.
pub const USER_OFFSET: usize = BODY_OFFSET + NUMBER_SIZE;

/// What is held for an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation<'a> {
    /// When its attempt must have ended, Unix milliseconds.
    pub deadline_ms: u64,
    /// The order that is being paid.
    pub order: &'a str,
    /// What it is.
    pub taken: Taken<'a>,
}

/// What was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken<'a> {
    /// Items' keys, and units of each.
    Units(Vec<(&'a str, i64)>),
    /// A user's credit.
    Credit {
        /// The user's key.
        user: &'a str,
        /// The payment's key.
        payment: &'a str,
        /// How much.
        amount: i64,
        /// `<incarnation of the user>/<incarnation of the order>`.
        incarnation: &'a str,
    },
}

/// What is kept for units that are held.
pub fn units<K: Display>(deadline_ms: u64, order: &str, lines: impl ExactSizeIterator<Item = (K, u64)>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 * (1 + lines.len()));
    bytes.extend([VERSION, UNITS]);
    bytes.extend(double(deadline_ms));
    // A cart has a thousand lines at most.
    bytes.extend(u16::try_from(lines.len()).unwrap_or(u16::MAX).to_le_bytes());
    for (key, units) in lines {
        push(&mut bytes, key);
        bytes.extend(double(units));
    }
    bytes.extend(order.as_bytes());
    bytes
}

/// What is kept for credit that is held, up to the incarnation, which is known where the user is.
pub fn credit(deadline_ms: u64, order: &str, user: impl Display, payment: impl Display, amount: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(320);
    bytes.extend([VERSION, CREDIT]);
    bytes.extend(double(deadline_ms));
    bytes.extend(double(amount));
    push(&mut bytes, user);
    push(&mut bytes, payment);
    push(&mut bytes, order);
    bytes
}

/// A number as scripts take it: all of them are exact as doubles, being amounts, times, or small.
pub fn double(number: u64) -> [u8; 8] {
    (number as f64).to_le_bytes()
}

/// Adds a text behind its length. Ids have 64 characters at most, so that keys made of two stay below 255.
fn push(bytes: &mut Vec<u8>, text: impl Display) {
    let at = bytes.len();
    bytes.push(0);
    // Writing to memory cannot fail.
    let _ = write!(bytes, "{text}");
    bytes[at] = u8::try_from(bytes.len() - at - 1).unwrap_or(u8::MAX);
}

/// Whether a later release wrote it.
pub fn is_newer(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|version| *version != VERSION)
}

impl<'a> Reservation<'a> {
    /// Reads what is held; `None` for bytes that this release never writes.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let kind = take(&mut rest, 1)?;
        let deadline_ms = u64::try_from(number(&mut rest)?).ok()?;
        match kind {
            [UNITS] => {
                let lines = take(&mut rest, 2)?;
                let lines = u16::from_le_bytes([lines[0], lines[1]]);
                let line = |_| Some((text(&mut rest)?, number(&mut rest)?));
                let lines: Option<Vec<_>> = (0..lines).map(line).collect();
                Some(Reservation { deadline_ms, order: std::str::from_utf8(rest).ok()?, taken: Taken::Units(lines?) })
            }
            [CREDIT] => {
                let amount = number(&mut rest)?;
                let (user, payment, order) = (text(&mut rest)?, text(&mut rest)?, text(&mut rest)?);
                let incarnation = std::str::from_utf8(rest).ok()?;
                Some(Reservation { deadline_ms, order, taken: Taken::Credit { user, payment, amount, incarnation } })
            }
            _ => None,
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<i64> {
    let bytes = take(rest, NUMBER_SIZE)?;
    let number = f64::from_le_bytes(bytes.try_into().ok()?);
    // Whole numbers of this size are exact.
    (number.fract() == 0.0 && number.abs() <= AMOUNT_MAX as f64).then_some(number as i64)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = take(rest, 1)?[0];
    std::str::from_utf8(take(rest, usize::from(length))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_read_as_it_was_written() {
        let lines = [("{17}:item:a", 2), ("{18}:item:b", 9_007_199_254_740_991)];
        let bytes = units(5_000, "7", lines.iter().copied());
        let taken = Taken::Units(vec![("{17}:item:a", 2), ("{18}:item:b", 9_007_199_254_740_991)]);
        assert_eq!(Reservation::read(&bytes), Some(Reservation { deadline_ms: 5_000, order: "7", taken }));

        let mut bytes = credit(5_000, "7", "{3}:user:ann", "{3}:payment:ann:7", 30);
        bytes.extend(b"l/");
        let taken = Taken::Credit { user: "{3}:user:ann", payment: "{3}:payment:ann:7", amount: 30, incarnation: "l/" };
        assert_eq!(Reservation::read(&bytes), Some(Reservation { deadline_ms: 5_000, order: "7", taken }));
    }

    #[test]
    fn what_is_cut_off_or_of_another_release_is_not_read() {
        let bytes = units(5_000, "", [("{17}:item:a", 2)].into_iter());
        for length in 0..bytes.len() {
            assert_eq!(Reservation::read(&bytes[..length]), None, "{length}");
        }
        let newer = [&[2], &bytes[1..]].concat();
        assert!(Reservation::read(&newer).is_none() && is_newer(&newer) && !is_newer(&bytes) && !is_newer(b""));
    }
}
