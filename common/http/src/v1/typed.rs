//! From what a body or a query says to a type, with the place of what does not fit.

use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use shardcart_types::code::Code;

use super::exact::Exact;
use super::money;
use super::strict::push_segment;
use crate::problem::Problem;

/// Reads a type of what a body says.
///
/// # Errors
/// `invalid_body`, `currency_mismatch`, with the place.
pub fn of_body<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Exact(value)).map_err(|error| {
        let message = error.inner().to_string();
        let pointer = pointer_to(error.path(), &message);
        if let Some(detail) = message.strip_prefix(money::ANOTHER_CURRENCY) {
            return Problem::new(Code::CurrencyMismatch, detail).at(pointer, "currency_mismatch", detail);
        }
        Problem::new(Code::InvalidBody, format!("the body is not accepted: {message}")).at(
            pointer,
            fault(&message),
            message,
        )
    })
}

/// Reads a type of the parameters of a query.
///
/// # Errors
/// `invalid_query`, with the parameter.
pub fn of_query<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, Problem> {
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let message = error.inner().to_string();
        let pointer = pointer_to(error.path(), &message);
        let detail = message.replacen(" field ", " parameter ", 1);
        Problem::new(Code::InvalidQuery, format!("the query is not accepted: {detail}")).at_parameter(
            pointer.trim_start_matches('/'),
            fault(&message),
            detail,
        )
    })
}

/// What is wrong, by how serde says it.
fn fault(message: &str) -> &'static str {
    const WORDS: [(&str, &str); 5] = [
        ("unknown field ", "unknown_member"),
        ("missing field ", "missing_member"),
        ("duplicate field ", "duplicate_member"),
        ("invalid type: ", "wrong_type"),
        ("unknown variant ", "unknown_value"),
    ];
    WORDS.iter().find(|(said, _)| message.starts_with(said)).map_or("invalid_value", |(_, word)| word)
}

/// The pointer to the member that an error is about.
fn pointer_to(path: &Path, message: &str) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push_segment(&mut pointer, &index.to_string()),
            Segment::Map { key } | Segment::Enum { variant: key } => push_segment(&mut pointer, key),
            Segment::Unknown => {}
        }
    }
    // Of a member that is missing, unknown or doubled, serde names the one around it.
    if fault(message).ends_with("_member")
        && let Some(name) = message.split('`').nth(1)
    {
        let mut whole = String::new();
        push_segment(&mut whole, name);
        if !pointer.ends_with(&whole) {
            pointer.push_str(&whole);
        }
    }
    pointer
}
