//! What `shop products` does with single products and with lists of them.

use std::process::ExitCode;

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use serde_json::{Value, json};
use shardcart_types::ids::{mint, now_ms};

use super::table::{Column, table};
use super::{Client, ClientError, print_json};
use crate::terminal::{self, grouped, harmless};

/// The most products of a page.
const PAGE_MAX: usize = 100;

/// What is listed.
#[derive(Debug, Clone, Default)]
pub struct Find {
    /// Parameters of the list.
    pub query: Vec<(&'static str, String)>,
    /// How many at most; all of them where it is none.
    pub limit: Option<usize>,
}

/// How the stock is changed.
#[derive(Debug, Clone, Copy)]
pub enum StockChange {
    /// By so many units.
    Delta(i64),
    /// To what was counted.
    Count(u64),
}

/// Prints a list: a table, or a line of JSON a product. It is read page by page.
///
/// # Errors
/// As every call.
pub async fn list(client: &Client, find: &Find, as_json: bool) -> Result<ExitCode, ClientError> {
    let (mut cursor, mut left) = (None::<String>, find.limit.unwrap_or(usize::MAX));
    while left > 0 {
        let limit = left.min(PAGE_MAX).to_string();
        let mut query: Vec<(&str, &str)> = find.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        query.extend([("limit", limit.as_str()), ("include", "stock")]);
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.json(client.request(Method::GET, &["products"], &query)?).await?;
        let products = page["data"].as_array().cloned().unwrap_or_default();
        let text = if as_json { lines(&products) } else { rows(&products) };
        if !products.is_empty() || (cursor.is_none() && !as_json) {
            terminal::print(&text)?;
        }
        left = left.saturating_sub(products.len());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if let (Some(_), false) = (&cursor, as_json) {
        eprintln!("there are more: --limit N, or --all");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints one product, found by its id, or by its handle.
///
/// # Errors
/// As every call.
pub async fn show(client: &Client, name: &str, is_handle: bool, as_json: bool) -> Result<ExitCode, ClientError> {
    let path: &[&str] = if is_handle { &["products", "by-handle", name] } else { &["products", name] };
    let product = client.json(client.request(Method::GET, path, &[("include", "stock")])?).await?;
    tell(&product, as_json)
}

/// Creates a product: under an id that was chosen, where nothing may be yet, or under a new one.
///
/// # Errors
/// As every call.
pub async fn create(
    client: &Client,
    id: Option<&str>,
    product: &Value,
    stock: Option<u64>,
    as_json: bool,
) -> Result<ExitCode, ClientError> {
    let request = match id {
        Some(id) => client.request(Method::PUT, &["products", id], &[])?.header(IF_NONE_MATCH, "*"),
        None => client.request(Method::POST, &["products"], &[])?,
    };
    let created = client.json(keyed(request).json(product)).await?;
    let id = created["id"].as_str().unwrap_or_default();
    if let Some(units) = stock {
        change_stock(client, id, StockChange::Count(units), Some("created")).await?;
    }
    tell(&created, as_json)
}

/// Changes a product, if nobody else has since it was read here, and then its stock.
///
/// # Errors
/// As every call.
pub async fn update(
    client: &Client,
    id: &str,
    patch: &Value,
    stock: Option<(StockChange, Option<&str>)>,
    as_json: bool,
) -> Result<ExitCode, ClientError> {
    if patch.as_object().is_some_and(|patch| !patch.is_empty()) {
        let before = client.send(client.request(Method::GET, &["products", id], &[])?).await?;
        let mut request = client.request(Method::PATCH, &["products", id], &[])?;
        if let Some(revision) = before.headers().get(ETAG) {
            request = request.header(IF_MATCH, revision);
        }
        let body = patch.to_string();
        client.json(keyed(request).header("Content-Type", "application/merge-patch+json").body(body)).await?;
    }
    if let Some((change, reason)) = stock {
        change_stock(client, id, change, reason).await?;
    }
    show(client, id, false, as_json).await
}

/// Archives a product.
///
/// # Errors
/// As every call.
pub async fn archive(client: &Client, id: &str) -> Result<ExitCode, ClientError> {
    client.send(keyed(client.request(Method::DELETE, &["products", id], &[])?)).await?;
    Ok(ExitCode::SUCCESS)
}

async fn change_stock(client: &Client, id: &str, change: StockChange, reason: Option<&str>) -> Result<(), ClientError> {
    let mut body = match change {
        StockChange::Delta(delta) => json!({ "delta": delta }),
        StockChange::Count(count) => json!({ "count": count }),
    };
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    let request = client.request(Method::POST, &["products", id, "stock-changes"], &[])?;
    client.json(keyed(request).json(&body)).await.map(drop)
}

/// With a key of its own, so that a proxy that sends it twice changes nothing twice.
fn keyed(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header("Idempotency-Key", mint(0, now_ms()))
}

fn tell(product: &Value, as_json: bool) -> Result<ExitCode, ClientError> {
    if as_json {
        print_json(product)?;
    } else {
        terminal::print(&one(product))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(products: &[Value]) -> String {
    products.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

fn rows(products: &[Value]) -> String {
    let column = |head, is_number| Column { head, is_number };
    let columns = [
        column("id", false),
        column("handle", false),
        column("name", false),
        column("price (minor units)", true),
        column("stock", true),
    ];
    let rows: Vec<Vec<String>> = products
        .iter()
        .map(|product| {
            vec![text(&product["id"]), text(&product["handle"]), text(&product["name"]), price(product), stock(product)]
        })
        .collect();
    table(&columns, &rows, None)
}

fn one(product: &Value) -> String {
    let tags: Vec<String> = product["tags"].as_array().into_iter().flatten().map(text).collect();
    let told = [
        ("id", text(&product["id"])),
        ("handle", text(&product["handle"])),
        ("name", text(&product["name"])),
        ("description", text(&product["description"])),
        ("price", format!("{} (minor units)", price(product))),
        ("stock", stock(product)),
        ("tags", tags.join(" ")),
        ("attributes", product["attributes"].to_string()),
        ("status", text(&product["status"])),
        ("created", text(&product["created_at"])),
    ];
    let told = told.iter().filter(|(_, value)| !value.is_empty() && value != "-");
    told.map(|(name, value)| format!("{name:<11} {}", harmless(value))).collect::<Vec<_>>().join("\n")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// In minor units, as the API has it: how many digits a currency has is not known here.
fn price(product: &Value) -> String {
    let price = &product["price"];
    format!("{} {}", price["amount"].as_u64().unwrap_or_default(), text(&price["currency"]))
}

fn stock(product: &Value) -> String {
    product["stock"]["available"].as_u64().map_or_else(|| "-".to_owned(), grouped)
}
