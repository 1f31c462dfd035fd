//! Records: how items, users, payments and orders lie in Redis.
//!
//! A record is a string: its version (1), the place where its incarnation begins, its numbers as doubles (little endian; one
//! that is absent is not a number), its texts, each behind its length in one byte, and its incarnation to the end. Many of
//! them are read by one `MGET` and written by one `MSET`, and a script takes what it changes out of the bytes without the
//! rest: `docs/decisions/0001-records-are-strings.md` has the figures. `lua/parse.lua` is the same for scripts that are in
//! no hurry; the places of fields in the bytes are constants in all scripts (see `constants.rs`).

use crate::limit::{AMOUNT_MAX, ID_LENGTH_MAX, TEXT_MAX};

/// The version of all records that this release writes.
pub const VERSION: u8 = 1;

/// Bytes before the first number: the version, and how many bytes lie before the incarnation.
pub const HEAD_SIZE: usize = 2;
/// Bytes of a number.
pub const NUMBER_SIZE: usize = 8;

/// The sign of a double, and the value that scripts write for a number that is absent, but for its sign.
const SIGN: u64 = 1 << 63;
const NONE: u64 = 0x7ff8 << 48;

/// The names of fields.
pub mod field {
    /// Item: units that can be bought now.
    pub const STOCK: &str = "stock";
    /// Item, user: what undecided or unsettled attempts hold.
    pub const HELD: &str = "held";
    /// Item: units added minus units taken out directly. User: credit added minus credit paid directly.
    pub const NET: &str = "net";
    /// Item: units sold in earlier incarnations. User: credit that was charged for orders that were overwritten since.
    pub const BEFORE: &str = "before";
    /// Item: what one costs.
    pub const PRICE: &str = "price";
    /// User: what can be spent now.
    pub const CREDIT: &str = "credit";
    /// Payment: how much.
    pub const CHARGED: &str = "charged";
    /// Payment: how much of it was given back.
    pub const REFUNDED: &str = "refunded";
    /// Payment: the direct payment that was given back before a checkout reserved this one.
    pub const WAS: &str = "was";
    /// Payment: see `PaymentState`.
    pub const STATE: &str = "state";
    /// Payment: see `PaidBy`.
    pub const BY: &str = "by";
    /// Order: what a checkout charges.
    pub const TOTAL: &str = "total";
    /// Order: until when its attempt may reserve, Unix ms.
    pub const DEADLINE: &str = "deadline";
    /// Order: until when its attempt is its coordinator's alone, Unix ms.
    pub const LEASE: &str = "lease";
    /// Order: see `OrderStatus`.
    pub const STATUS: &str = "status";
    /// Order: the current or last attempt.
    pub const TX: &str = "tx";
    /// Order: whose it is.
    pub const USER: &str = "user";
    /// Order: why the last attempt was given up. See `RefusalWord`.
    pub const REFUSAL: &str = "refusal";

    /// Of any record, beside its fields: which of those that had this id one after the other.
    pub const INCARNATION: &str = "incarnation";
    /// Of a record of a later release, in place of its fields: its version.
    pub const V: &str = "v";
}

/// Which fields a kind of record has, in their order.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    numbers: &'static [&'static str],
    texts: &'static [&'static str],
}

/// `{tag}:item:<id>`.
pub static ITEM: Layout =
    Layout { numbers: &[field::STOCK, field::HELD, field::NET, field::BEFORE, field::PRICE], texts: &[] };
/// `{tag}:user:<id>`.
pub static USER: Layout = Layout { numbers: &[field::CREDIT, field::HELD, field::NET, field::BEFORE], texts: &[] };
/// `{tag}:payment:<user>:<order>`.
pub static PAYMENT: Layout =
    Layout { numbers: &[field::CHARGED, field::REFUNDED, field::WAS], texts: &[field::STATE, field::BY] };
/// `{tag}:order:<id>`.
pub static ORDER: Layout = Layout {
    numbers: &[field::TOTAL, field::DEADLINE, field::LEASE],
    texts: &[field::STATUS, field::TX, field::USER, field::REFUSAL],
};

