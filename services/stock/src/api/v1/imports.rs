//! Imports: rows come in, results go out, both as streams.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use shardcart_http::problem::Problem;
use shardcart_http::v1::money::currency;
use shardcart_http::v1::query::Query;
use shardcart_store::shards::Shards;
use shardcart_types::code::Code;

use super::lines::{RawRow, Rows};
use super::problems::{self, INVALID_VALUE};
use crate::api::State;
use crate::products::content::Invalid;
use crate::products::import::{self, BATCH, Columns, Outcome, Row};

/// How long the next piece of a body may take to come.
const PIECE: Duration = Duration::from_secs(30);

/// How an import is carried out.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Whether only the results are wanted
    #[serde(default)]
    dry_run: bool,
}

/// In which form rows come.
#[derive(Debug)]
enum Form {
    Json,
    /// The columns, once the first row has told them.
    Csv(Option<Columns>),
}

/// Import products
///
/// Rows as `application/x-ndjson` or `text/csv`; a result for each as NDJSON, and a summary at the end. A row names its
/// product by id or by handle, and changes what it says. The same rows may be sent again.
#[utoipa::path(
    post,
    path = "/v1/imports/products",
    operation_id = "import_products",
    tag = "products",
    params(How),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv")), description = "A row a product"),
    responses((status = 200, description = "A result a row, and a summary", body = String, content_type = "application/x-ndjson")),
)]
pub(super) async fn import(
    state: web::Data<State>,
    request: HttpRequest,
    Query(how): Query<How>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = match media_type.split(';').next().map(str::trim) {
        Some("application/x-ndjson") => Form::Json,
        Some("text/csv") => Form::Csv(None),
        _ => {
            let detail = "an import is text/csv or application/x-ndjson";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
    };
    let rows = Rows::new(matches!(form, Form::Csv(_)));
    let import = Import {
        shards: Arc::clone(&state.shards),
        body,
        rows,
        form,
        waiting: VecDeque::new(),
        is_dry: how.dry_run,
        counts: Counts::default(),
        end: None,
        is_over: false,
    };
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(results(import)))
}

/// What rows came to, by kind.
#[derive(Debug, Default)]
struct Counts {
    created: u64,
    updated: u64,
    unchanged: u64,
    refused: u64,
    unknown: u64,
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Whole,
    /// Why nothing behind this was read.
    Broken(String),
}

struct Import {
    shards: Arc<Shards>,
    body: web::Payload,
    rows: Rows,
    form: Form,
    waiting: VecDeque<RawRow>,
    is_dry: bool,
    counts: Counts,
    end: Option<End>,
    is_over: bool,
}

/// The results, a batch of rows at a time, and the summary.
fn results(import: Import) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    stream::unfold(import, |mut import| async move {
        if import.is_over {
            return None;
        }
        import.read().await;
        let mut text = import.batch().await;
        if import.waiting.is_empty() && import.end.is_some() {
            import.is_over = true;
            text.push_str(&line(&import.summary()));
        }
        Some((Ok(Bytes::from(text)), import))
    })
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

impl Import {
    /// Reads until a batch is there, or the end.
    async fn read(&mut self) {
        while self.waiting.len() < BATCH && self.end.is_none() {
            let mut rows = Vec::new();
            match timeout(PIECE, self.body.next()).await {
                Ok(Some(Ok(piece))) => {
                    if let Err(long) = self.rows.take(&piece, &mut rows) {
                        self.end = Some(End::Broken(format!("the row of line {} is too long", long.line)));
                    }
                }
                Ok(None) => {
                    rows.extend(self.rows.end());
                    self.end = Some(End::Whole);
                }
                Ok(Some(Err(error))) => self.end = Some(End::Broken(error.to_string())),
                Err(_) => self.end = Some(End::Broken("the body stopped to come".to_owned())),
            }
            self.waiting.extend(rows);
            self.take_columns();
        }
    }

