//! Whether one description has all that another had: paths, methods, parameters, members, words of enums, statuses.

use serde_json::Value;

/// What was there before and is not there now, as JSON pointers.
pub fn missing(before: &Value, now: &Value) -> Vec<String> {
    let mut gone = Vec::new();
    compare("", before, now, &mut gone);
    gone
}

fn compare(place: &str, before: &Value, now: &Value, gone: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            for (name, value) in before {
                let place = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                match now.get(name) {
                    Some(now) => compare(&place, value, now, gone),
                    // What a text says of it may go, and so may a bound.
                    None if value.is_object() || value.is_array() => gone.push(place),
                    None => {}
                }
            }
        }
        // An order means nothing: parameters are known by their names, words by themselves.
        (Value::Array(before), Value::Array(now)) => {
            for value in before {
                match now.iter().find(|now| is_same(value, now)) {
                    Some(now) => compare(&format!("{place}/{}", name_of(value)), value, now, gone),
                    // A member that need not be sent any more, or is not always there, is no loss of a member.
                    None if place.ends_with("/required") => {}
                    None => gone.push(format!("{place}/{}", name_of(value))),
                }
            }
        }
        (before, now) if is_kind(place) && before != now => gone.push(format!("{place}: {before} is {now}")),
        _ => {}
    }
}

/// Members whose value is what a client goes by.
fn is_kind(place: &str) -> bool {
    ["/type", "/$ref", "/operationId", "/in", "/const"].iter().any(|end| place.ends_with(end))
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one.get("name"), other.get("name")) {
        (Some(name), Some(of)) => name == of && one["in"] == other["in"],
        _ if one.is_object() => one["$ref"] == other["$ref"] && one["type"] == other["type"],
        _ => one == other,
    }
}

fn name_of(value: &Value) -> String {
    let name = value["name"].as_str().or_else(|| value["$ref"].as_str()).or_else(|| value.as_str());
    name.map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn description() -> Value {
        json!({
            "paths": { "/v1/things": {
                "get": {
                    "operationId": "list", "summary": "All",
                    "parameters": [{ "name": "tag", "in": "query", "schema": { "type": "string", "maxLength": 9 } }],
                    "responses": { "200": { "description": "All" } },
                },
                "post": { "operationId": "create" },
            } },
            "components": { "schemas": { "Thing": {
                "type": "object", "required": ["name"],
                "properties": { "name": { "type": "string" }, "state": { "type": "string", "enum": ["on", "off"] } },
            } } },
        })
    }

    fn changed(pointer: &str, change: impl Fn(&mut Value)) -> Vec<String> {
        let mut now = description();
        change(now.pointer_mut(pointer).expect("it is there"));
        missing(&description(), &now)
    }

    #[test]
    fn what_disappears_is_found_wherever_it_was() {
        let without =
            |pointer: &str, name: &'static str| changed(pointer, |all| drop(all.as_object_mut().unwrap().remove(name)));
        assert_eq!(without("/paths", "/v1/things"), ["/paths/~1v1~1things"]);
        assert_eq!(without("/paths/~1v1~1things", "post"), ["/paths/~1v1~1things/post"]);
        assert_eq!(without("/paths/~1v1~1things/get/responses", "200").len(), 1);
        assert_eq!(without("/components/schemas/Thing/properties", "state").len(), 1);
        let words = "/components/schemas/Thing/properties/state/enum";
        assert_eq!(changed(words, |all| *all = json!(["on"])), [format!("{words}/off")]);
        assert_eq!(changed("/paths/~1v1~1things/get/parameters", |all| *all = json!([])).len(), 1);
        assert_eq!(changed("/components/schemas/Thing/properties/name/type", |kind| *kind = json!("integer")).len(), 1);
        assert_eq!(changed("/paths/~1v1~1things/post/operationId", |name| *name = json!("make")).len(), 1);
    }

    #[test]
    fn what_is_added_or_said_in_other_words_is_no_loss() {
        assert!(changed("/paths/~1v1~1things", |all| all["delete"] = json!({ "operationId": "remove" })).is_empty());
        assert!(changed("/paths/~1v1~1things/get/summary", |summary| *summary = json!("All of them")).is_empty());
        assert!(
            changed("/components/schemas/Thing/properties/state/enum", |all| *all = json!(["off", "dim", "on"]))
                .is_empty()
        );
        assert!(changed("/components/schemas/Thing/required", |all| *all = json!([])).is_empty());
        let parameters = "/paths/~1v1~1things/get/parameters";
        let more = |all: &mut Value| all.as_array_mut().unwrap().insert(0, json!({ "name": "q", "in": "query" }));
        assert!(changed(parameters, more).is_empty());
    }
}
