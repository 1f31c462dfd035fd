//! The search itself: it sees what stateright sees, and what stateright's `eventually` overlooks.

use std::collections::BTreeSet;

use shardcart_model::checkout::Checkout;
use shardcart_model::explore::{STUCK, Settles, fingerprint, search};
use shardcart_model::scenario;
use stateright::{Checker, Model, Property};

#[test]
fn search_finds_as_many_states_as_stateright() {
    for scenario in [scenario::ONE, scenario::SHORT, scenario::PAY, scenario::LOAD] {
        let found = search(&Checkout::new(scenario), usize::MAX, |_| {});
        let checker = Checkout::new(scenario).checker().spawn_bfs().join();
        assert_eq!(found.states, checker.unique_state_count(), "{}", scenario.name);
        checker.assert_properties();
    }
}

/// A ring of rooms, one of them settled; doors lead on, and one of them falls shut.
struct Rooms {
    /// From this room on there is no way back.
    trap: Option<u8>,
    /// This room must never be entered.
    forbidden: Option<u8>,
}

const ROOMS: u8 = 100;

impl Model for Rooms {
    type State = u8;
    /// Where to; whether by a fault.
    type Action = (u8, bool);

    fn init_states(&self) -> Vec<u8> {
        vec![0]
    }

    fn actions(&self, room: &u8, actions: &mut Vec<(u8, bool)>) {
        match self.trap {
            // Two rooms that lead to each other for ever.
            Some(trap) if *room >= trap => actions.push((if *room == trap { trap + 1 } else { trap }, false)),
            Some(trap) => actions.extend([((room + 1) % trap, false), (trap, true)]),
            None => actions.push(((room + 1) % ROOMS, false)),
        }
    }

    fn next_state(&self, _: &u8, (room, _): (u8, bool)) -> Option<u8> {
        Some(room)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("stays out", |rooms, room| rooms.forbidden != Some(*room))]
    }
}

impl Settles for Rooms {
    fn is_fair(&self, (_, fault): &(u8, bool)) -> bool {
        !fault
    }

    fn is_settled(&self, room: &u8) -> bool {
        *room == 0
    }
}

#[test]
fn search_sees_every_state_once_and_that_each_leads_back() {
    let report = search(&Rooms { trap: None, forbidden: None }, usize::MAX, |_| {});
    assert_eq!((report.states, report.steps, report.depth, report.settled), (100, 100, 99, 1));
    assert!(report.complete && report.wrong.is_none());
}

#[test]
fn search_finds_a_cycle_that_never_leads_back() {
    let wrong = search(&Rooms { trap: Some(50), forbidden: None }, usize::MAX, |_| {}).wrong.unwrap();
    assert_eq!(wrong.wrong, STUCK);
    assert_eq!(wrong.steps, [((50, true), 50)]);
}

#[test]
fn search_shows_the_shortest_way_to_what_must_not_be() {
    let rooms = Rooms { trap: None, forbidden: Some(3) };
    let wrong = search(&rooms, usize::MAX, |_| {}).wrong.unwrap();
    assert_eq!((wrong.wrong.as_str(), wrong.steps.len()), ("stays out", 3));
    assert_eq!(wrong.tell(&rooms, |room| format!("room {room}")).lines().count(), 7);
}

#[test]
fn search_that_is_cut_off_says_so() {
    let report = search(&Rooms { trap: Some(50), forbidden: None }, 10, |_| {});
    assert!(!report.complete && report.wrong.is_none());
}

#[test]
fn fingerprints_of_states_that_differ_in_anything_differ() {
    let model = Checkout::new(scenario::ONE);
    let mut level: Vec<_> = model.init_states();
    let (mut seen, mut fingerprints) = (Vec::new(), BTreeSet::new());
    for _ in 0..8 {
        let next: Vec<_> = level.iter().flat_map(|state| model.next_states(state)).collect();
        for state in level {
            if !seen.contains(&state) {
                assert!(fingerprints.insert(fingerprint(&state)), "{state:?}");
                seen.push(state);
            }
        }
        level = next.into_iter().filter(|state| !seen.contains(state)).collect();
        level.dedup();
    }
    assert!(seen.len() > 300);
}
