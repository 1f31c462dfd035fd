//! Idempotency keys: how a client makes a call safe to repeat (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A script that is run with a key looks for the key's record, does its work and keeps the record in one atomic step:
//! see `lua/idempotency.lua` of `shardcart-schema`. Without a key none of this is run.

use std::fmt::Display;

use shardcart_schema::idempotency::NO_ANSWER;
use shardcart_schema::key;
use shardcart_schema::limit::IDEMPOTENCY_COUNTED_MS;
use shardcart_types::ids::now_ms;

use crate::once::digest;
use crate::shard::Shard;

pub use crate::once::Once;

/// The longest key, in characters.
pub const KEY_LENGTH_MAX: usize = 255;

/// Why the header names no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Idempotency-Key is given once, and holds 1 to 255 printable ASCII characters in double quotes")]
pub struct InvalidKey;

/// The key was used for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this Idempotency-Key was used for another request; a new request needs a new key")]
pub struct KeyReused;

/// The shard has as many records of keys as it may. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many calls with an Idempotency-Key in the last day; nothing was done")]
pub struct TooManyKeys;

impl TooManyKeys {
    /// The seconds after which there may be room: counts go by the full hour.
    pub fn retry_after_s() -> u32 {
        let left_ms = IDEMPOTENCY_COUNTED_MS - now_ms() % IDEMPOTENCY_COUNTED_MS;
        u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX)
    }
}

/// What makes a repeat of a request recognisable. The client chooses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    scope: String,
}

impl IdempotencyKey {
    /// Reads the value of the header: a string of structured fields (RFC 8941), or the same without quotes if it has
    /// no space, quote, comma or semicolon.
    ///
    /// # Errors
    /// `InvalidKey`: it has another form, or another length than 1 to 255 characters.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidKey> {
        let key = match value.trim_ascii() {
            [b'"', quoted @ .., b'"'] => unquote(quoted)?,
            bare if bare.iter().all(is_bare) => bare.iter().copied().map(char::from).collect(),
            _ => return Err(InvalidKey),
        };
        if (1..=KEY_LENGTH_MAX).contains(&key.len()) {
            Ok(IdempotencyKey { key, scope: String::new() })
        } else {
            Err(InvalidKey)
        }
    }

    /// The key of one of several callers: that of another is another key. Empty where callers are not told apart.
    #[must_use]
    pub fn scoped(self, caller: &str) -> Self {
        IdempotencyKey { scope: caller.to_owned(), ..self }
    }

    /// The key as it was meant, without quotes.
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// A request that changes `target`, on its shard. `request` is what the client asks of it.
    pub fn change(&self, shard: &Shard, target: &str, request: impl Display) -> Once {
        self.once(shard, target, request, NO_ANSWER)
    }

    /// A request that creates something on a shard, to be known as `id` if it is the first with this key.
    pub fn creation(&self, shard: &Shard, id: &str, request: impl Display) -> Once {
        // No id is empty.
        self.once(shard, "", request, id)
    }

    fn once(&self, shard: &Shard, target: &str, request: impl Display, answer: &str) -> Once {
        Once {
            record: key::idempotency(shard.tag(), self.digest(target)).to_string(),
            request: digest(&[&request.to_string()]),
            answer: answer.to_owned(),
            order_incarnation: String::new(),
            counts: key::keyed(shard.tag()).to_string(),
            records_max: Some(shard.idempotency_records_max()),
        }
    }

    /// What stands for the key in the name of its record.
    fn digest(&self, target: &str) -> String {
        digest(&[&self.scope, target, &self.key])
    }
}

/// A comma would be two keys in one header, a semicolon a parameter.
fn is_bare(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';')
}

