//! Charts as SVG, which an HTML page takes in as it is.

use std::fmt::Write as _;

use serde::Serialize;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;

/// Told apart by people who see few colours, too (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c7a00", "#777777"];

/// Longest name in a legend, in characters.
const NAME_MAX: usize = 24;

/// Width for the names of bars, and how many characters fit into it.
const BARS_LEFT: f64 = 260.0;
const BAR_NAME_MAX: usize = 40;

/// What one direction of a chart shows.
#[derive(Debug, Clone, Serialize)]
pub struct Axis {
    /// What, and in which unit.
    pub label: String,
    /// By powers of ten; otherwise evenly from 0.
    pub log: bool,
}

/// One line of a chart.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Lines over a common axis.
#[derive(Debug, Clone, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// Bars under one another.
#[derive(Debug, Clone, Serialize)]
pub struct Bars {
    /// What they show, and in which unit.
    pub title: String,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Serialize)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// How long it is.
    pub value: f64,
}

/// From values to places on the paper.
struct Scale {
    log: bool,
    from: f64,
    to: f64,
}

impl Scale {
    /// Wide enough for all `values`.
    fn of(log: bool, values: impl Iterator<Item = f64>) -> Self {
        let usable = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in usable {
            (least, most) = (least.min(value), most.max(value));
        }
        if !log {
            return Self { log, from: 0.0, to: if most > 0.0 { most * 1.05 } else { 1.0 } };
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let to = most.log10().ceil();
        Self { log, from: least.log10().floor().min(to - 1.0), to }
    }

    /// 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let value = if self.log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn marks(&self) -> Vec<f64> {
        if self.log {
            return (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power)).collect();
        }
        // The largest of 1, 2, 5 times a power of ten that gives at least four steps.
        let rough = self.to / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [5.0, 2.0, 1.0].into_iter().map(|times| times * power).find(|step| *step <= rough).unwrap_or(power);
        let count = (self.to / step).floor() as u32;
        (0..=count).map(|at| f64::from(at) * step).collect()
    }
}

impl Chart {
    /// A chart with these lines.
    pub fn new(title: impl Into<String>, x: (&str, bool), y: (&str, bool), series: Vec<Series>) -> Self {
        let axis = |(label, log): (&str, bool)| Axis { label: label.to_owned(), log };
        Self { title: title.into(), x: axis(x), y: axis(y), series }
    }

