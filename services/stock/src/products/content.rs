//! What describes a product: its form and its limits.

use serde_json::{Map, Value};
use shardcart_schema::limit::{ATTRIBUTES_MAX, DESCRIPTION_MAX, DOCUMENT_MAX, HANDLE_MAX, NAME_MAX, TAG_MAX, TAGS_MAX};
use shardcart_schema::product::{BODY_OFFSET, Body, Status};

use crate::products::text;

/// What describes a product, as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Whether it is listed.
    pub status: Status,
    /// What it is called.
    pub name: String,
    /// Its unique handle, if it has one.
    pub handle: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// Its tags, sorted, each once.
    pub tags: Vec<String>,
    /// What its shop knows of it besides.
    pub attributes: Map<String, Value>,
}

/// Why a part of a product's description is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Which: a JSON pointer into the product.
    pub pointer: String,
    /// What it has to be, for a person.
    pub detail: String,
}

fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Invalid {
    Invalid { pointer: pointer.into(), detail: detail.into() }
}

/// Whether a text may be a handle: 1 to 64 characters of `a-z 0-9 . _ -`, a letter or a digit first.
pub fn is_handle(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_inner = |byte: u8| is_plain(byte) || matches!(byte, b'.' | b'_' | b'-');
    text.len() <= HANDLE_MAX && text.bytes().next().is_some_and(is_plain) && text.bytes().all(is_inner)
}

/// A tag as it is kept, in lower case; `None` if it may be none: 1 to 64 bytes of letters, digits and `. _ -`.
pub fn tag(text: &str) -> Option<String> {
    let tag = text.to_lowercase();
    let is_inner = |at: char| at.is_alphanumeric() || matches!(at, '.' | '_' | '-');
    ((1..=TAG_MAX).contains(&tag.len()) && tag.chars().all(is_inner)).then_some(tag)
}

impl Content {
    /// Checks a description, and puts it into the form in which it is kept.
    ///
    /// # Errors
    /// All that is refused of it.
    pub fn checked(mut self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        self.name = self.name.trim().to_owned();
        if !(1..=NAME_MAX).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            wrong.push(invalid("/name", format!("a name has 1 to {NAME_MAX} characters, and no control characters")));
        }
        if self.handle.as_deref().is_some_and(|handle| !is_handle(handle)) {
            let form = format!("a handle has 1 to {HANDLE_MAX} characters of a-z 0-9 . _ -, a letter or digit first");
            wrong.push(invalid("/handle", form));
        }
        let is_odd = |at: char| at.is_control() && !matches!(at, '\n' | '\r' | '\t');
        if self.description.as_deref().is_some_and(|text| text.len() > DESCRIPTION_MAX || text.chars().any(is_odd)) {
            let form = format!("a description has {DESCRIPTION_MAX} bytes at most, and no control characters");
            wrong.push(invalid("/description", form));
        }
        if self.tags.len() > TAGS_MAX {
            wrong.push(invalid("/tags", format!("a product has {TAGS_MAX} tags at most")));
        } else {
            for (place, text) in self.tags.iter_mut().enumerate() {
                match tag(text) {
                    Some(tag) => *text = tag,
                    None => {
                        let form = format!("a tag has 1 to {TAG_MAX} bytes of letters, digits and . _ -");
                        wrong.push(invalid(format!("/tags/{place}"), form));
                    }
                }
            }
            self.tags.sort_unstable();
            self.tags.dedup();
        }
        let attributes = serde_json::to_string(&self.attributes).map_or(usize::MAX, |text| text.len());
        if attributes > ATTRIBUTES_MAX {
            wrong.push(invalid("/attributes", format!("attributes have {ATTRIBUTES_MAX} bytes of JSON at most")));
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    /// A checked description as it lies in Redis. `None`: it is too large for a document.
    pub(crate) fn body(&self) -> Option<Body> {
        let mut json = Map::new();
        if let Some(description) = &self.description {
            json.insert(DESCRIPTION.to_owned(), description.clone().into());
        }
        if !self.attributes.is_empty() {
            json.insert(ATTRIBUTES.to_owned(), self.attributes.clone().into());
        }
        Some(Body {
            status: self.status,
            handle: self.handle.clone().unwrap_or_default(),
            sort_name: text::sort_name(&self.name),
            tags: self.tags.clone(),
            words: text::index_words(&self.name, &self.tags),
            name: self.name.clone(),
            json: Value::Object(json).to_string(),
        })
    }

    /// The bytes of a checked description. `None`: it is too large for a document.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        self.body()?.bytes().filter(|bytes| BODY_OFFSET + bytes.len() <= DOCUMENT_MAX)
    }