// A record of an order says in one byte where its incarnation begins: behind the longest status, tx, user and refusal.
const _: () =
    assert!(ORDER.size(&["aborting"]) + 2 * ID_LENGTH_MAX + "insufficient_stock ".len() + ID_LENGTH_MAX <= TEXT_MAX);

/// What was found where a record should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// A record of another version.
    Newer,
    /// Bytes that this release never writes.
    Unreadable,
    /// A record.
    Record(Record<'a>),
}

/// What lies where a number has its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Nothing: not a number, as scripts write it.
    Absent,
    /// An amount, as scripts write it.
    Amount(u64),
    /// Something that no script writes.
    Other(f64),
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    layout: &'static Layout,
    /// The second byte: how many bytes lie before the incarnation.
    place: u8,
    numbers: Vec<f64>,
    texts: Vec<&'a str>,
    incarnation: &'a str,
}

impl Layout {
    /// The names of its numbers, in their order.
    pub const fn numbers(&self) -> &'static [&'static str] {
        self.numbers
    }

    /// The names of its texts, in their order.
    pub const fn texts(&self) -> &'static [&'static str] {
        self.texts
    }

    /// How many bytes lie before a number, which is given by its place among them.
    pub const fn number_offset(&self, place: usize) -> usize {
        assert!(place < self.numbers.len());
        HEAD_SIZE + NUMBER_SIZE * place
    }

    /// How many bytes lie before the first text, or before the incarnation of a record that has none.
    pub const fn texts_offset(&self) -> usize {
        HEAD_SIZE + NUMBER_SIZE * self.numbers.len()
    }

    /// How many bytes lie before the incarnation where these are the texts; those that are not given are empty.
    pub const fn size(&self, texts: &[&str]) -> usize {
        assert!(texts.len() <= self.texts.len());
        let (mut size, mut place) = (self.texts_offset() + self.texts.len(), 0);
        while place < texts.len() {
            size += texts[place].len();
            place += 1;
        }
        size
    }

    /// Reads a record.
    pub fn read<'a>(&'static self, bytes: Option<&'a [u8]>) -> Found<'a> {
        match bytes {
            None => Found::Absent,
            Some([VERSION, place, body @ ..]) => self.parse(*place, body).map_or(Found::Unreadable, Found::Record),
            Some([] | [VERSION]) => Found::Unreadable,
            Some(_) => Found::Newer,
        }
    }

    fn parse<'a>(&'static self, place: u8, mut body: &'a [u8]) -> Option<Record<'a>> {
        let mut numbers = Vec::with_capacity(self.numbers.len());
        for _ in self.numbers {
            let (number, rest) = body.split_first_chunk::<8>()?;
            numbers.push(f64::from_le_bytes(*number));
            body = rest;
        }
        let mut texts = Vec::with_capacity(self.texts.len());
        for _ in self.texts {
            let (length, rest) = body.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            texts.push(std::str::from_utf8(text).ok()?);
            body = rest;
        }
        Some(Record { layout: self, place, numbers, texts, incarnation: std::str::from_utf8(body).ok()? })
    }
}

