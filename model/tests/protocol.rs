//! The whole protocol, in every small scenario: no promise is broken in any state, and from every state everything can be
//! settled once faults have stopped.

use shardcart_model::checkout::Checkout;
use shardcart_model::explore::search;
use shardcart_model::scenario::{self, Scenario};

/// Far more than the largest of them has.
const STATES_MAX: usize = 5_000_000;

fn holds(scenario: Scenario) {
    let model = Checkout::new(scenario);
    let report = search(&model, STATES_MAX, |_| {});
    println!("{}: {} states, {} steps, {:?}", scenario.name, report.states, report.steps, report.took);
    if let Some(wrong) = report.wrong {
        panic!("{}: {}", scenario.name, wrong.tell(&model, |state| model.tell(state)));
    }
    assert!(report.complete, "{}: more than {STATES_MAX} states", scenario.name);
    assert!(report.settled > 1, "{}: something is settled in the end", scenario.name);
}

macro_rules! all_small {
    ($($name:ident: $scenario:ident,)*) => {
        $(#[test]
        fn $name() {
            holds(scenario::$scenario);
        })*

        #[test]
        fn every_small_scenario_is_here() {
            let here = [$(scenario::$scenario.name),*];
            assert_eq!(here, scenario::SMALL.map(|scenario| scenario.name));
        }
    };
}

all_small! {
    one_request_is_paid_once_or_not_at_all: ONE,
    a_short_stock_shard_gives_the_other_back: SHORT,
    a_checkout_and_a_direct_payment_exclude_each_other: PAY,
    a_lost_entry_of_inflight_is_found_by_review: REVIEW,
    a_bulk_load_begins_a_new_life: LOAD,
    attempts_before_and_after_a_bulk_load_are_strangers: RELOAD,
    two_stock_shards_and_payment_agree: SHARDS,
    two_requests_pay_an_order_once: REPEATED,
    two_orders_share_out_the_last_unit: BUSY,
}
