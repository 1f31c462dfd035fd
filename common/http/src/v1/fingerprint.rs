//! The fingerprint of a request: what two requests have in common if one is a repeat of the other.

use std::fmt::Write;

use serde_json::Value;

/// The version of the form. Records made in another form are those of other requests.
const VERSION: &str = "v1";

/// The method, the path with its query, and what the body says: members as they were sent, sorted by name. Two texts of
/// a body that say the same have the same fingerprint.
pub fn fingerprint(method: &str, path: &str, body: Option<&Value>) -> String {
    let mut text = format!("{VERSION} {method} {path} ");
    if let Some(body) = body {
        write(&mut text, body);
    }
    text
}

/// A body has at most [`DEPTH_MAX`](super::strict::DEPTH_MAX) levels.
fn write(text: &mut String, value: &Value) {
    match value {
        Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(text, element);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(text, &Value::String(name.clone()));
                text.push(':');
                write(text, value);
            }
            text.push('}');
        }
        plain => {
            // Writing to a text does not fail.
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> String {
        fingerprint("POST", "/v1/products", Some(&serde_json::from_str(body).unwrap()))
    }

    /// A record outlives a release: these never change.
    #[test]
    fn fingerprints_stay_as_they_are() {
        for (body, expected) in [
            ("{}", "v1 POST /v1/products {}"),
            (
                r#" { "b" : [1, 2.50, 1e3, -0] , "a" : null } "#,
                r#"v1 POST /v1/products {"a":null,"b":[1,2.5,1000.0,-0.0]}"#,
            ),
            (
                r#"{"n":"\u00fc\/\n\"\u0001","B":true,"a":{"z":1,"y":{}}}"#,
                "v1 POST /v1/products {\"B\":true,\"a\":{\"y\":{},\"z\":1},\"n\":\"ü/\\n\\\"\\u0001\"}",
            ),
            (r#"{"amount":9007199254740991}"#, r#"v1 POST /v1/products {"amount":9007199254740991}"#),
        ] {
            assert_eq!(of(body), expected);
        }
        assert_eq!(fingerprint("DELETE", "/v1/products/tux", None), "v1 DELETE /v1/products/tux ");
    }

    #[test]
    fn only_what_is_said_counts() {
        assert_eq!(of(r#"{"a":1,"b":[2]}"#), of("{ \"b\": [ 2 ],\r\n \"\\u0061\":1 }"));
        for other in [r#"{"a":"1"}"#, r#"{"a":1.0}"#, r#"{"a":null}"#, "{}", r#"[{"a":1}]"#] {
            assert_ne!(of(r#"{"a":1}"#), of(other), "{other}");
        }
        assert_ne!(of(r#"["a,b"]"#), of(r#"["a","b"]"#));
    }
}