impl Record<'_> {
    /// A number; `None` if it is absent, or no whole number within the range of amounts, above or below zero.
    pub fn number(&self, name: &str) -> Option<i64> {
        let place = self.layout.numbers.iter().position(|number| *number == name)?;
        let number = *self.numbers.get(place)?;
        let is_amount = number.fract() == 0.0 && number.abs() <= AMOUNT_MAX as f64;
        // It is whole and in range, so nothing is lost.
        is_amount.then_some(number as i64)
    }

    /// What lies where a number has its place, to the bit: zero has no sign, and what is absent is the one value that
    /// scripts write, whose sign is the processor's choice.
    pub fn lies(&self, name: &str) -> Number {
        let place = self.layout.numbers.iter().position(|number| *number == name);
        let Some(number) = place.and_then(|place| self.numbers.get(place)).copied() else {
            return Number::Absent;
        };
        let is_amount = number.fract() == 0.0 && number.is_sign_positive() && number <= AMOUNT_MAX as f64;
        match number.to_bits() & !SIGN {
            NONE => Number::Absent,
            // It is whole and in range, so nothing is lost.
            _ if is_amount => Number::Amount(number as u64),
            _ => Number::Other(number),
        }
    }

    /// The place at which the incarnation begins, as the record says, and as it is.
    pub fn places(&self) -> (usize, usize) {
        (usize::from(self.place), self.layout.size(&self.texts))
    }

    /// An amount: a number from 0.
    pub fn amount(&self, name: &str) -> Option<u64> {
        self.number(name).and_then(|number| number.try_into().ok())
    }

    /// A text; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        let place = self.layout.texts.iter().position(|text| *text == name);
        place.and_then(|place| self.texts.get(place)).copied().unwrap_or_default()
    }

    /// Which of those that had this id one after the other; empty for an id that is never given twice.
    pub fn incarnation(&self) -> &str {
        self.incarnation
    }

    /// A field as a text, whichever it is; `None` if it is absent.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = if name == field::INCARNATION { self.incarnation } else { self.text(name) };
        self.number(name).map(|number| number.to_string()).or_else(|| (!text.is_empty()).then(|| text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(tail: &[u8]) -> Vec<u8> {
        let mut bytes = vec![VERSION, 0];
        for number in [12.0, f64::NAN, 9_007_199_254_740_991.0] {
            bytes.extend(f64::to_le_bytes(number));
        }
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn a_record_is_taken_apart() {
        let bytes = order(b"\x04open\x01t\x03ann\x00l");
        let Found::Record(record) = ORDER.read(Some(&bytes)) else { panic!("it is a record") };
        assert_eq!((record.amount("total"), record.number("deadline")), (Some(12), None));
        assert_eq!(record.number("lease"), Some(9_007_199_254_740_991));
        assert_eq!((record.text("status"), record.text("user"), record.text("refusal")), ("open", "ann", ""));
        assert_eq!(
            (record.incarnation(), record.field(field::INCARNATION), record.field("refusal")),
            ("l", Some("l".to_owned()), None)
        );
        assert_eq!((record.field("total").as_deref(), record.field("nothing")), (Some("12"), None));
    }

    #[test]
    fn what_is_no_record_of_this_release_is_told_apart() {
        assert_eq!(ITEM.read(None), Found::Absent);
        assert_eq!(ITEM.read(Some(b"\x02")), Found::Newer);
        for bytes in [&b""[..], b"\x01", b"\x01\x22short", &order(b"\x09open"), &order(b"\x04open\x01\xff\x00\x00")] {
            assert_eq!(ORDER.read(Some(bytes)), Found::Unreadable, "{bytes:?}");
        }
    }

    #[test]
    fn only_what_scripts_write_is_an_amount_or_absent() {
        let mut bytes = vec![VERSION, 43];
        for bits in [0x7ff8 << 48, 0xfff8 << 48, 0, 1 << 63, 0x7ff8 << 48 | 1] {
            bytes.extend(u64::to_le_bytes(bits));
        }
        let Found::Record(item) = ITEM.read(Some(&bytes)) else { panic!("it is a record") };
        assert_eq!((item.lies("stock"), item.lies("held")), (Number::Absent, Number::Absent));
        assert_eq!(item.lies("net"), Number::Amount(0));
        for other in ["before", "price"] {
            assert!(matches!(item.lies(other), Number::Other(_)), "{other}");
        }
        assert_eq!(item.places(), (43, 42));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        let mut bytes = vec![VERSION, 0];
        for number in [-1.0, 0.5, f64::INFINITY, 9_007_199_254_740_992.0, 7.0] {
            bytes.extend(f64::to_le_bytes(number));
        }
        let Found::Record(item) = ITEM.read(Some(&bytes)) else { panic!("it is a record") };
        assert_eq!((item.number("stock"), item.amount("stock")), (Some(-1), None));
        assert_eq!((item.number("held"), item.number("net"), item.number("before")), (None, None, None));
        assert_eq!(item.amount("price"), Some(7));
    }
}