    /// What a document says; `None`: it says what no release writes.
    pub(crate) fn of(body: Body) -> Option<Self> {
        let Value::Object(mut json) = serde_json::from_str(&body.json).ok()? else { return None };
        let description = match json.remove(DESCRIPTION) {
            None => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return None,
        };
        let attributes = match json.remove(ATTRIBUTES) {
            None => Map::new(),
            Some(Value::Object(attributes)) => attributes,
            Some(_) => return None,
        };
        let handle = Some(body.handle).filter(|handle| !handle.is_empty());
        Some(Content { status: body.status, name: body.name, handle, description, tags: body.tags, attributes })
    }
}

const DESCRIPTION: &str = "description";
const ATTRIBUTES: &str = "attributes";

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn named(name: &str) -> Content {
        Content {
            status: Status::Active,
            name: name.to_owned(),
            handle: None,
            description: None,
            tags: Vec::new(),
            attributes: Map::new(),
        }
    }

    #[test]
    fn a_description_comes_back_as_it_was_kept() {
        let mut content = named(" Tux ");
        content.tags = vec!["Toy".to_owned(), "bird".to_owned(), "toy".to_owned()];
        content.handle = Some("tux".to_owned());
        content.description = Some("a \"bird\"\n".to_owned());
        content.attributes.insert("colour".to_owned(), "black".into());
        let content = content.checked().unwrap();
        assert_eq!((content.name.as_str(), content.tags.join(" ").as_str()), ("Tux", "bird toy"));
        assert_eq!(Content::of(content.body().unwrap()), Some(content));
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let mut content = named(" ");
        content.handle = Some("-no".to_owned());
        content.description = Some("\u{0}".to_owned());
        content.tags = vec!["fine".to_owned(), "not fine".to_owned()];
        content.attributes.insert("long".to_owned(), "a".repeat(ATTRIBUTES_MAX).into());
        let wrong: Vec<String> = content.checked().unwrap_err().into_iter().map(|wrong| wrong.pointer).collect();
        assert_eq!(wrong, ["/name", "/handle", "/description", "/tags/1", "/attributes"]);
    }

    #[test]
    fn the_largest_description_fits_a_document() {
        let mut content = named(&"\u{1f427}".repeat(NAME_MAX));
        content.handle = Some("h".repeat(HANDLE_MAX));
        content.description = Some("\"".repeat(DESCRIPTION_MAX));
        content.tags = (10..10 + TAGS_MAX).map(|tag| format!("{tag}{}", "t".repeat(TAG_MAX - 2))).collect();
        content.attributes.insert("a".to_owned(), "b".repeat(ATTRIBUTES_MAX - 8).into());
        let content = content.checked().unwrap();
        assert_eq!(content.tags.len(), TAGS_MAX);
        assert!(content.bytes().is_some());
    }

    #[test]
    fn the_form_of_a_handle_is_checked() {
        for fine in ["tux", "0", "a.b_c-d", &"h".repeat(64)] {
            assert!(is_handle(fine), "{fine}");
        }
        for bad in ["", "Tux", "-a", "a b", "ä", "a:b", &"h".repeat(65)] {
            assert!(!is_handle(bad), "{bad}");
        }
    }
}
