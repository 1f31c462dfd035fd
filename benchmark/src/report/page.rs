//! The report as one HTML page that needs nothing else: no script, no style sheet, no picture from anywhere.

use std::fmt::Write as _;
use std::path::Path;

use crate::load::answers::{CallReport, Counts, Kind};
use crate::load::timeline::Tick;
use crate::report::chart::{self, Bars, Chart, Series, escape};
use crate::report::findings::Findings;
use crate::report::made::Made;
use crate::report::outcome::{LoadReport, Report};
use crate::report::table::{Table, percent, time};

/// Wide things scroll in a frame of their own, so that a page is never wider than a phone. A figure stays with its unit.
const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;background:#fff;color:#222;\
overflow-wrap:break-word}table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #8884;\
text-align:right;white-space:nowrap}td:first-child,th:first-child,.text{text-align:left}.text{white-space:normal;\
min-width:14em}.wide{overflow-x:auto}svg{display:block;margin:1.5em 0;max-width:100%;min-width:36em;height:auto}\
pre{overflow-x:auto}h1+p+pre{white-space:pre-wrap}@media(max-width:600px){body{margin:1em auto}td,th{padding:.2em .5em}}\
@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}}";

/// A cell with more characters than this is text, which wraps.
const CELL_MAX: usize = 28;

/// What follows a figure and belongs to it.
const UNITS: [&str; 16] = [
    "%",
    "µs",
    "ms",
    "s",
    "MB",
    "GB",
    "kB",
    "bytes",
    "cores",
    "clients",
    "client",
    "requests",
    "requests/s",
    "users",
    "units",
    "×",
];

/// What can be shown as a page.
pub trait Page {
    /// Its title.
    fn title(&self) -> String;
    /// When, on what, by which program and command it was made.
    fn made(&self) -> &Made;
    /// Its charts.
    fn pictures(&self) -> Vec<Picture>;
    /// What stands between the charts and `</body>`.
    fn body(&self) -> String;
}

/// A chart that is drawn.
#[derive(Debug)]
pub struct Picture {
    /// What it shows.
    pub title: String,
    /// As the inside of an HTML page.
    pub svg: String,
}

impl From<&Chart> for Picture {
    fn from(chart: &Chart) -> Self {
        Self { title: chart.title.clone(), svg: chart.svg() }
    }
}

impl From<&Bars> for Picture {
    fn from(bars: &Bars) -> Self {
        Self { title: bars.title.clone(), svg: bars.svg() }
    }
}

/// Writes the page.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: &Path, page: &impl Page) -> Result<(), String> {
    std::fs::write(file, html(page)).map_err(|error| format!("could not write {}: {error}", file.display()))
}

/// Writes each chart into a file of its own, named after its title, and tells how many there are.
///
/// # Errors
/// One cannot be written.
pub fn write_charts(directory: &Path, page: &impl Page) -> Result<usize, String> {
    let failed = |path: &Path, error| format!("could not write {}: {error}", path.display());
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let pictures = page.pictures();
    for Picture { title, svg } in &pictures {
        let file = directory.join(format!("{}.svg", file_name(title)));
        std::fs::write(&file, chart::file(svg)).map_err(|error| failed(&file, error))?;
    }
    Ok(pictures.len())
}

/// Letters and digits, and a hyphen for whatever stands between them.
fn file_name(title: &str) -> String {
    let title = title.to_lowercase();
    let words = title.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn html(page: &impl Page) -> String {
    let title = escape(&page.title());
    let Made { command, .. } = page.made();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p>{}</p>\n<pre>{}</pre>\n",
        prose(&page.made().to_string()),
        escape(command),
    );
    page.pictures().iter().for_each(|picture| framed(&mut out, &picture.svg));
    out.push_str(&page.body());
    out.push_str("</body></html>\n");
    out
}

fn framed(out: &mut String, wide: &str) {
    let _ = writeln!(out, "<div class=\"wide\">{wide}</div>");
}

/// Text in which no line ends between a figure and its unit.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut before = "";
    for word in text.split(' ') {
        if !out.is_empty() {
            let figure = before.ends_with(|char: char| char.is_ascii_digit());
            let unit = UNITS.contains(&word.trim_end_matches([',', '.', ';', ':', ')']));
            out.push(if figure && unit { '\u{a0}' } else { ' ' });
        }
        out.push_str(word);
        before = word;
    }
    escape(&out)
}

fn table(out: &mut String, table: &Table) {
    let _ = write!(out, "<h2>{}</h2>", prose(&table.title));
    let mut rows = "<table><tr>".to_owned();
    for name in &table.head {
        let _ = write!(rows, "<th>{}</th>", prose(name));
    }
    rows.push_str("</tr>");
    for row in &table.rows {
        rows.push_str("<tr>");
        for cell in row {
            let class = if cell.chars().count() > CELL_MAX { " class=\"text\"" } else { "" };
            let _ = write!(rows, "<td{class}>{}</td>", prose(cell));
        }
        rows.push_str("</tr>");
    }
    rows.push_str("</table>");
    framed(out, &rows);
    list(out, &table.notes);
}

