//! `kept`: whether checkouts are still as cheap as they were, on whichever machine.
//!
//! Costs are compared as ratios to a reference that is measured in the same minute, so that a slower machine, or a busy
//! one, does not matter. The ratios that count are in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shardcart_harness::Fsync;

use crate::commands::checkout::{self, CheckoutArgs};
use crate::report::chart::Bars;
use crate::report::findings::Findings;
use crate::report::table::Table;
use crate::systems::reference::Reference;
use crate::systems::system::{Setting, System, SystemArgs};
use crate::waiting::during;

/// This much more than recorded fails.
const WORSE: f64 = 1.15;

/// A round of all measurements is done so often, …
const ROUNDS: usize = 3;

/// … and so often before something is called worse: one bad minute is not a worse program.
const ROUNDS_MAX: usize = 5;

/// What to compare with.
#[derive(Debug, clap::Args)]
pub struct KeptArgs {
    #[command(flatten)]
    pub system: SystemArgs,
    /// The recorded figures
    #[arg(long, default_value = "benchmark/kept.json", value_name = "FILE")]
    pub recorded: PathBuf,
    /// Record what is found instead of comparing with it
    #[arg(long)]
    pub record: bool,
    /// Checkouts of each measurement with 64 clients; with 1 client a tenth
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub checkouts: u64,
    /// Systems to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "a,b")]
    pub settings: Vec<Setting>,
}

/// What is on record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recorded {
    /// When and on what.
    made: String,
    /// The reference then; only ratios are compared.
    reference: Reference,
    /// What a checkout cost in microseconds then, by setting; for the reader.
    cost_us: BTreeMap<String, f64>,
    /// Cost over reference, by setting.
    ratio: BTreeMap<String, f64>,
}

/// What the rounds found, by setting.
#[derive(Debug, Default)]
struct Rounds {
    references: Vec<Reference>,
    costs: BTreeMap<String, Vec<f64>>,
    ratios: BTreeMap<String, Vec<f64>>,
}

/// Measures, and compares or records.
///
/// # Errors
/// A system does not start or stops answering, or there is nothing to compare with. What is worse is in the findings.
pub async fn run(args: &KeptArgs) -> Result<Findings, String> {
    // Before minutes are spent.
    let recorded = if args.record { None } else { Some(read(&args.recorded)?) };
    if let Some(Ok(before)) = args.record.then(|| read(&args.recorded)) {
        let dropped = dropped(&before, &args.settings);
        if !dropped.is_empty() {
            let (dropped, file) = (dropped.join(", "), args.recorded.display());
            return Err(format!(
                "{file} would lose {dropped}: give --settings all that are on record, or another file"
            ));
        }
    }
    let mut findings = Findings::new("Kept fast");
    let mut rounds = Rounds::default();
    for round in 1..=ROUNDS_MAX {
        eprintln!("round {round}");
        rounds.add(args, &mut findings).await?;
        let found = rounds.medians(&findings);
        let worse = recorded.as_ref().is_some_and(|recorded| !worse(recorded, &found).is_empty());
        if round >= ROUNDS && !worse {
            break;
        }
    }
    let found = rounds.medians(&findings);
    findings.tables.push(table(recorded.as_ref(), &found));
    findings.bars.push(bars(recorded.as_ref(), &found));
    match &recorded {
        Some(recorded) => findings.failures.extend(worse(recorded, &found)),
        // Figures of a run that went wrong are not what later ones should be held to.
        None if findings.failures.is_empty() => write(&args.recorded, &found)?,
        None => {}
    }
    Ok(findings)
}

impl Rounds {
    async fn add(&mut self, args: &KeptArgs, findings: &mut Findings) -> Result<(), String> {
        let reference = during("measuring the reference", Reference::measure(&args.system)).await?;
        self.references.push(reference);
        for setting in &args.settings {
            for fsync in [Fsync::EverySec, Fsync::Always] {
                let system = System::start(&args.system, *setting, fsync).await?;
                for (clients, checkouts) in [(64, args.checkouts), (1, args.checkouts / 10)] {
                    let name = format!("{setting} {} {clients}", fsync.as_str());
                    let report = checkout::run(&CheckoutArgs::of(&system, clients, checkouts)).await?;
                    let report = findings.keep(format!("{name}, round {}", self.references.len()), report);
                    let cpu = report.cpu.as_ref().ok_or("no CPU time: it is read on Linux only")?;
                    let us = cpu.us_per_committed;
                    self.costs.entry(name.clone()).or_default().push(us);
                    self.ratios.entry(name).or_default().push(us / reference.checkout_us(fsync));
                }
            }
        }
        Ok(())
    }

    fn medians(&self, findings: &Findings) -> Recorded {
        let each = |figures: &BTreeMap<String, Vec<f64>>| {
            figures.iter().map(|(name, values)| (name.clone(), median(values.clone()))).collect()
        };
        let reference = |of: fn(&Reference) -> f64| median(self.references.iter().map(of).collect());
        Recorded {
            made: findings.made.to_string(),
            reference: Reference {
                script_everysec_us: reference(|reference| reference.script_everysec_us),
                script_always_us: reference(|reference| reference.script_always_us),
                http_us: reference(|reference| reference.http_us),
            },
            cost_us: each(&self.costs),
            ratio: each(&self.ratios),
        }
    }
}

