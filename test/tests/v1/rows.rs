//! Imports and exports: a result a row, a dry run, and the same rows again.

use hyper::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::products::shop;

const CSV: &str = "handle,name,price,tags,description\n\
    tux,Tux,1599,\"toy, bird\",\"A \"\"bird\"\"\nof two lines\"\n\
    pen,Red Pen,199,,\n\
    Bad,Bad,1,,\n\
    pen,Blue Pen,,,\n";

async fn import(client: &Client, query: &str, media_type: &str, rows: &str) -> (Vec<Value>, Value) {
    let path = format!("/imports/products{query}");
    let answer = client.send(Method::POST, &path, &[("Content-Type", media_type)], rows.to_owned()).await;
    assert_eq!((answer.status, answer.http.media_type()), (200, Some("application/x-ndjson")), "{answer:?}");
    let mut lines: Vec<Value> =
        answer.http.text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let summary = lines.pop().expect("a summary")["summary"].clone();
    (lines, summary)
}

fn results(lines: &[Value]) -> Vec<(u64, &str)> {
    let result = |line: &'_ Value| line["line"].as_u64();
    lines.iter().map(|line| (result(line).expect("a line"), line["result"].as_str().expect("a result"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_imported_tried_out_and_imported_again() {
    let (_system, client) = shop().await;
    let (lines, summary) = import(&client, "?dry_run=true", "text/csv", CSV).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!((&summary["dry_run"], &summary["complete"]), (&json!(true), &json!(true)));
    assert_eq!(client.get("/products").await.ok()["data"], json!([]));

    let (lines, summary) = import(&client, "", "text/csv", CSV).await;
    assert_eq!(results(&lines), [(2, "created"), (4, "created"), (5, "refused"), (6, "updated")]);
    assert_eq!(lines[2]["errors"][0]["pointer"], "/handle");
    let counts = json!({ "rows": 4, "created": 2, "updated": 1, "unchanged": 0, "refused": 1, "unknown": 0,
        "dry_run": false, "complete": true });
    assert_eq!(summary, counts);
    let tux = client.get("/products/by-handle/tux").await.ok();
    assert_eq!((&tux["description"], &tux["tags"]), (&json!("A \"bird\"\nof two lines"), &json!(["bird", "toy"])));

    let exported = client.get("/exports/products").await;
    let (lines, summary) = import(&client, "", "application/x-ndjson", &exported.http.text).await;
    assert_eq!((lines.len(), &summary["unchanged"]), (2, &json!(2)), "{summary}");
    let csv = client.send(Method::GET, "/exports/products", &[("Accept", "text/csv")], "").await;
    assert_eq!(csv.http.media_type(), Some("text/csv"));
    let (_, summary) = import(&client, "", "text/csv", &csv.http.text).await;
    assert_eq!(summary["unchanged"], 2, "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_are_imported_in_batches_and_a_row_that_cannot_be_read_is_told() {
    let (_system, client) = shop().await;
    let row = |number: usize| {
        let price = json!({ "amount": number, "currency": "EUR" });
        json!({ "handle": format!("h{number}"), "name": format!("P {number}"), "price": price }).to_string()
    };
    let rows: Vec<String> = (0..1_200).map(|number| if number == 700 { "{".to_owned() } else { row(number) }).collect();
    let (lines, summary) = import(&client, "", "application/x-ndjson", &rows.join("\n")).await;
    assert_eq!((&summary["created"], &summary["refused"]), (&json!(1_199), &json!(1)));
    assert_eq!((&lines[700]["line"], &lines[700]["code"]), (&json!(701), &json!("invalid_body")));
    let (_, summary) = import(&client, "", "application/x-ndjson", &rows.join("\r\n")).await;
    assert_eq!(summary["unchanged"], 1_199);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_of_another_form_is_refused() {
    let (_system, client) = shop().await;
    let other = client.send(Method::POST, "/imports/products", &[("Content-Type", "application/json")], "{}").await;
    other.is_problem(415, "unsupported_media_type");
    let (lines, summary) = import(&client, "", "text/csv", "handle,weight\na,1\n").await;
    assert_eq!((lines.len(), &summary["complete"]), (0, &json!(false)), "{summary}");
    assert!(summary["detail"].as_str().is_some_and(|detail| detail.contains("weight")), "{summary}");
    let long = format!("{{\"handle\":\"{}\"}}", "a".repeat(200_000));
    let (_, summary) = import(&client, "", "application/x-ndjson", &long).await;
    assert_eq!(summary["complete"], false, "{summary}");
}