fn list(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("<ul>");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", prose(line));
    }
    out.push_str("</ul>\n");
}

/// The charts of one run.
fn pictures(report: &Report) -> Vec<Picture> {
    let latency: [Line<'_>; 2] = [("p50", &|tick| tick.p50_us / 1000.0), ("p99", &|tick| tick.p99_us / 1000.0)];
    let mut all = vec![
        Picture::from(&over_time("Answers a second", "1/s", false, &report.timeline, &rates())),
        Picture::from(&over_time("Latency of 2xx", "ms", true, &report.timeline, &latency)),
        Picture::from(&distribution(report)),
        Picture::from(&Bars::new("Answers by kind", kinds(report))),
    ];
    if let Some(cpu) = &report.cpu {
        all.push(Picture::from(&cores(&report.timeline)));
        all.push(Picture::from(&Bars::new("CPU, µs per committed checkout, by program", cpu.programs())));
    }
    all
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

fn kinds(report: &Report) -> Vec<(String, f64)> {
    let Counts { committed, already_paid, other_done, .. } = report.counts;
    let done = [("committed", committed), ("already paid", already_paid), ("other calls, 2xx", other_done)];
    let done = done.into_iter().filter(|(_, count)| *count > 0);
    let done = done.map(|(name, count)| (name.to_owned(), count as f64));
    let others = report.answers.iter().map(|Kind { answer, count, .. }| (answer.clone(), *count as f64));
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

    fn made(&self) -> &Made {
        &self.made
    }

    fn pictures(&self) -> Vec<Picture> {
        pictures(self)
    }

    fn body(&self) -> String {
        let mut out = String::new();
        table(&mut out, &calls(self));
        let mut errors = Table::new("Answers that were not 2xx", &["kind", "count", "of all", "first"]);
        for Kind { answer, count, first } in &self.answers {
            errors.row(vec![answer.clone(), count.to_string(), percent(*count, self.requests), first.clone()]);
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

    fn made(&self) -> &Made {
        &self.made
    }

    fn pictures(&self) -> Vec<Picture> {
        self.charts.iter().map(Picture::from).chain(self.bars.iter().map(Picture::from)).collect()
    }

    fn body(&self) -> String {
        let mut out = String::new();
        for found in &self.tables {
            table(&mut out, found);
        }
        list(&mut out, &self.notes);
        let failed = |failure: &String| format!("FAILED: {failure}");
        list(&mut out, &self.failures.iter().map(failed).collect::<Vec<_>>());
        for run in &self.runs {
            let _ = writeln!(out, "<details><summary>{}</summary>", prose(&run.name));
            pictures(&run.report).iter().for_each(|picture| framed(&mut out, &picture.svg));
            let _ = writeln!(out, "<pre>{}</pre></details>", escape(&run.report.to_string()));
        }
        out
    }
}

impl Page for LoadReport {
    fn title(&self) -> String {
        "Shardcart: loading".to_owned()
    }

    fn made(&self) -> &Made {
        &self.made
    }

    fn pictures(&self) -> Vec<Picture> {
        let seconds = self.calls.iter().map(|call| (format!("{} {}", call.count, call.what), call.seconds));
        vec![Picture::from(&Bars::new("Loading, seconds", seconds))]
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
    async fn a_page_says_when_and_how_it_was_made_and_fits_a_phone() {
        let mut findings = Findings::new("a try");
        let mut figures = Table::new("Figures", &["what", "p50"]);
        figures.row(vec!["685 requests/s, 13.6 s latency, and more".to_owned(), time(7310.0)]);
        findings.tables.push(figures);
        let report = report().await;
        let made = report.made.to_string();
        assert!(made.contains(" UTC, benchmark ") && made.contains("commit "), "{made}");
        let loading = LoadReport { made: report.made.clone(), url: String::new(), calls: Vec::new(), seconds: 0.0 };
        for page in [html(&report), html(&findings), html(&loading)] {
            assert!(page.contains(" UTC, benchmark ") && page.contains("<pre>benchmark"), "{page}");
            let framed = page.matches("<div class=\"wide\"><").count();
            assert_eq!(framed, page.matches("<table>").count() + page.matches("<svg ").count(), "{page}");
        }
        let page = html(&findings);
        assert!(page.contains("<td>7.31\u{a0}ms</td>"), "{page}");
        assert!(page.contains("<td class=\"text\">685\u{a0}requests/s, 13.6\u{a0}s latency, and more</td>"), "{page}");
    }

    #[tokio::test]
    async fn every_report_writes_its_charts() {
        let directory = tempfile::tempdir().unwrap();
        let written = write_charts(&directory.path().join("new/charts"), &report().await).unwrap();
        let files = std::fs::read_dir(directory.path().join("new/charts")).unwrap().map(|file| file.unwrap().path());
        let files: Vec<_> = files.collect();
        assert!(written >= 5 && files.len() == written, "{files:?}");
        let text = std::fs::read_to_string(&files[0]).unwrap();
        assert!(text.starts_with("<svg xmlns=") && text.ends_with("</svg>"), "{text}");
        assert_eq!(file_name("CPU, µs per committed checkout"), "cpu-s-per-committed-checkout");
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
