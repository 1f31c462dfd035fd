//! OTLP, the protocol of OpenTelemetry: spans as JSON over HTTP. Its JSON encoding is stable since version 1.0.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use metrics::Counter;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde_json::{Value, json};
use shardcart_types::secret::Secret;

use super::span::Span;

/// How long the collector is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A collector that does not take spans is complained of this often.
const COMPLAINT: Duration = Duration::from_secs(30);
/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER`.
const KINDS: [u8; 2] = [1, 2];
/// `STATUS_CODE_UNSET`, `STATUS_CODE_ERROR`.
const STATUS: [u8; 2] = [0, 2];

/// The collector.
pub(super) struct Collector {
    client: Client,
    url: Url,
    exported: Counter,
    dropped: Counter,
    complained: Option<Instant>,
}

impl Collector {
    /// A collector at a base URL.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(
        url: &Url,
        headers: Option<&Secret>,
        exported: Counter,
        dropped: Counter,
    ) -> Result<Self, String> {
        let mut fields = HeaderMap::new();
        for field in headers.map_or("", |headers| headers.expose()).split(',').filter(|field| !field.is_empty()) {
            let parsed = field.split_once('=').and_then(|(name, value)| {
                let name: HeaderName = name.trim().parse().ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed.ok_or("OTEL_EXPORTER_OTLP_HEADERS: expected name=value, comma-separated")?;
            fields.insert(name, value);
        }
        let url = url.join("v1/traces").map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"))?;
        let client = Client::builder().no_proxy().timeout(TIMEOUT).default_headers(fields).build();
        let client = client.map_err(|error| format!("no HTTP client for the export of traces: {error}"))?;
        Ok(Collector { client, url, exported, dropped, complained: None })
    }

    /// Sends spans, once: those that are not taken are lost.
    pub(super) async fn export(&mut self, spans: Vec<Span>) {
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let sent = self.client.post(self.url.clone()).json(&request(spans)).send().await;
        match sent.and_then(reqwest::Response::error_for_status) {
            Ok(_) => self.exported.increment(count),
            Err(error) => {
                self.dropped.increment(count);
                if self.complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
                    self.complained = Some(Instant::now());
                    log::warn!(spans = count, error:%; "the collector does not take spans: they are lost");
                }
            }
        }
    }
}

/// An `ExportTraceServiceRequest`: each service is a resource.
fn request(spans: Vec<Span>) -> Value {
    let now = (Instant::now(), SystemTime::now());
    let mut services: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for span in spans {
        services.entry(span.service).or_default().push(json(span, now));
    }
    let resources = services.into_iter().map(|(service, spans)| {
        json!({
            "resource": { "attributes": attributes([
                ("service.name", service.to_owned()),
                ("service.namespace", "shardcart".to_owned()),
                ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
                ("process.pid", std::process::id().to_string()),
            ]) },
            "scopeSpans": [{ "scope": { "name": "shardcart" }, "spans": spans }],
        })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() })
}

fn json(span: Span, now: (Instant, SystemTime)) -> Value {
    let mut value = json!({
        "traceId": format!("{:032x}", span.own.trace),
        "spanId": format!("{:016x}", span.own.span),
        "name": span.name,
        "kind": KINDS[usize::from(span.serves)],
        "startTimeUnixNano": unix_ns(span.began, now),
        "endTimeUnixNano": unix_ns(span.ended, now),
        "attributes": attributes(span.attributes),
        "status": { "code": STATUS[usize::from(span.failed)] },
    });
    if let Some(outer) = span.outer {
        value["parentSpanId"] = format!("{outer:016x}").into();
    }
    value
}

fn attributes(all: impl IntoIterator<Item = (&'static str, String)>) -> Vec<Value> {
    all.into_iter().map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

/// As text: JSON's numbers do not hold it.
fn unix_ns(moment: Instant, (now, clock): (Instant, SystemTime)) -> String {
    let then = clock.checked_sub(now.saturating_duration_since(moment)).unwrap_or(UNIX_EPOCH);
    then.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::TraceParent;

    #[test]
    fn spans_are_written_as_the_protocol_says() {
        let own = TraceParent { trace: 0xa1, span: 0xb2, sampled: true };
        let span = Span::new("stock", "reserve.lua".to_owned(), own, Some(0xc3), Instant::now()).with("shard", &1);
        let request = request(vec![span]);
        let resource = &request["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0],
            json!({"key": "service.name", "value": {"stringValue": "stock"}})
        );
        let span = &resource["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "000000000000000000000000000000a1");
        assert_eq!(span["spanId"], "00000000000000b2");
        assert_eq!(span["parentSpanId"], "00000000000000c3");
        assert_eq!(span["attributes"], json!([{"key": "shard", "value": {"stringValue": "1"}}]));
        let ns = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
        assert!(ns("endTimeUnixNano") >= ns("startTimeUnixNano"));
    }
}