    /// As the inside of an HTML page. A file of its own needs a namespace: see `file`, below.
    pub fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let x = Scale::of(self.x.log, all().map(|point| point.0));
        let y = Scale::of(self.y.log, all().map(|point| point.1));
        let across = |value| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
        let up = |value| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);

        let mut out = begin(&self.title, HEIGHT);
        for mark in y.marks() {
            let at = up(mark);
            let _ = write!(out, r##"<path d="M{LEFT} {at:.1}H{}" stroke="#8884"/>"##, WIDTH - RIGHT);
            text(&mut out, LEFT - 6.0, at + 4.0, "end", &number(mark));
        }
        for mark in x.marks() {
            text(&mut out, across(mark), HEIGHT - BOTTOM + 16.0, "middle", &number(mark));
        }
        text(&mut out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0, "middle", &self.x.label);
        let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
        let _ = write!(out, r#"<g transform="rotate(-90 14 {middle})">"#);
        text(&mut out, 14.0, middle, "middle", &self.y.label);
        out.push_str("</g>");

        for (at, series) in self.series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let mut line = String::new();
            for (x, y) in series.points.iter().filter(|(_, value)| value.is_finite() && (!self.y.log || *value > 0.0)) {
                let step = if line.is_empty() { 'M' } else { 'L' };
                let _ = write!(line, "{step}{:.1} {:.1}", across(*x), up(*y));
            }
            let _ = write!(out, r#"<path d="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>"#);
            if series.points.len() <= 40 {
                for (x, y) in &series.points {
                    let told = format!("{}: {} at {}", series.name, number(*y), number(*x));
                    let (x, y) = (across(*x), up(*y));
                    let told = escape(&told);
                    let _ = write!(
                        out,
                        r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"><title>{told}</title></circle>"#
                    );
                }
            }
            let down = TOP + 8.0 + 18.0 * at as f64;
            let right = WIDTH - RIGHT + 12.0;
            let _ = write!(out, r#"<path d="M{right} {down}h14" stroke="{colour}" stroke-width="3"/>"#);
            text(&mut out, right + 20.0, down + 4.0, "start", &shortened(&series.name, NAME_MAX));
        }
        out.push_str("</svg>");
        out
    }
}

impl Bars {
    /// With these names and lengths.
    pub fn new(title: impl Into<String>, bars: impl IntoIterator<Item = (String, f64)>) -> Self {
        let bars = bars.into_iter().map(|(name, value)| Bar { name, value }).collect();
        Self { title: title.into(), bars }
    }

    /// As the inside of an HTML page, the longest bar as wide as the chart.
    pub fn svg(&self) -> String {
        let height = TOP + 22.0 * self.bars.len() as f64 + 8.0;
        let most = self.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        let (from, width) = (BARS_LEFT, WIDTH - BARS_LEFT - 90.0);
        let mut out = begin(&self.title, height);
        for (at, bar) in self.bars.iter().enumerate() {
            let down = TOP + 22.0 * at as f64;
            let long = (bar.value / most * width).max(1.0);
            let colour = COLOURS[at % COLOURS.len()];
            let told = escape(&format!("{}: {}", bar.name, number(bar.value)));
            text(&mut out, from - 8.0, down + 13.0, "end", &shortened(&bar.name, BAR_NAME_MAX));
            let _ = write!(
                out,
                r#"<rect x="{from}" y="{down}" width="{long:.1}" height="17" fill="{colour}"><title>{told}</title></rect>"#
            );
            text(&mut out, from + long + 6.0, down + 13.0, "start", &number(bar.value));
        }
        out.push_str("</svg>");
        out
    }
}

/// A chart as a file of its own.
pub fn file(svg: &str) -> String {
    svg.replacen("<svg ", r#"<svg xmlns="http://www.w3.org/2000/svg" "#, 1)
}

/// Makes text harmless inside HTML and SVG.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn begin(title: &str, height: f64) -> String {
    let mut out = format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12" fill="currentColor" role="img" aria-label="{}">"#,
        escape(title)
    );
    let _ = write!(out, r#"<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{}</text>"#, escape(title));
    out
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = write!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escape(text));
}

fn shortened(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    let start: String = name.chars().take(most - 1).collect();
    format!("{start}…")
}

fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        format!("{}M", trimmed(value / 1e6))
    } else if size >= 1e4 {
        format!("{}k", trimmed(value / 1e3))
    } else {
        trimmed(value)
    }
}

fn trimmed(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_line_for_each_series_and_no_odd_numbers() {
        let series = |name: &str, points: &[(f64, f64)]| Series { name: name.to_owned(), points: points.to_vec() };
        let lines =
            vec![series("a<b", &[(0.0, 0.0), (1.0, 5.0)]), series("none", &[]), series("x", &[(2.0, f64::NAN)])];
        for log in [false, true] {
            let svg = Chart::new("Rate & more", ("s", log), ("1/s", log), lines.clone()).svg();
            assert_eq!(svg.matches(r#"stroke-width="1.8""#).count(), 3);
            assert!(svg.contains("a&lt;b") && svg.contains("Rate &amp; more"), "{svg}");
            assert!(!svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(Scale { log: false, from: 0.0, to: 105.0 }.marks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(Scale::of(true, [3.0, 900.0].into_iter()).marks(), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!([0.0, 0.25, 12.0, 20_000.0, 1.5e6].map(number), ["0", "0.25", "12", "20k", "1.5M"]);
    }

    #[test]
    fn bars_of_nothing_are_drawn_too() {
        let svg = Bars::new("Answers", [("200".to_owned(), 0.0)]).svg();
        assert!(svg.contains("200") && !svg.contains("NaN"), "{svg}");
    }
}