/// The content of a string of structured fields (RFC 8941, section 3.3.3).
fn unquote(quoted: &[u8]) -> Result<String, InvalidKey> {
    let mut bytes = quoted.iter();
    let mut text = String::with_capacity(quoted.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => bytes.next().filter(|escaped| matches!(escaped, b'"' | b'\\')).ok_or(InvalidKey)?,
            b'"' => return Err(InvalidKey),
            b' '..=b'~' => byte,
            _ => return Err(InvalidKey),
        };
        text.push(char::from(*byte));
    }
    Ok(text)
}

/// What an operation gave, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T = ()> {
    /// The result: the same for a replay.
    pub value: T,
    /// Whether it was done before, for the same key, and not again.
    pub is_replay: bool,
}

impl<T> Done<T> {
    /// It was done now.
    pub fn now(value: T) -> Self {
        Done { value, is_replay: false }
    }

    /// It was done when the key came first.
    pub fn before(value: T) -> Self {
        Done { value, is_replay: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Result<String, InvalidKey> {
        IdempotencyKey::parse(value.as_bytes()).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn a_key_is_a_string_of_structured_fields() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(key(&format!("\"{uuid}\"")).as_deref(), Ok(uuid));
        assert_eq!(key(r#"  "a b,c;d=\"e\" \\"  "#).as_deref(), Ok(r#"a b,c;d="e" \"#));
        assert_eq!(key(&format!("\"{}\"", "~".repeat(255))), Ok("~".repeat(255)));
        assert_eq!(
            key(&format!("\"{}\"", "\\\\".repeat(255))),
            Ok("\\".repeat(255)),
            "it is the key that has a length"
        );
        assert_eq!(key("\" \"").as_deref(), Ok(" "));
    }

    #[test]
    fn a_key_without_quotes_is_the_same_key() {
        assert_eq!(key("8e03978e").as_deref(), Ok("8e03978e"));
        assert_eq!(key("!#$%&'()*+-./:<=>?@[\\]^_`{|}~").as_deref(), Ok("!#$%&'()*+-./:<=>?@[\\]^_`{|}~"));
        assert_eq!(key(&"a".repeat(255)), Ok("a".repeat(255)));
    }

    #[test]
    fn everything_else_is_refused() {
        let long = ["a".repeat(256), format!("\"{}\"", "a".repeat(256))];
        let bad = ["", " ", "\"\"", "\"", "a b", "a,b", "a;b", "a\"", "\"a", "\"a\"b\"", "\"a\", \"b\"", "\"a\";x=1"];
        for value in bad.into_iter().chain(long.iter().map(String::as_str)) {
            assert_eq!(key(value), Err(InvalidKey), "{value:?}");
        }
        for value in ["\"a\\\"", "\"\\a\"", "\"\u{7f}\"", "\"a\tb\"", "\"\u{fc}\"", "\u{fc}", "a\tb"] {
            assert_eq!(key(value), Err(InvalidKey), "{value:?}");
        }
    }

    #[test]
    fn what_a_key_is_known_by_has_one_size_and_never_changes() {
        let key = |text: &str| IdempotencyKey::parse(text.as_bytes()).unwrap();
        let uuid = key("8e03978e-40d5-43dd-bc93-6894a57f9324");
        assert_eq!(uuid.digest("7"), "8uq2yiGwZUd6hlONPnGIfw");
        assert_eq!(key("~").scoped("caller").digest(""), "SEz-TrvCLbwFEfEhEw-4_Q");
        assert_eq!(key(&"~".repeat(255)).digest(&"i".repeat(64)).len(), 22);
    }

    #[test]
    fn keys_of_other_callers_and_other_targets_are_others() {
        let key = |caller: &str| IdempotencyKey::parse(b"k").unwrap().scoped(caller);
        assert_eq!(key("").digest("7"), IdempotencyKey::parse(b"\"k\"").unwrap().digest("7"));
        assert_ne!(key("a").digest("7"), key("b").digest("7"));
        assert_ne!(key("a").digest("7"), key("").digest("7"));
        assert_ne!(key("").digest("7"), key("").digest(""));
        assert_ne!(key("7").digest(""), key("").digest("7"));
    }
}
