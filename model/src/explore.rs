//! A search through all states of a model, breadth first, and back from those in which everything is settled.
//!
//! stateright has a search of its own, but its `eventually` overlooks paths that end in a cycle, and where messages may be
//! lost every wait is a cycle. So it is asked here whether a settled state *can* be reached from every state, by steps
//! that are no faults. States are kept as 64-bit fingerprints: among 20 million, one in a hundred thousand searches takes
//! two of them for the same.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use stateright::Model;

/// A model in which everything can be settled.
pub trait Settles: Model {
    /// Whether a step happens by itself once faults have stopped.
    fn is_fair(&self, action: &Self::Action) -> bool;

    /// Whether nothing is under way.
    fn is_settled(&self, state: &Self::State) -> bool;
}

/// What a search has come to so far.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// States found.
    pub states: usize,
    /// States whose next states are known.
    pub searched: usize,
}

/// A way into a state that must not be.
pub struct Counterexample<M: Model> {
    /// What is wrong there.
    pub wrong: String,
    /// The steps from the first state, each with the state that it leads to.
    pub steps: Vec<(M::Action, M::State)>,
}

impl<M: Model> Counterexample<M> {
    /// The way in words: a line for each step, and one for what it leads to.
    pub fn tell(&self, model: &M, state_in_words: impl Fn(&M::State) -> String) -> String
    where
        M::Action: fmt::Debug,
    {
        let mut text = format!("wrong: {}, after {} steps\n", self.wrong, self.steps.len());
        for (place, (action, state)) in self.steps.iter().enumerate() {
            let (step, number) = (model.format_action(action), place + 1);
            text.push_str(&format!("{number:4}. {step}\n      {}\n", state_in_words(state)));
        }
        text
    }
}

/// What a search found.
pub struct Report<M: Model> {
    /// Different states.
    pub states: usize,
    /// Steps between them, faults included.
    pub steps: usize,
    /// The longest of the shortest ways to a state.
    pub depth: usize,
    /// In how many of them everything is settled.
    pub settled: usize,
    /// Whether all states were seen; if not, only what was found counts.
    pub complete: bool,
    /// What is wrong, if something is.
    pub wrong: Option<Counterexample<M>>,
    /// How long it took.
    pub took: Duration,
}

/// Numbers of states by their fingerprints.
struct Seen {
    /// By number.
    fingerprints: Vec<u64>,
    /// Numbers, at or after the place that the fingerprint says.
    places: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Seen {
    fn new() -> Self {
        Seen { fingerprints: Vec::new(), places: vec![FREE; 1 << 16] }
    }

    /// The number of a state, and whether it is new.
    fn number(&mut self, fingerprint: u64) -> (u32, bool) {
        if self.fingerprints.len() * 5 > self.places.len() * 3 {
            let larger = self.places.len() * 2;
            self.places.clear();
            self.places.resize(larger, FREE);
            for (number, known) in self.fingerprints.iter().enumerate() {
                let place = free_place(&self.places, *known);
                self.places[place] = number as u32;
            }
        }
        let mask = self.places.len() - 1;
        let mut place = fingerprint as usize & mask;
        loop {
            let number = self.places[place];
            if number == FREE {
                let number = self.fingerprints.len() as u32;
                self.places[place] = number;
                self.fingerprints.push(fingerprint);
                return (number, true);
            }
            if self.fingerprints[number as usize] == fingerprint {
                return (number, false);
            }
            place = (place + 1) & mask;
        }
    }
}

fn free_place(places: &[u32], fingerprint: u64) -> usize {
    let mask = places.len() - 1;
    let mut place = fingerprint as usize & mask;
    while places[place] != FREE {
        place = (place + 1) & mask;
    }
    place
}

/// Bits by number.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, number: usize) {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }
}

