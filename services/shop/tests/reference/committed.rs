//! The committed description. `UPDATE_DOCS=1` writes it anew, unless something in it would disappear.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use shardcart_shop::reference::document;

use crate::grown::missing;

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"))
}

#[test]
fn the_committed_description_is_what_the_handlers_say_and_nothing_of_it_is_gone() {
    let made = document();
    let committed = fs::read_to_string(file()).unwrap_or_else(|_| "{}".to_owned());
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("a description is JSON");
    let gone = missing(&read(&committed), &read(made.text()));
    assert!(gone.is_empty(), "clients rely on what is gone: {gone:#?}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file(), made.text()).expect("the description can be written");
    } else {
        assert!(
            committed == made.text(),
            "docs/openapi.json is not what the handlers say: run this with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn each_call_has_a_name_of_its_own_words_and_an_answer() {
    let document: Value = serde_json::from_str(document().text()).expect("a description is JSON");
    let (mut names, mut complaints) = (Vec::new(), Vec::new());
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
            if name.is_empty() || names.contains(&name) {
                complaints.push(format!("{method} {path}: its operation_id `{name}` is not its own"));
            }
            names.push(name);
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                complaints.push(format!("{method} {path}: no summary"));
            }
            if operation["tags"][0].as_str().is_none_or(|tag| tag.contains("::")) {
                complaints.push(format!("{method} {path}: no tag"));
            }
            let answers = operation["responses"].as_object().expect("answers");
            if !answers.keys().any(|status| status.starts_with(['2', '3'])) {
                complaints.push(format!("{method} {path}: no answer but problems"));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn each_body_refuses_members_that_it_does_not_know() {
    let document: Value = serde_json::from_str(document().text()).expect("a description is JSON");
    let mut complaints = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = match schema["$ref"].as_str() {
                Some(to) => document.pointer(to.trim_start_matches('#')).expect("what is referred to is there"),
                None => schema,
            };
            if schema["properties"].is_object() && schema["additionalProperties"] != false {
                complaints.push(format!("{method} {path}: its type lacks #[serde(deny_unknown_fields)]"));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}
