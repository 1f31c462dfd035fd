//! Every endpoint for clients is in the page of the API, with the path that `shop` and the gateway serve.

use crate::page::Page;
use crate::repository;

const PAGE: &str = "docs/use/http-api.md";

/// The services, each with the prefix that clients see.
const PREFIXES: [(&str, &str); 3] = [("order", "/orders"), ("stock", "/stock"), ("payment", "/payment")];

#[test]
fn every_endpoint_for_clients_is_documented() {
    let page = Page::read(PAGE);
    let documented: Vec<String> = page.code().iter().map(|(_, text)| without_names(text)).collect();
    let endpoints = endpoints();
    assert!(endpoints.len() >= 20, "the endpoints are found: {endpoints:?}");
    let missing = endpoints.into_iter().filter(|endpoint| !documented.contains(&without_names(endpoint)));
    repository::none(&missing.collect::<Vec<_>>());
}

/// `POST /orders/create/{user_id}`: from where the services bind their handlers.
fn endpoints() -> Vec<String> {
    let mut endpoints = Vec::new();
    for (service, prefix) in PREFIXES {
        let directory = format!("services/{service}/src/");
        let files =
            repository::files().into_iter().filter(|path| path.starts_with(&directory) && path.ends_with(".rs"));
        for text in files.filter_map(|path| repository::text(&path)) {
            for method in ["post", "get", "delete"] {
                let binding = format!("endpoint::{method}(\"{service}\", \"");
                let bound = text.split(&binding).skip(1).filter_map(|rest| rest.split('"').next());
                let bound = bound.filter(|path| !path.starts_with("/internal/") && !path.starts_with("/console"));
                endpoints.extend(bound.map(|path| format!("{} {prefix}{path}", method.to_uppercase())));
            }
        }
    }
    endpoints
}

/// The endpoint with `{}` for each of its arguments: what an argument is called is not for clients.
fn without_names(endpoint: &str) -> String {
    let mut parts = endpoint.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    rest.fold(first, |path, rest| format!("{path}{{}}{rest}"))
}
