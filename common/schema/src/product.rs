//! Products: how what describes an item to buyers lies in Redis, and the members of the sorted sets that list products.
//!
//! A document is a string: its version (1); three doubles, little endian: its revision, when it was created and when it was
//! last written (Unix ms); and its body: the status in one byte; the handle, the sort name, the tags and the words, each
//! text behind its length in one byte, tags and words behind their number; the name behind its length in two bytes; and
//! the rest as JSON. What a script needs to keep the indexes right stands before the JSON, so none of them reads that, and
//! what was indexed is on record whatever a later release makes of a name.
//!
//! All sorted sets have score 0, so Redis keeps their members in the order of their bytes:
//!
//! | set | member |
//! |---|---|
//! | `{tag}:products`, `{tag}:tag:<name>` | sort name, 0, id |
//! | `{tag}:products:new` | milliseconds in 12 hexadecimal digits, 0, id |
//! | `{tag}:words` | word, 0, id |

use crate::words::words;

/// The version of all documents that this release writes.
pub const VERSION: u8 = 1;
/// Bytes before the revision.
pub const REVISION_OFFSET: usize = 1;
/// Bytes before the moment of creation.
pub const CREATED_OFFSET: usize = REVISION_OFFSET + 8;
/// Bytes before the moment of the last write.
pub const UPDATED_OFFSET: usize = CREATED_OFFSET + 8;
/// Bytes before the body.
pub const BODY_OFFSET: usize = UPDATED_OFFSET + 8;
/// Digits of a moment in a member.
pub const MOMENT_DIGITS: usize = 12;
/// How Lua writes a moment in a member.
pub const MOMENT_FORMAT: &str = "%012x";

words! {
    /// Whether a product is offered.
    Status {
        /// It is listed and found.
        Active = "active",
        /// It is neither listed nor found; it is known by its id and its handle.
        Archived = "archived",
    }
}

impl Status {
    /// How it stands in a document.
    pub const fn byte(self) -> u8 {
        match self {
            Status::Active => b'a',
            Status::Archived => b'x',
        }
    }

    /// Reads the byte.
    pub fn read(byte: u8) -> Option<Self> {
        Status::ALL.iter().copied().find(|status| status.byte() == byte)
    }
}

/// What a caller of the script writes: all of a document but for revision and moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Whether it is offered.
    pub status: Status,
    /// Its unique handle; empty if it has none.
    pub handle: String,
    /// By what it is listed.
    pub sort_name: String,
    /// Its tags, sorted, each once.
    pub tags: Vec<String>,
    /// By what it is found, sorted, each once.
    pub words: Vec<String>,
    /// Its name.
    pub name: String,
    /// What else describes it, as JSON.
    pub json: String,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// How often it was written.
    pub revision: u64,
    /// Unix ms.
    pub created_ms: u64,
    /// Unix ms.
    pub updated_ms: u64,
    /// What it says.
    pub body: Body,
}

/// What was found where a document should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A document of another version.
    Newer,
    /// Bytes that this release never writes.
    Unreadable,
    /// A document.
    Document(Document),
}

