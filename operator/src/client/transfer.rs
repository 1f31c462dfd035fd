//! What `shop products import` and `shop products export` do.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;

use super::{Client, ClientError};
use crate::asked::cause;
use crate::terminal::{self, grouped, harmless};

/// The largest file that is imported, in bytes: it is kept in memory. Larger ones are cut into several.
const FILE_MAX: u64 = 512 << 20;
/// Redraws a second at most.
const REDRAWS: u8 = 10;

/// In which form rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// CSV, with a line of names.
    Csv,
    /// A line of JSON a row.
    Ndjson,
}

impl Form {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "csv" => Some(Form::Csv),
            "ndjson" | "jsonl" => Some(Form::Ndjson),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Form::Csv => "text/csv",
            Form::Ndjson => "application/x-ndjson",
        }
    }
}

/// Imports the rows of a file, or of stdin (`-`); prints what was refused, and what it came to. Ends with 0: all rows are
/// done; 1: rows were refused; 3: it is not known of some.
///
/// # Errors
/// As every call. The same file may be imported again.
pub async fn import(
    client: &Client,
    path: &Path,
    form: Form,
    is_dry: bool,
    as_json: bool,
) -> Result<ExitCode, ClientError> {
    let rows = read(path)?;
    let bar = bar(&rows);
    let query: &[(&str, &str)] = if is_dry { &[("dry_run", "true")] } else { &[] };
    let request = client.request(Method::POST, &["imports", "products"], query)?;
    let request = request.header(CONTENT_TYPE, form.media_type()).body(rows);
    let mut answer = client.send(request).await?;
    let (mut text, mut summary) = (Vec::new(), Value::Null);
    let broken = |error: reqwest::Error| ClientError::Failed(format!("the import broke off: {}", cause(&error)));
    while let Some(piece) = answer.chunk().await.map_err(broken)? {
        text.extend_from_slice(&piece);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let result: Value = serde_json::from_slice(&line).unwrap_or_default();
            if result["summary"].is_object() {
                summary = result["summary"].clone();
                continue;
            }
            bar.inc(1);
            if as_json {
                bar.suspend(|| terminal::print(&result.to_string()))?;
            } else if let "refused" | "unknown" = result["result"].as_str().unwrap_or_default() {
                bar.suspend(|| eprintln!("line {}: {}", result["line"], harmless(&why(&result))));
            }
        }
    }
    bar.finish_and_clear();
    ended(&summary, as_json)
}

fn ended(summary: &Value, as_json: bool) -> Result<ExitCode, ClientError> {
    if !summary.is_object() {
        return Err(ClientError::Failed("the import broke off; the same rows may be imported again".to_owned()));
    }
    let count = |name: &str| summary[name].as_u64().unwrap_or_default();
    let told = if as_json {
        summary.to_string()
    } else {
        let kinds = ["created", "updated", "unchanged", "refused", "unknown"];
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("{} {kind}", grouped(count(kind)))).collect();
        let dry = if summary["dry_run"] == true { " (a dry run: nothing was written)" } else { "" };
        format!("{} rows: {}{dry}", grouped(count("rows")), kinds.join(", "))
    };
    terminal::print(&told)?;
    if summary["complete"] != true {
        let why = summary["detail"].as_str().unwrap_or("the rows were not read to their end");
        return Err(ClientError::Failed(why.to_owned()));
    }
    Ok(match (count("unknown"), count("refused")) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}

/// Why a row was not done.
fn why(result: &Value) -> String {
    let mut told = vec![result["code"].as_str().unwrap_or("unknown").to_owned()];
    told.extend(result["detail"].as_str().map(str::to_owned));
    for error in result["errors"].as_array().into_iter().flatten() {
        let (pointer, detail) = (error["pointer"].as_str(), error["detail"].as_str());
        told.push(format!("{} {}", pointer.unwrap_or_default(), detail.unwrap_or_default()).trim().to_owned());
    }
    told.join(": ")
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    let wrong = |error: std::io::Error| ClientError::Setting(format!("{} cannot be read: {error}", path.display()));
    let mut rows = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(FILE_MAX + 1).read_to_end(&mut rows).map_err(wrong)?;
    } else {
        std::fs::File::open(path).map_err(wrong)?.take(FILE_MAX + 1).read_to_end(&mut rows).map_err(wrong)?;
    }
    if rows.len() as u64 > FILE_MAX {
        return Err(ClientError::Setting(format!("an import has {FILE_MAX} bytes at most: cut it into several")));
    }
    Ok(rows)
}

/// A bar on stderr, if that is a terminal. A row is about a line.
fn bar(rows: &[u8]) -> ProgressBar {
    let count = rows.iter().filter(|byte| **byte == b'\n').count();
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
    let bar = ProgressBar::with_draw_target(Some(u64::try_from(count).unwrap_or(u64::MAX)), target);
    if let Ok(style) = ProgressStyle::with_template("importing {wide_bar} {percent:>3}% {per_sec} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// Exports all products to stdout, or to a file, which is there only when it is whole.
///
/// # Errors
/// As every call.
pub async fn export(client: &Client, output: Option<&Path>, form: Form) -> Result<ExitCode, ClientError> {
    let request = client.request(Method::GET, &["exports", "products"], &[])?.header(ACCEPT, form.media_type());
    let mut answer = client.send(request).await?;
    let partial = output.map(|path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        name
    });
    let mut out: Box<dyn Write> = match &partial {
        Some(path) => Box::new(std::fs::File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    let broken = |error: reqwest::Error| ClientError::Failed(format!("the export broke off: {}", cause(&error)));
    while let Some(piece) = answer.chunk().await.map_err(broken)? {
        match out.write_all(&piece) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written?,
        }
    }
    out.flush()?;
    if let (Some(partial), Some(path)) = (&partial, output) {
        std::fs::rename(partial, path)?;
    }
    Ok(ExitCode::SUCCESS)
}
