//! The report as one HTML page that needs nothing else: no script, no style sheet, no picture from anywhere.

use std::fmt::Write as _;
use std::path::Path;

use crate::load::answers::{CallReport, Counts, Kind};
use crate::load::timeline::Tick;
use crate::report::chart::{Bar, Chart, Series, bars, escape};
use crate::report::findings::Findings;
use crate::report::outcome::{LoadReport, Report};
use crate::report::table::{Table, time};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;background:#fff;color:#222}\
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #8884;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{display:block;margin:1.5em 0;max-width:100%;height:auto}\
pre{overflow-x:auto}@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}}";

/// What can be shown as a page.
pub trait Page {
    /// Its title.
    fn title(&self) -> String;
    /// What stands between `<body>` and `</body>`, after the title.
    fn body(&self) -> String;
}

/// Writes the page.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: &Path, page: &impl Page) -> Result<(), String> {
    std::fs::write(file, html(page)).map_err(|error| format!("could not write {}: {error}", file.display()))
}

fn html(page: &impl Page) -> String {
    let title = escape(&page.title());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{}</body></html>\n",
        page.body()
    )
}

fn table(out: &mut String, table: &Table) {
    let _ = write!(out, "<h2>{}</h2><table><tr>", escape(&table.title));
    for name in &table.head {
        let _ = write!(out, "<th>{}</th>", escape(name));
    }
    out.push_str("</tr>");
    for row in &table.rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>\n");
    list(out, &table.notes);
}

fn list(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("<ul>");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", escape(line));
    }
    out.push_str("</ul>\n");
}