/// What is on record of settings that are not measured now.
fn dropped<'a>(recorded: &'a Recorded, settings: &[Setting]) -> Vec<&'a str> {
    let measured = |name: &str| settings.iter().any(|setting| name.starts_with(&setting.to_string()));
    recorded.ratio.keys().map(String::as_str).filter(|name| !measured(name)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (_, _) if values.is_empty() => 0.0,
        (middle, 1) => values[middle],
        (middle, _) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// What costs too much now, in words.
fn worse(recorded: &Recorded, found: &Recorded) -> Vec<String> {
    let both = found.ratio.iter().filter_map(|(name, now)| Some((name, now, recorded.ratio.get(name)?)));
    let worse = both.filter(|(_, now, then)| **now > **then * WORSE);
    worse.map(|(name, now, then)| format!("{name} clients: {now:.2} of the reference, {then:.2} on record")).collect()
}

/// What was found, and what is on record of the same, beside each other.
fn bars(recorded: Option<&Recorded>, found: &Recorded) -> Bars {
    let each = found.ratio.iter().flat_map(|(name, ratio)| {
        let then = recorded.and_then(|recorded| recorded.ratio.get(name));
        let then = then.map(|then| (format!("{name} clients, on record"), *then));
        std::iter::once((format!("{name} clients"), *ratio)).chain(then)
    });
    Bars::new("CPU of a checkout, times the reference", each)
}

fn table(recorded: Option<&Recorded>, found: &Recorded) -> Table {
    let head = ["setting, fsync, clients", "µs", "of the reference", "on record", "change"];
    let mut table = Table::new("CPU of a checkout against a reference of this minute", &head);
    for (name, ratio) in &found.ratio {
        let then = recorded.and_then(|recorded| recorded.ratio.get(name));
        table.row(vec![
            name.clone(),
            format!("{:.1}", found.cost_us[name]),
            format!("{ratio:.2}"),
            then.map_or_else(|| "–".to_owned(), |then| format!("{then:.2}")),
            then.map_or_else(|| "–".to_owned(), |then| format!("{:+.1} %", (ratio / then - 1.0) * 100.0)),
        ]);
    }
    let Reference { script_everysec_us, script_always_us, http_us } = found.reference;
    table.notes.push(format!(
        "reference: seven calls of a fixed Redis script ({script_everysec_us:.1} µs each with everysec, {script_always_us:.1} with always) and a bare HTTP request ({http_us:.1} µs); medians of the rounds"
    ));
    table.notes.push(format!("more than {:.0} % above the record fails", (WORSE - 1.0) * 100.0));
    table.notes.extend(recorded.map(|recorded| format!("on record: {}", recorded.made)));
    let missing = recorded.map_or_else(Vec::new, |recorded| {
        found.ratio.keys().filter(|name| !recorded.ratio.contains_key(*name)).map(String::as_str).collect()
    });
    if !missing.is_empty() {
        table.notes.push(format!("not on record, and so compared with nothing: {}", missing.join(", ")));
    }
    table
}

fn read(file: &Path) -> Result<Recorded, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("no recorded figures in {} ({error}): make some with --record", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, found: &Recorded) -> Result<(), String> {
    let text = serde_json::to_string_pretty(found).map_err(|error| error.to_string())?;
    std::fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(ratios: &[(&str, f64)]) -> Recorded {
        let map: BTreeMap<_, _> = ratios.iter().map(|(name, ratio)| ((*name).to_owned(), *ratio)).collect();
        let reference = Reference { script_everysec_us: 10.0, script_always_us: 20.0, http_us: 6.0 };
        Recorded { made: "then".to_owned(), reference, cost_us: map.clone(), ratio: map }
    }

    #[test]
    fn more_than_15_percent_worse_is_told_and_less_is_not() {
        let recorded = figures(&[("A", 2.0), ("B", 2.0), ("C", 2.0)]);
        let found = figures(&[("A", 2.29), ("B", 2.31), ("new", 100.0)]);
        let worse = worse(&recorded, &found);
        assert_eq!(worse, ["B clients: 2.31 of the reference, 2.00 on record"]);
    }

    #[test]
    fn recording_a_part_does_not_drop_the_rest() {
        let recorded = figures(&[("A always 1", 6.0), ("B always 1", 9.0)]);
        assert_eq!(dropped(&recorded, &[Setting::A]), ["B always 1"]);
        assert_eq!(dropped(&recorded, &[Setting::A, Setting::B, Setting::C]), [""; 0]);
    }

    #[test]
    fn a_checkout_is_compared_with_its_scripts_and_a_request() {
        let reference = figures(&[]).reference;
        assert_eq!(reference.checkout_us(Fsync::EverySec), 76.0);
        assert_eq!(reference.checkout_us(Fsync::Always), 146.0);
    }

    #[test]
    fn one_odd_round_does_not_move_the_median() {
        assert_eq!(median(vec![5.0, 1.0, 100.0]), 5.0);
        assert_eq!(median(vec![1.0, 3.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kept.json");
        let figures = figures(&[("A", 2.5)]);
        write(&file, &figures).unwrap();
        assert_eq!(read(&file).unwrap(), figures);
        assert!(read(Path::new("/nowhere/kept.json")).unwrap_err().contains("--record"));
    }
}
