//! JSON as /v1 reads it: nothing in it has two meanings, and nothing is lost when it is read.
//!
//! Refused are: what is not UTF-8, doubled members, more than [`DEPTH_MAX`] levels, and numbers that a double does not
//! count to (RFC 8259, section 6).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::code::Code;

use crate::problem::Problem;

/// Levels of objects and lists in one another.
pub const DEPTH_MAX: usize = 32;

/// [`AMOUNT_MAX`] as a double, which counts to it exactly.
const NUMBER_MAX: f64 = 9_007_199_254_740_991.0;

/// What was found wrong.
struct Found {
    pointer: String,
    code: &'static str,
    detail: String,
}

/// Reads a body.
///
/// # Errors
/// `invalid_body`, with the place.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let detail = format!("byte {} is not UTF-8", error.valid_up_to());
        Problem::new(Code::InvalidBody, "the body is not UTF-8").at("", "not_utf8", detail)
    })?;
    let found = RefCell::new(None);
    let place = Place { outer: None, name: Name::Root, depth: 0, found: &found };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = place.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| match found.into_inner() {
        Some(Found { pointer, code, detail }) => {
            Problem::new(Code::InvalidBody, format!("the body is not accepted: {detail}")).at(pointer, code, detail)
        }
        None => Problem::new(Code::InvalidBody, "the body is not JSON").at("", "syntax", error),
    })
}

/// The name of a value in the one around it.
enum Name<'a> {
    Root,
    Member(&'a str),
    Element(usize),
}

/// A place in the body at which a value is read.
struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    name: Name<'a>,
    depth: usize,
    found: &'a RefCell<Option<Found>>,
}

impl Place<'_> {
    fn inside<'a>(&'a self, name: Name<'a>) -> Place<'a> {
        Place { outer: Some(self), name, depth: self.depth + 1, found: self.found }
    }

    fn pointer(&self) -> String {
        let mut pointer = self.outer.map(Place::pointer).unwrap_or_default();
        match self.name {
            Name::Root => {}
            Name::Member(name) => push_segment(&mut pointer, name),
            Name::Element(index) => push_segment(&mut pointer, &index.to_string()),
        }
        pointer
    }

    /// Notes what is wrong here, and ends the reading.
    fn wrong<E: serde::de::Error>(&self, code: &'static str, detail: impl fmt::Display) -> E {
        let (pointer, detail) = (self.pointer(), detail.to_string());
        *self.found.borrow_mut() = Some(Found { pointer, code, detail });
        E::custom("")
    }

    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth < DEPTH_MAX {
            return Ok(());
        }
        Err(self.wrong("too_deep", format_args!("a body has at most {DEPTH_MAX} levels")))
    }

    fn number<E: serde::de::Error>(&self, is_in_range: bool, number: Option<Number>) -> Result<Value, E> {
        let number = number.filter(|_| is_in_range).map(Value::Number);
        number.ok_or_else(|| {
            self.wrong("out_of_range", format_args!("numbers are between -{AMOUNT_MAX} and {AMOUNT_MAX}"))
        })
    }
}

/// Adds a segment to a JSON pointer.
pub fn push_segment(pointer: &mut String, segment: &str) {
    pointer.push('/');
    for letter in segment.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            letter => pointer.push(letter),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.number(value <= AMOUNT_MAX, Some(value.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.number(value.unsigned_abs() <= AMOUNT_MAX, Some(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.number(value.abs() <= NUMBER_MAX, Number::from_f64(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inside(Name::Element(list.len())))? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let place = self.inside(Name::Member(&name));
            if object.contains_key(&name) {
                return Err(place.wrong("duplicate_member", "a member is given twice"));
            }
            let value = members.next_value_seed(place)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shardcart_telemetry::trace::About;

    use super::*;

    /// Pointer and code of what is wrong with a body.
    fn wrong(body: &[u8]) -> (String, String) {
        let problem = parse(body).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidBody);
        let told: Value = serde_json::from_str(&problem.body_of_v1(&About::default())).unwrap();
        let text = |name: &str| told["errors"][0][name].as_str().unwrap().to_owned();
        (text("pointer"), text("code"))
    }

    fn at(pointer: &str, code: &str) -> (String, String) {
        (pointer.to_owned(), code.to_owned())
    }

    #[test]
    fn a_body_is_read_as_it_is_written() {
        let body = r#" {"a":[1,-2,0.5,true,null,"\u00fc\n"],"":{"x":9007199254740991}} "#;
        assert_eq!(
            parse(body.as_bytes()).unwrap(),
            json!({"a":[1,-2,0.5,true,null,"ü\n"],"":{"x":9_007_199_254_740_991_u64}})
        );
    }

    #[test]
    fn doubled_members_are_refused_wherever_they_are() {
        assert_eq!(wrong(br#"{"a":1,"a":1}"#), at("/a", "duplicate_member"));
        assert_eq!(wrong(br#"{"lines":[{},{"a/b~":1,"\u0061/b~":2}]}"#), at("/lines/1/a~1b~0", "duplicate_member"));
    }

    #[test]
    fn depth_ends_at_thirty_two_levels() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(wrong(nested(DEPTH_MAX + 1).as_bytes()), at(&"/0".repeat(DEPTH_MAX), "too_deep"));
        assert_eq!(wrong("[".repeat(60_000).as_bytes()).1, "too_deep");
        assert_eq!(wrong(r#"{"a":"#.repeat(1000).as_bytes()).1, "too_deep");
    }

    #[test]
    fn numbers_are_those_that_a_double_counts_to() {
        for beyond in ["9007199254740992", "-9007199254740992", "18446744073709551616", "1e16", "-1.1e18", "1e308"] {
            assert_eq!(wrong(format!(r#"{{"n":{beyond}}}"#).as_bytes()), at("/n", "out_of_range"), "{beyond}");
        }
        for syntax in ["NaN", "Infinity", "-Infinity", "1e999", "01", "+1", "0x10", ".5"] {
            assert_eq!(wrong(format!(r#"{{"n":{syntax}}}"#).as_bytes()).1, "syntax", "{syntax}");
        }
    }

    #[test]
    fn what_is_not_json_in_utf8_is_refused() {
        assert_eq!(wrong(b"{\"a\":\"\xff\"}"), at("", "not_utf8"));
        for syntax in ["{", "", "{}{}", "{'a':1}", "{\"a\":1,}", "\u{feff}{}", "\"\\ud800\"", "tru", "\"\t\""] {
            assert_eq!(wrong(syntax.as_bytes()), at("", "syntax"), "{syntax:?}");
        }
    }
}
