//! The model has teeth: each rule that is left out shows, in a scenario in which the whole protocol has nothing wrong.

use shardcart_model::checkout::Checkout;
use shardcart_model::explore::{Counterexample, STUCK, search};
use shardcart_model::mutant::{MUTANTS, Mutant};
use shardcart_model::scenario::{SMALL, Scenario};

fn counterexample(model: &Checkout) -> Option<Counterexample<Checkout>> {
    let report = search(model, 5_000_000, |_| {});
    assert!(report.complete, "{:?}: too many states", model.mutant);
    report.wrong
}

/// What goes wrong first without the rule.
fn expected(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::NoTombstone
        | Mutant::RefusalUnmarked
        | Mutant::FinishUnguarded
        | Mutant::DeadlineUnchecked
        | Mutant::TombstoneEndsEarly
        | Mutant::DeadlineBeforeRecord
        | Mutant::FinishBeforeAcknowledged
        | Mutant::BusyIsFinal => "nothing is held for nobody",
        Mutant::DecideUnguarded | Mutant::DecideIgnoresStatus | Mutant::BeginNotMonotone => "never half-paid",
        Mutant::ConfirmTakesAgain | Mutant::PayNotExcluded => "never charged twice",
        Mutant::AbortOfPaid | Mutant::TxFromCounter | Mutant::LoadClockBehind => "paid stays paid",
        Mutant::HeldExpires => "nothing is lost or made",
        Mutant::DecideForgetsLoads | Mutant::MissingIsGivenUp => "no answer becomes false",
        Mutant::NobodyRecovers | Mutant::NobodyReviews => STUCK,
    }
}

#[test]
fn every_mutant_has_a_counterexample_where_the_whole_protocol_has_none() {
    for (mutant, name, _) in MUTANTS {
        let scenario = mutant.scenario();
        // That the whole protocol has none there is what tests/protocol.rs finds.
        assert!(
            SMALL.iter().any(|small| small.name == scenario.name),
            "{name}: {} is not searched whole",
            scenario.name
        );
        let model = Checkout::without(mutant, scenario);
        let found = counterexample(&model).unwrap_or_else(|| panic!("{name} does no harm in {}", scenario.name));
        println!("{name}: {}", found.tell(&model, |state| model.tell(state)));
        assert_eq!(found.wrong, expected(mutant), "{name}");
        assert!(!found.steps.is_empty(), "{name}: the way is told");
    }
}

#[test]
fn a_tx_from_a_counter_does_harm_only_by_a_bulk_load() {
    let without = Scenario { loads: 0, removes: false, ..Mutant::TxFromCounter.scenario() };
    assert!(counterexample(&Checkout::without(Mutant::TxFromCounter, without)).is_none());
}
