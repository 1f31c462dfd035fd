//! Cursors: where in a list the next page begins. They are opaque and stateless: any machine reads them.
//!
//! Base64url (RFC 4648, section 5) of a version, a digest of the list and its query, and the position as JSON. So a
//! cursor of another list or another query is recognised; who makes one up sees nothing that the query does not show.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha1_smol::Sha1;
use shardcart_types::code::Code;

use crate::problem::Problem;

const VERSION: u8 = 1;
const DIGEST: usize = 8;
/// The longest cursor, in characters.
pub const CURSOR_LENGTH_MAX: usize = 2048;

/// A list with its query, as far as it chooses what is in the list and in which order: neither `limit` nor `cursor`.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// The kind of list: a word of the code.
    pub kind: &'static str,
    /// The query, in one form.
    pub query: &'a str,
}

impl List<'_> {
    fn digest(self) -> [u8; DIGEST] {
        let mut sha = Sha1::new();
        sha.update(self.kind.as_bytes());
        sha.update(&[0]);
        sha.update(self.query.as_bytes());
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&sha.digest().bytes()[..DIGEST]);
        digest
    }

    /// The cursor of a position in this list.
    pub fn cursor(self, position: &impl Serialize) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.digest());
        // A position is made of texts and numbers, which can always be written.
        if let Err(error) = serde_json::to_writer(&mut bytes, position) {
            log::error!(error:%; "a position in a list cannot be written");
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position of a cursor of this list.
    ///
    /// # Errors
    /// `invalid_cursor`: it is none of this list and this query.
    pub fn position<T: DeserializeOwned>(self, cursor: &str) -> Result<T, Problem> {
        self.read(cursor).ok_or_else(|| {
            let detail = "the cursor is none of this list with this query; begin without one";
            Problem::new(Code::InvalidCursor, detail).at_parameter("cursor", "invalid_cursor", detail)
        })
    }

    fn read<T: DeserializeOwned>(self, cursor: &str) -> Option<T> {
        let cursor = Some(cursor).filter(|cursor| cursor.len() <= CURSOR_LENGTH_MAX)?;
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let digest = bytes.strip_prefix(&[VERSION])?;
        let position = digest.strip_prefix(self.digest().as_slice())?;
        serde_json::from_slice(position).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOYS: List<'static> = List { kind: "products", query: "tag=toy" };

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let cursor = TOYS.cursor(&("tux", 7));
        assert_eq!(TOYS.position::<(String, u64)>(&cursor).unwrap(), ("tux".to_owned(), 7));
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{cursor}");
        // Machines of two releases read one another's cursors.
        assert_eq!(cursor, "AVzpaVqtiS2EWyJ0dXgiLDdd");
    }

    #[test]
    fn a_cursor_of_something_else_is_refused() {
        let refused = |cursor: &str| TOYS.position::<(String, u64)>(cursor).unwrap_err().code() == Code::InvalidCursor;
        assert!(refused(&List { query: "tag=book", ..TOYS }.cursor(&("tux", 7))), "another query");
        assert!(refused(&List { kind: "orders", ..TOYS }.cursor(&("tux", 7))), "another list");
        assert!(refused(&TOYS.cursor(&"tux")), "another form of position");
        let mut changed = TOYS.cursor(&("tux", 7)).into_bytes();
        changed[0] = b'B';
        assert!(refused(&String::from_utf8(changed).unwrap()), "another version");
        for made_up in ["", "x", "AQ==", "\u{e4}", "eyJhIjoxfQ", &"A".repeat(CURSOR_LENGTH_MAX + 1)] {
            assert!(refused(made_up), "{made_up}");
        }
    }
}
