//! What it costs to be seen from outside: a shop that counts and one that does not, in turn.

use super::{GrowthArgs, one};
use crate::load::fill::{Fill, How};
use crate::report::chart::{Chart, Series};
use crate::report::findings::Findings;
use crate::report::table::Table;
use crate::systems::system::System;

/// How often each of the two is measured. A round is short and the two of it follow one another, so that both find the
/// computer alike.
const ROUNDS: usize = 41;
/// All processes, and the one that counts.
const OF: [&str; 2] = ["", "shop"];

pub async fn run(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let counts = System::shop(&args.system, 1, args.fsync).await?;
    let blind = System::shop(&args.system.with("METRICS", "false"), 1, args.fsync).await?;
    // With, and without: of each round what a committed checkout took, all of it and the shop's part.
    let mut taken: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..ROUNDS {
        let mut turns = [(0, &counts), (1, &blind)];
        // Neither is always the first.
        turns.rotate_left(round % 2);
        for (which, system) in turns {
            let fill = Fill::plenty(1000, 1000, 1, args.checkouts * 11 / 10, 2)?;
            let report = one(args, system, fill, How::Batch, args.checkouts, 0.0).await?;
            let processes = report.cpu.as_ref().ok_or("no CPU time: it is read on Linux only")?.processes.iter();
            for (taken, program) in taken[which].iter_mut().zip(OF) {
                let of_program = processes.clone().filter(|process| process.name.starts_with(program));
                taken.push(of_program.map(|process| process.us_per_committed).sum::<f64>());
            }
            findings.keep(format!("round {round}, {}", ["with", "without"][which]), report);
        }
    }
    findings.charts.push(chart(&taken));
    findings.tables.push(table(taken));
    Ok(())
}

/// All of it by round, with and without.
fn chart(taken: &[[Vec<f64>; 2]; 2]) -> Chart {
    let series = ["with", "without"].into_iter().zip(taken).map(|(name, [all, _])| Series {
        name: name.to_owned(),
        points: all.iter().enumerate().map(|(round, us)| (round as f64, *us)).collect(),
    });
    Chart::new(
        "Cost of being seen, by round",
        ("round", false),
        ("CPU, µs per committed checkout", false),
        series.collect(),
    )
}

fn table([with, without]: [[Vec<f64>; 2]; 2]) -> Table {
    let head = ["CPU, µs a committed checkout", "with", "without", "difference", "95 % sure", "% of all"];
    let mut table = Table::new("Cost of being seen", &head);
    let [_, all, _] = median(&without[0]);
    for ((name, with), without) in ["shop and Redis", "shop"].into_iter().zip(with).zip(without) {
        let differences: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
        let [low, difference, high] = median(&differences);
        table.row(vec![
            name.to_owned(),
            format!("{:.2}", median(&with)[1]),
            format!("{:.2}", median(&without)[1]),
            format!("{difference:+.2}"),
            format!("{low:+.2} to {high:+.2}"),
            format!("{:+.1}", difference / all.max(f64::EPSILON) * 100.0),
        ]);
    }
    table.notes.push(format!(
        "{ROUNDS} rounds of each in turn, and their medians; the difference is the median of those of each round, and \
         95 % sure to lie between the two figures: that is the noise"
    ));
    table
}

/// The median, and the values before and behind it between which that of all rounds there could be lies, in 95 of 100
/// cases: each round is above or below it like a coin, whatever the noise is like.
fn median(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Truncation takes the wider one.
    let low = (sorted.len() as f64 / 2.0 - 0.98 * (sorted.len() as f64).sqrt()).max(0.0) as usize;
    let places = [low, sorted.len() / 2, sorted.len().saturating_sub(low + 1)];
    places.map(|place| sorted.get(place).copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_that_of_the_rounds_and_not_of_the_medians() {
        // A computer that gets slower and slower: what both took differs more from round to round than they do.
        let (with, without) = (vec![61.0, 71.0, 81.5], vec![60.0, 70.0, 80.0]);
        let table = table([[with.clone(), with], [without.clone(), without]]);
        assert_eq!(table.rows[0][1..], ["71.00", "70.00", "+1.00", "+1.00 to +1.50", "+1.4"]);
    }

    #[test]
    fn many_rounds_leave_less_to_doubt() {
        let rounds: Vec<f64> = (0..41).map(f64::from).collect();
        assert_eq!(median(&rounds), [14.0, 20.0, 26.0]);
    }
}
