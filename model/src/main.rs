//! `model`: searches the checkout's states for one in which a promise is broken, and prints what it looked at.

use std::process::ExitCode;

use clap::Parser;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use shardcart_model::checkout::Checkout;
use shardcart_model::explore::{Report, search};
use shardcart_model::mutant::{MUTANTS, Mutant};
use shardcart_model::scenario::{self, LARGE, SMALL, Scenario};

/// States looked at in one scenario at most: about 3 GB.
const STATES_MAX: usize = 30_000_000;

/// Looks at every state that the model of the checkout can be in.
#[derive(Debug, Parser)]
struct Options {
    /// Leave a rule out, and show what goes wrong.
    #[arg(long)]
    mutant: Option<String>,
    /// Look at one scenario alone.
    #[arg(long)]
    scenario: Option<String>,
    /// List scenarios and mutants.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        list();
        return ExitCode::SUCCESS;
    }
    let mutant = match options.mutant.as_deref().map(|name| (name, Mutant::named(name))) {
        Some((name, None)) => return unknown(name),
        found => found.and_then(|(_, mutant)| mutant),
    };
    let scenarios: Vec<Scenario> = match options.scenario.as_deref().map(|name| (name, scenario::named(name))) {
        Some((name, None)) => return unknown(name),
        Some((_, Some(scenario))) => vec![scenario],
        None => match mutant {
            Some(mutant) => vec![mutant.scenario()],
            None => SMALL.into_iter().chain(LARGE).collect(),
        },
    };
    println!(
        "{:10} {:>12} {:>13} {:>6} {:>10} {:>9}  about",
        "scenario", "states", "steps", "depth", "settled", "seconds"
    );
    let mut sound = true;
    for scenario in scenarios {
        let model = Checkout { scenario, mutant };
        let report = look(&model);
        let wrong = report.wrong.as_ref().map(|wrong| wrong.tell(&model, |state| model.tell(state)));
        println!(
            "{:10} {:>12} {:>13} {:>6} {:>10} {:>9.1}  {}",
            scenario.name,
            HumanCount(report.states as u64).to_string(),
            HumanCount(report.steps as u64).to_string(),
            report.depth,
            HumanCount(report.settled as u64).to_string(),
            report.took.as_secs_f64(),
            scenario.about
        );
        if let Some(wrong) = wrong {
            println!("{wrong}");
        }
        if !report.complete {
            println!("{}: not all states were looked at", scenario.name);
        }
        sound &= report.complete && report.wrong.is_none();
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Searches, and shows how far it is.
fn look(model: &Checkout) -> Report<Checkout> {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}").expect("the template is well-formed");
    bar.set_style(style);
    bar.set_prefix(model.scenario.name);
    let report = search(model, STATES_MAX, |progress| {
        let (states, searched) = (HumanCount(progress.states as u64), HumanCount(progress.searched as u64));
        bar.set_message(format!("{states} states, {searched} searched, {}", HumanDuration(bar.elapsed())));
        bar.tick();
    });
    bar.finish_and_clear();
    report
}

fn list() {
    println!("scenarios, searched by the tests:");
    for scenario in SMALL {
        println!("  {:24} {}", scenario.name, scenario.about);
    }
    println!("scenarios, searched here alone:");
    for scenario in LARGE {
        println!("  {:24} {}", scenario.name, scenario.about);
    }
    println!("mutants, each with the scenario in which it is found:");
    for (mutant, name, about) in MUTANTS {
        println!("  {name:24} {:10} {about}", mutant.scenario().name);
    }
}

fn unknown(name: &str) -> ExitCode {
    eprintln!("there is no {name}: see --list");
    ExitCode::from(2)
}
