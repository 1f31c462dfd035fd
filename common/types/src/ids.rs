//! Identifiers: what a client may name, and what we mint (UUID version 8 with the shard's number inside).

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use uuid::Uuid;

/// The longest identifier a client may use, in characters.
pub const ID_LENGTH_MAX: usize = 64;

/// Why a text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 characters of A-Z a-z 0-9 _ . -")]
pub struct InvalidId;

/// Checks the form of an identifier: 1 to 64 characters of `[A-Za-z0-9_.-]`.
///
/// # Errors
/// `InvalidId`: it has another form.
pub fn check(id: &str) -> Result<(), InvalidId> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if (1..=ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(allowed) { Ok(()) } else { Err(InvalidId) }
}

/// An id as it is kept: a UUID of the kind that we mint names the same thing in upper-case digits, every other id is as
/// it is written.
fn canonical(id: &str) -> String {
    let mut kept = id.to_owned();
    if id.len() == 36 && id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        kept.make_ascii_lowercase();
        if minted_shard(&kept).is_none() {
            id.clone_into(&mut kept);
        }
    }
    kept
}

/// Milliseconds since the Unix epoch by this machine's clock.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Mints an id that names a shard: a UUID version 8 (RFC 9562) of 48 bits of Unix milliseconds, the upper 12 bits of the
/// shard's number after the version and its lower 4 after the variant, and 58 random bits.
pub fn mint(shard: u16, unix_ms: u64) -> String {
    let mut bytes = *Uuid::new_v4().as_bytes();
    bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    let [high, low] = shard.to_be_bytes();
    bytes[6] = high >> 4;
    bytes[7] = (high << 4) | (low >> 4);
    bytes[8] = ((low & 0x0f) << 2) | (bytes[8] & 0x03);
    // `new_v8` puts version and variant over the bits left free above.
    Uuid::new_v8(bytes).hyphenated().to_string()
}

/// The number of the shard that a minted id names; `None` for any other id.
pub fn minted_shard(id: &str) -> Option<u16> {
    let bytes = id.as_bytes();
    if bytes.len() != 36 || bytes[14] != b'8' || !matches!(bytes[19], b'8' | b'9' | b'a' | b'b') {
        return None;
    }
    let mut digits = bytes.iter().enumerate();
    let well_formed = digits.all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    if !well_formed {
        return None;
    }
    let digit = |place: usize| (bytes[place] as char).to_digit(16).and_then(|value| u16::try_from(value).ok());
    let upper = (digit(15)? << 8) | (digit(16)? << 4) | digit(17)?;
    let lower = ((digit(19)? & 0x3) << 2) | (digit(20)? >> 2);
    Some((upper << 4) | lower)
}

/// The Unix milliseconds in a minted id; 0 for any other.
pub fn minted_ms(id: &str) -> u64 {
    let digits = id.get(0..8).zip(id.get(9..13)).map(|(high, low)| format!("{high}{low}"));
    digits.and_then(|digits| u64::from_str_radix(&digits, 16).ok()).unwrap_or(0)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes a text as an id.
            ///
            /// # Errors
            /// `InvalidId`: see [`check`].
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check(text).map(|()| $name(canonical(text)))
            }

            /// Mints a new id that names a shard.
            pub fn mint(shard: u16, unix_ms: u64) -> Self {
                $name(mint(shard, unix_ms))
            }

            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                $name::parse(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                check(&text).map_err(D::Error::custom)?;
                Ok($name(text))
            }
        }
    };
}

identifier!(
    /// An order.
    OrderId
);
identifier!(
    /// An item of stock.
    ItemId
);
identifier!(
    /// A user with credit.
    UserId
);
identifier!(
    /// One attempt to pay an order: the fencing token of everything done for it.
    TxId
);

impl TxId {
    /// When it was minted, in Unix milliseconds.
    pub fn minted_ms(&self) -> u64 {
        minted_ms(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_id_names_its_shard_and_moment() {
        for shard in [0, 1, 15, 16, 113, 4095, 40_000, u16::MAX] {
            let id = mint(shard, 1_795_000_000_123);
            assert_eq!(minted_shard(&id), Some(shard), "{id}");
            assert_eq!(minted_ms(&id), 1_795_000_000_123);
            assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 8);
        }
    }

    #[test]
    fn other_ids_name_no_shard() {
        for id in [
            "0",
            "item_1",
            "01935e5c-7e4c-7abc-8def-0123456789ab",
            "01935E5C-7E4C-8ABC-8DEF-0123456789AB",
            "01935e5c-7e4c-8abc-cdef-0123456789ab",
        ] {
            assert_eq!(minted_shard(id), None, "{id}");
        }
    }

    #[test]
    fn a_minted_id_is_the_same_in_upper_case() {
        let id = ItemId::mint(4095, 1_795_000_000_123);
        assert_eq!(ItemId::parse(&id.as_str().to_uppercase()), Ok(id));
        for other in ["ITEM", "01935E5C-7E4C-7ABC-8DEF-0123456789AB"] {
            assert_eq!(ItemId::parse(other).unwrap().as_str(), other);
        }
    }

    #[test]
    fn the_form_of_an_id_is_checked() {
        assert!(check(&"a".repeat(64)).is_ok());
        for bad in ["", &"a".repeat(65), "a b", "a/b", "ü", "a:b", "{1}", "a\0"] {
            assert_eq!(check(bad), Err(InvalidId), "{bad:?}");
        }
    }
}