impl Body {
    /// The bytes as they lie in Redis. `None`: a text is longer than its length can say.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.name.len() + self.json.len() + 256);
        bytes.push(self.status.byte());
        let short = |bytes: &mut Vec<u8>, text: &str| {
            bytes.push(u8::try_from(text.len()).ok()?);
            bytes.extend(text.as_bytes());
            Some(())
        };
        short(&mut bytes, &self.handle)?;
        short(&mut bytes, &self.sort_name)?;
        for texts in [&self.tags, &self.words] {
            bytes.push(u8::try_from(texts.len()).ok()?);
            texts.iter().try_for_each(|text| short(&mut bytes, text))?;
        }
        bytes.extend(u16::try_from(self.name.len()).ok()?.to_le_bytes());
        bytes.extend(self.name.as_bytes());
        bytes.extend(self.json.as_bytes());
        Some(bytes)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (status, mut rest) = bytes.split_first()?;
        let handle = short(&mut rest)?;
        let sort_name = short(&mut rest)?;
        let tags = many(&mut rest)?;
        let words = many(&mut rest)?;
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (name, json) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some(Body {
            status: Status::read(*status)?,
            handle,
            sort_name,
            tags,
            words,
            name: text(name)?,
            json: text(json)?,
        })
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn short(rest: &mut &[u8]) -> Option<String> {
    let (length, behind) = rest.split_first()?;
    let (found, behind) = behind.split_at_checked(usize::from(*length))?;
    *rest = behind;
    text(found)
}

fn many(rest: &mut &[u8]) -> Option<Vec<String>> {
    let (count, behind) = rest.split_first()?;
    *rest = behind;
    (0..*count).map(|_| short(rest)).collect()
}

impl Document {
    /// Reads a document.
    pub fn read(bytes: Option<&[u8]>) -> Found {
        match bytes {
            None => Found::Absent,
            Some([VERSION, rest @ ..]) => Document::parse(rest).map_or(Found::Unreadable, Found::Document),
            Some([]) => Found::Unreadable,
            Some(_) => Found::Newer,
        }
    }

    fn parse(mut rest: &[u8]) -> Option<Self> {
        let mut number = || {
            let (bytes, behind) = rest.split_first_chunk::<8>()?;
            rest = behind;
            let number = f64::from_le_bytes(*bytes);
            // It is whole and within the range of amounts, so nothing is lost.
            (number.fract() == 0.0 && (0.0..=9_007_199_254_740_991.0).contains(&number)).then_some(number as u64)
        };
        let (revision, created_ms, updated_ms) = (number()?, number()?, number()?);
        Some(Document { revision, created_ms, updated_ms, body: Body::read(rest)? })
    }
}

/// What of a member stands before its id, and the id.
pub fn member(member: &[u8]) -> Option<(&[u8], &str)> {
    let at = member.iter().rposition(|byte| *byte == 0)?;
    Some((&member[..at], std::str::from_utf8(&member[at + 1..]).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        Body {
            status: Status::Active,
            handle: "tux".to_owned(),
            sort_name: "tux".to_owned(),
            tags: vec!["toy".to_owned()],
            words: vec!["toy".to_owned(), "tux".to_owned()],
            name: "Tüx".to_owned(),
            json: "{}".to_owned(),
        }
    }

    fn document(version: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![version];
        for number in [3.0, 1_795_000_000_123.0, 1_795_000_000_124.0] {
            bytes.extend(f64::to_le_bytes(number));
        }
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_document_is_read_as_it_is_written() {
        let body = body();
        let bytes = body.bytes().unwrap();
        assert_eq!(&bytes[..15], b"a\x03tux\x03tux\x01\x03toy\x02");
        let found = Document::read(Some(&document(VERSION, &bytes)));
        let (created_ms, updated_ms) = (1_795_000_000_123, 1_795_000_000_124);
        assert_eq!(found, Found::Document(Document { revision: 3, created_ms, updated_ms, body }));
    }

    #[test]
    fn what_is_no_document_of_this_release_is_told_apart() {
        assert_eq!(Document::read(None), Found::Absent);
        assert_eq!(Document::read(Some(&document(2, b"later"))), Found::Newer);
        for bytes in [&b""[..], b"\x01", &document(1, b"a\x09tux"), &document(1, b"z\x00\x00\x00\x00\x00\x00{}")] {
            assert_eq!(Document::read(Some(bytes)), Found::Unreadable, "{bytes:?}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_not_written() {
        let handle = "h".repeat(256);
        assert_eq!(Body { handle, ..body() }.bytes(), None);
    }

    #[test]
    fn a_member_is_taken_apart_at_its_last_zero() {
        assert_eq!(member(b"red shirt\x00s-1"), Some((&b"red shirt"[..], "s-1")));
        assert_eq!(member(b"nothing"), None);
    }
}
