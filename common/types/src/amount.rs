//! Amounts and quantities: whole numbers that Lua and JSON represent exactly.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest amount: 2^53 - 1, the last whole number that a double (and so Lua) counts to exactly.
pub const AMOUNT_MAX: u64 = 9_007_199_254_740_991;

/// Why a text is no amount or quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmount {
    /// Not a whole number from 0 to 2^53-1.
    #[error("an amount is a whole number from 0 to 9007199254740991")]
    Amount,
    /// Not a whole number from 1 to 2^53-1.
    #[error("a quantity is a whole number from 1 to 9007199254740991")]
    Quantity,
}

/// Units of stock or of currency, from 0 to [`AMOUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Amount(u64);

/// Units of stock, from 1 to [`AMOUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Quantity(u64);

fn digits(text: &str) -> Option<u64> {
    // `u64::from_str` takes a leading `+`, which is no amount in a path.
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| plain && *value <= AMOUNT_MAX)
}

impl Amount {
    /// Takes a text of decimal digits as an amount.
    ///
    /// # Errors
    /// `InvalidAmount::Amount`: anything else, or beyond [`AMOUNT_MAX`].
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        digits(text).map(Amount).ok_or(InvalidAmount::Amount)
    }

    /// The number of units.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Quantity {
    /// One unit.
    pub const ONE: Quantity = Quantity(1);

    /// Takes a text of decimal digits as a quantity.
    ///
    /// # Errors
    /// `InvalidAmount::Quantity`: anything else, 0, or beyond [`AMOUNT_MAX`].
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        digits(text).filter(|value| *value > 0).map(Quantity).ok_or(InvalidAmount::Quantity)
    }

    /// The number of units.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Amount {
    type Error = InvalidAmount;

    fn try_from(value: u64) -> Result<Self, InvalidAmount> {
        if value <= AMOUNT_MAX { Ok(Amount(value)) } else { Err(InvalidAmount::Amount) }
    }
}

impl TryFrom<u64> for Quantity {
    type Error = InvalidAmount;

    fn try_from(value: u64) -> Result<Self, InvalidAmount> {
        if (1..=AMOUNT_MAX).contains(&value) { Ok(Quantity(value)) } else { Err(InvalidAmount::Quantity) }
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> u64 {
        amount.0
    }
}

impl From<Quantity> for u64 {
    fn from(quantity: Quantity) -> u64 {
        quantity.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_numbers_that_a_double_counts_to() {
        assert_eq!(Amount::parse("0").unwrap().get(), 0);
        assert_eq!(Amount::parse("9007199254740991").unwrap().get(), AMOUNT_MAX);
        for bad in ["", "-1", "+1", "1.5", "1e3", "x", " 1", "9007199254740992", "99999999999999999999999"] {
            assert_eq!(Amount::parse(bad), Err(InvalidAmount::Amount), "{bad:?}");
        }
    }

    #[test]
    fn quantities_begin_at_one() {
        assert_eq!(Quantity::parse("1"), Ok(Quantity::ONE));
        assert_eq!(Quantity::parse("0"), Err(InvalidAmount::Quantity));
    }

    #[test]
    fn numbers_have_the_same_range_as_texts() {
        assert_eq!(Amount::try_from(AMOUNT_MAX).map(Amount::get), Ok(AMOUNT_MAX));
        assert_eq!(Amount::try_from(AMOUNT_MAX + 1), Err(InvalidAmount::Amount));
        assert_eq!(Quantity::try_from(1), Ok(Quantity::ONE));
        assert_eq!(Quantity::try_from(0), Err(InvalidAmount::Quantity));
        assert_eq!(Quantity::try_from(AMOUNT_MAX + 1), Err(InvalidAmount::Quantity));
    }
}