    /// The first row of CSV tells the columns.
    fn take_columns(&mut self) {
        if !matches!(self.form, Form::Csv(None)) {
            return;
        }
        let Some(first) = self.waiting.pop_front() else { return };
        let columns = record(&first.bytes).and_then(|header| Columns::of(&header));
        match columns {
            Ok(columns) => self.form = Form::Csv(Some(columns)),
            Err(wrong) => {
                let why = wrong.into_iter().map(|wrong| wrong.detail).collect::<Vec<_>>().join("; ");
                self.end = Some(End::Broken(why));
                self.waiting.clear();
            }
        }
    }

    /// Carries out the rows that are there, a batch at most.
    async fn batch(&mut self) -> String {
        let raw: Vec<RawRow> = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        let currency = currency().to_string();
        let rows: Vec<Result<Row, Vec<Invalid>>> = raw.iter().map(|raw| self.row(&raw.bytes, &currency)).collect();
        let outcomes = import::batch(&self.shards, &rows, self.is_dry).await;
        raw.iter().zip(outcomes).map(|(raw, outcome)| line(&self.counts.result(raw.line, outcome))).collect()
    }

    fn row(&self, bytes: &[u8], currency: &str) -> Result<Row, Vec<Invalid>> {
        match &self.form {
            Form::Csv(Some(columns)) => columns.row(&record(bytes)?, currency),
            Form::Csv(None) | Form::Json => Row::of_json(bytes, currency),
        }
    }

    fn summary(&self) -> Value {
        let Counts { created, updated, unchanged, refused, unknown } = self.counts;
        let rows = created + updated + unchanged + refused + unknown;
        let mut summary = json!({
            "rows": rows, "created": created, "updated": updated, "unchanged": unchanged, "refused": refused,
            "unknown": unknown, "dry_run": self.is_dry, "complete": self.end == Some(End::Whole),
        });
        if let Some(End::Broken(why)) = &self.end {
            summary["detail"] = why.as_str().into();
        }
        json!({ "summary": summary })
    }
}

/// A record of CSV.
fn record(bytes: &[u8]) -> Result<csv::StringRecord, Vec<Invalid>> {
    let mut record = csv::StringRecord::new();
    let read = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes).read_record(&mut record);
    let wrong = |detail: String| vec![Invalid { pointer: String::new(), detail }];
    read.map_err(|error| wrong(error.to_string()))?;
    Ok(record)
}

impl Counts {
    /// Counts an outcome, and tells it.
    fn result(&mut self, line: u64, outcome: Outcome) -> Value {
        match outcome {
            Outcome::Created(id) => {
                self.created += 1;
                json!({ "line": line, "id": id, "result": "created" })
            }
            Outcome::Updated(id) => {
                self.updated += 1;
                json!({ "line": line, "id": id, "result": "updated" })
            }
            Outcome::Unchanged(id) => {
                self.unchanged += 1;
                json!({ "line": line, "id": id, "result": "unchanged" })
            }
            Outcome::Invalid(wrong) => {
                self.refused += 1;
                let errors = wrong
                    .iter()
                    .map(|wrong| json!({ "pointer": wrong.pointer, "code": INVALID_VALUE, "detail": wrong.detail }));
                let errors: Vec<Value> = errors.collect();
                json!({ "line": line, "result": "refused", "code": Code::InvalidBody.as_str(), "errors": errors })
            }
            Outcome::Failed(error) => match problems::code(&error) {
                Some(code) => {
                    self.refused += 1;
                    json!({ "line": line, "result": "refused", "code": code.as_str(), "detail": error.to_string() })
                }
                None => {
                    self.unknown += 1;
                    log::error!(error:%; "the outcome of a row of an import is unknown");
                    json!({ "line": line, "result": "unknown", "code": Code::ShardUnavailable.as_str() })
                }
            },
        }
    }
}
