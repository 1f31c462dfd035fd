//! Minted ids: where scripts find the milliseconds in one. They are its first twelve digits, with a hyphen among them:
//! `01935e5c-7e4c-…`. A test of the crate that mints them compares.

/// Digits before the first hyphen: the upper part of the milliseconds.
pub const MS_HIGH_DIGITS: usize = 8;
/// Digits between the first two hyphens: the lower part.
pub const MS_LOW_DIGITS: usize = 4;
/// Characters before the lower part.
pub const MS_LOW_OFFSET: usize = MS_HIGH_DIGITS + 1;
/// Characters before the rest, which begins with the second hyphen.
pub const REST_OFFSET: usize = MS_LOW_OFFSET + MS_LOW_DIGITS;
/// How many values the lower part has.
pub const MS_LOW_VALUES: u64 = 1 << (4 * MS_LOW_DIGITS);
