//! Idempotency keys: how a client makes a call safe to repeat (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A script that is run with a key looks for the key's record, does its work and keeps the record in one atomic step:
//! see `lua/idempotency.lua` of `shardcart-schema`. Without a key none of this is run.

use std::fmt::{self, Display, Write};

use shardcart_schema::key;
use shardcart_schema::tag::Tag;

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

/// What makes a repeat of a request recognisable. The client chooses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

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
        if (1..=KEY_LENGTH_MAX).contains(&key.len()) { Ok(IdempotencyKey(key)) } else { Err(InvalidKey) }
    }

    /// The key as it was meant, without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A request that changes `target`, on the shard with this tag. `request` is what the client asks of it.
    pub fn change(&self, tag: Tag, target: &str, request: impl Display) -> Once {
        self.once(key::idempotency(tag, target, self).to_string(), request, "-")
    }

    /// A request that creates something, to be known as `id` if it is the first with this key.
    pub fn creation(&self, tag: Tag, id: &str, request: impl Display) -> Once {
        self.once(key::idempotent_creation(tag, self).to_string(), request, id)
    }

    fn once(&self, record: String, request: impl Display, answer: &str) -> Once {
        Once { record, request: request.to_string(), answer: answer.to_owned(), order_incarnation: String::new() }
    }
}

/// As it stands in the name of its record: what ids may not contain either is written as `%` and two digits.
impl Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'_' | b'.' | b'-' => formatter.write_char(byte.into()),
            byte if byte.is_ascii_alphanumeric() => formatter.write_char(byte.into()),
            byte => write!(formatter, "%{byte:02X}"),
        })
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

/// A request that is carried out once for its key: what `Script::once` puts into a call.
#[derive(Debug)]
pub struct Once {
    pub(crate) record: String,
    pub(crate) request: String,
    pub(crate) answer: String,
    pub(crate) order_incarnation: String,
}

impl Once {
    /// Says for which incarnation of an order the request is, as the scripts of payment take it.
    #[must_use]
    pub fn for_incarnation(self, order_incarnation: &str) -> Self {
        Once { order_incarnation: order_incarnation.to_owned(), ..self }
    }
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
    use shardcart_schema::tag::Owner;

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
    fn the_name_of_a_record_is_made_of_what_ids_are_made_of() {
        let tag = Tag::of(Owner::Order, 3);
        let key = IdempotencyKey::parse(b"\"a_B.9-:}{* %\"").unwrap();
        assert_eq!(key.change(tag, "7", "add 5").record, "{o3ajde}:key:7:a_B.9-%3A%7D%7B%2A%20%25");
        assert_eq!(key.creation(tag, "8", "create").record, "{o3ajde}:key:a_B.9-%3A%7D%7B%2A%20%25");
    }
}