/// Looks at all states of a model, at most `states_max`, and stops at the first in which a property does not hold, or
/// from which no fair step leads to where everything is settled.
///
/// Memory: about 20 bytes a state, 4 a fair step, and the states that are yet to be searched.
pub fn search<M>(model: &M, states_max: usize, mut progress: impl FnMut(Progress)) -> Report<M>
where
    M: Settles,
    M::State: Hash + Clone,
    M::Action: Clone,
{
    let start = Instant::now();
    let properties = model.properties();
    let broken = |state: &M::State| {
        properties.iter().find(|property| !(property.condition)(model, state)).map(|found| found.name)
    };
    let mut report =
        Report { states: 0, steps: 0, depth: 0, settled: 0, complete: true, wrong: None, took: Duration::ZERO };

    let mut seen = Seen::new();
    let mut parents: Vec<u32> = Vec::new();
    let mut waiting: VecDeque<M::State> = VecDeque::new();
    let mut settled = Bits::default();
    // The fair steps of all states, one after the other, and where those of each state end.
    let (mut targets, mut ends): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut wrong = None;

    for state in model.init_states() {
        let (number, new) = seen.number(fingerprint(&state));
        if new {
            parents.push(number);
            wrong = wrong.or(broken(&state).map(|name| (number, name)));
            waiting.push_back(state);
        }
    }
    let (mut actions, mut level_end) = (Vec::new(), waiting.len());
    'search: while let Some(state) = waiting.pop_front() {
        let current = ends.len();
        if wrong.is_some() {
            break;
        }
        if current == level_end {
            report.depth += 1;
            level_end = seen.fingerprints.len();
        }
        if current.is_multiple_of(1 << 16) {
            progress(Progress { states: seen.fingerprints.len(), searched: current });
        }
        if model.is_settled(&state) {
            settled.set(current);
        }
        model.actions(&state, &mut actions);
        for action in actions.drain(..) {
            let fair = model.is_fair(&action);
            let Some(next) = model.next_state(&state, action) else { continue };
            report.steps += 1;
            let (number, new) = seen.number(fingerprint(&next));
            if new {
                parents.push(current as u32);
                if let Some(name) = broken(&next) {
                    wrong = Some((number, name));
                    break 'search;
                }
                waiting.push_back(next);
            }
            if fair && number as usize != current {
                targets.push(number);
            }
        }
        ends.push(targets.len() as u32);
        if seen.fingerprints.len() > states_max {
            report.complete = false;
            break;
        }
    }
    drop(waiting);
    drop(actions);
    report.states = seen.fingerprints.len();
    report.settled = settled.count();
    if wrong.is_none() && report.complete {
        wrong = stuck(&targets, &ends, settled).map(|number| (number, STUCK));
    }
    report.wrong = wrong.map(|(number, name)| Counterexample {
        wrong: name.to_owned(),
        steps: steps_to(model, &seen.fingerprints, &parents, number),
    });
    report.took = start.elapsed();
    report
}

/// The name of what is wrong where nothing leads to a settled state.
pub const STUCK: &str = "can be settled";

/// The first state from which no settled one can be reached.
fn stuck(targets: &[u32], ends: &[u32], settled: Bits) -> Option<u32> {
    let mut reaches = settled;
    // Steps lead mostly to states found later, so that a few passes from the last to the first are enough.
    loop {
        let mut more = false;
        for number in (0..ends.len()).rev() {
            let from = if number == 0 { 0 } else { ends[number - 1] as usize };
            let next = &targets[from..ends[number] as usize];
            if !reaches.has(number) && next.iter().any(|target| reaches.has(*target as usize)) {
                reaches.set(number);
                more = true;
            }
        }
        if !more {
            break;
        }
    }
    (0..ends.len()).find(|number| !reaches.has(*number)).map(|number| number as u32)
}

/// The way to a state. States are not kept, so the way is gone once more.
fn steps_to<M>(model: &M, fingerprints: &[u64], parents: &[u32], number: u32) -> Vec<(M::Action, M::State)>
where
    M: Model,
    M::State: Hash + Clone,
    M::Action: Clone,
{
    let mut way = vec![number];
    while let Some(last) = way.last()
        && parents[*last as usize] != *last
    {
        way.push(parents[*last as usize]);
    }
    way.reverse();
    let first = model.init_states().into_iter().find(|state| fingerprint(state) == fingerprints[way[0] as usize]);
    let Some(mut state) = first else { return Vec::new() };
    let mut steps = Vec::new();
    for number in &way[1..] {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        let next = actions.into_iter().find_map(|action| {
            let next = model.next_state(&state, action.clone())?;
            (fingerprint(&next) == fingerprints[*number as usize]).then_some((action, next))
        });
        let Some((action, next)) = next else { break };
        steps.push((action, next.clone()));
        state = next;
    }
    steps
}

/// 64 bits that stand for a state.
pub fn fingerprint<T: Hash>(state: &T) -> u64 {
    let mut hasher = Folded(SEEDS[0]);
    state.hash(&mut hasher);
    hasher.finish()
}

/// Multiplies to 128 bits and folds them, eight bytes at a time (Wang Yi's wyhash).
struct Folded(u64);

/// Digits of pi, odd.
const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = fold(self.0 ^ u64::from_le_bytes(word), SEEDS[1]) ^ self.0.rotate_left(29);
        }
    }

    fn finish(&self) -> u64 {
        fold(self.0 ^ SEEDS[0], SEEDS[1])
    }
}