/// The charts of one run.
fn charts(out: &mut String, report: &Report) {
    out.push_str(&over_time("Answers a second", "1/s", false, &report.timeline, &rates()).svg());
    let latency: [Line<'_>; 2] = [("p50", &|tick| tick.p50_us / 1000.0), ("p99", &|tick| tick.p99_us / 1000.0)];
    out.push_str(&over_time("Latency of 2xx", "ms", true, &report.timeline, &latency).svg());
    out.push_str(&distribution(report).svg());
    out.push_str(&bars("Answers by kind", &kinds(report)));
    if report.cpu.is_some() {
        out.push_str(&cores(&report.timeline).svg());
    }
    if let Some(cpu) = &report.cpu {
        let programs = cpu.programs().into_iter().map(|(name, value)| Bar { name, value });
        out.push_str(&bars("CPU, µs per committed checkout, by program", &programs.collect::<Vec<_>>()));
    }
}

type Line<'a> = (&'a str, &'a dyn Fn(&Tick) -> f64);

fn rates() -> [Line<'static>; 6] {
    fn rate(tick: &Tick, count: u64) -> f64 {
        count as f64 / tick.seconds.max(1e-9)
    }
    [
        ("committed", &|tick| rate(tick, tick.answers.committed)),
        ("already paid", &|tick| rate(tick, tick.answers.already_paid)),
        ("other calls", &|tick| rate(tick, tick.answers.other_done)),
        ("refused (4xx)", &|tick| rate(tick, tick.answers.refused)),
        ("turned away (429)", &|tick| rate(tick, tick.answers.turned_away)),
        ("failed", &|tick| rate(tick, tick.answers.failed)),
    ]
}

fn over_time(title: &str, unit: &str, log: bool, ticks: &[Tick], lines: &[Line<'_>]) -> Chart {
    let series = lines.iter().map(|(name, value)| Series {
        name: (*name).to_owned(),
        points: ticks.iter().map(|tick| (tick.at_s, value(tick))).collect(),
    });
    let seen = series.filter(|series| series.points.iter().any(|(_, value)| *value > 0.0));
    Chart::new(title, ("seconds", false), (unit, log), seen.collect())
}

fn cores(ticks: &[Tick]) -> Chart {
    let mut series: Vec<Series> = Vec::new();
    for tick in ticks {
        for (program, cores) in &tick.cores {
            match series.iter_mut().find(|series| series.name == *program) {
                Some(series) => series.points.push((tick.at_s, *cores)),
                None => series.push(Series { name: program.clone(), points: vec![(tick.at_s, *cores)] }),
            }
        }
    }
    Chart::new("CPU by program", ("seconds", false), ("cores", false), series)
}

/// Over how many times rarer an answer is: 10 is the slowest tenth.
fn distribution(report: &Report) -> Chart {
    let series = report.distribution.iter().map(|(name, points)| Series {
        name: name.clone(),
        points: points
            .iter()
            .filter(|point| point.quantile < 1.0)
            .map(|point| (1.0 / (1.0 - point.quantile), point.us / 1000.0))
            .collect(),
    });
    Chart::new(
        "Latency distribution: only one of so many took longer",
        ("one of so many answers (10 is p90, 100 is p99, 1000 is p99.9)", true),
        ("ms", true),
        series.collect(),
    )
}

fn kinds(report: &Report) -> Vec<Bar> {
    let Counts { committed, already_paid, other_done, .. } = report.counts;
    let done = [("committed", committed), ("already paid", already_paid), ("other calls, 2xx", other_done)];
    let done = done.into_iter().filter(|(_, count)| *count > 0);
    let done = done.map(|(name, count)| Bar { name: name.to_owned(), value: count as f64 });
    let others =
        report.answers.iter().map(|Kind { answer, count, .. }| Bar { name: answer.clone(), value: *count as f64 });
    done.chain(others).collect()
}

fn calls(report: &Report) -> Table {
    let mut table = Table::new("By call", &["call", "2xx", "p50", "p90", "p99", "p99.9", "max", "not 2xx"]);
    for CallReport { what, done, latency_us, not_done, .. } in &report.calls {
        let mut row = vec![what.clone(), done.to_string()];
        let latency = latency_us.as_ref();
        let times = [
            latency.map(|us| us.p50),
            latency.map(|us| us.p90),
            latency.map(|us| us.p99),
            latency.map(|us| us.p999),
            latency.map(|us| us.max),
        ];
        row.extend(times.map(|us| us.map_or_else(String::new, time)));
        row.push(not_done.to_string());
        table.row(row);
    }
    table
}

impl Page for Report {
    fn title(&self) -> String {
        format!("Shardcart: {:.0} committed checkouts a second", self.committed_per_s)
    }

    fn body(&self) -> String {
        let mut out = String::new();
        charts(&mut out, self);
        table(&mut out, &calls(self));
        let mut errors = Table::new("Answers that were not 2xx", &["kind", "count", "first"]);
        for Kind { answer, count, first } in &self.answers {
            errors.row(vec![answer.clone(), count.to_string(), first.clone()]);
        }
        if !errors.rows.is_empty() {
            table(&mut out, &errors);
        }
        let _ = writeln!(out, "<h2>All figures</h2><pre>{}</pre>", escape(&self.to_string()));
        out
    }
}

impl Page for Findings {
    fn title(&self) -> String {
        format!("Shardcart: {}", self.title)
    }

    fn body(&self) -> String {
        let mut out = format!("<p>{}</p>\n", escape(&self.made.to_string()));
        for found in &self.tables {
            table(&mut out, found);
        }
        for chart in &self.charts {
            out.push_str(&chart.svg());
        }
        list(&mut out, &self.notes);
        for run in &self.runs {
            let name = escape(&run.name);
            let _ = writeln!(out, "<details><summary>{name}</summary>");
            charts(&mut out, &run.report);
            let _ = writeln!(out, "<pre>{}</pre></details>", escape(&run.report.to_string()));
        }
        out
    }
}

impl Page for LoadReport {
    fn title(&self) -> String {
        "Shardcart: loading".to_owned()
    }

    fn body(&self) -> String {
        format!("<pre>{}</pre>\n", escape(&self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::commands::checkout::{self, CheckoutArgs};
    use crate::shop::standin::{Behaviour, StandIn};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckoutArgs,
    }

    async fn report() -> Report {
        let standin = StandIn::start(Behaviour { refuses_every: Some(7), ..Behaviour::default() }).await;
        let pid = std::process::id();
        let line = format!("checkout --url {} --items 5 --users 5 --checkouts 200 --pids {pid}", standin.url);
        let args = Line::parse_from(line.split_whitespace()).args;
        tokio::task::LocalSet::new().run_until(checkout::run(&args)).await.unwrap()
    }

    #[tokio::test]
    async fn the_page_needs_nothing_else() {
        let mut findings = Findings::new("a try");
        let report = report().await;
        let alone = html(&report);
        findings.keep("one", report);
        for page in [alone, html(&findings)] {
            for fetched in ["src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<object", "<base"] {
                assert!(!page.contains(fetched), "{fetched} in {page}");
            }
            assert!(page.matches("<svg ").count() >= 5, "{page}");
            assert!(page.contains("409 checkout_aborted") && page.contains("Latency distribution"), "{page}");
            assert_eq!(page.matches("<svg ").count(), page.matches("</svg>").count());
        }
    }

    #[tokio::test]
    async fn the_json_has_what_the_table_says() {
        let json = serde_json::to_value(report().await).unwrap();
        for figure in ["seconds", "committed", "committed_per_s", "already_paid", "requests", "unsent"] {
            assert!(json[figure].is_number(), "{figure}: {json}");
        }
        for figure in ["min", "p50", "p90", "p99", "p999", "max"] {
            assert!(json["latency_us"][figure].as_f64().unwrap() > 0.0, "{figure}: {json}");
        }
        for list in ["calls", "answers", "timeline", "distribution", "notes"] {
            assert!(json[list].is_array(), "{list}: {json}");
        }
        assert_eq!(json["answers"][0]["answer"], "409 checkout_aborted");
        assert!(json["answers"][0]["first"].as_str().unwrap().starts_with("POST /orders/checkout/"), "{json}");
        assert!(json["cpu"]["processes"][0]["us_per_committed"].is_number(), "{json}");
        assert_eq!(json["books"]["balanced"], true);
    }
}
