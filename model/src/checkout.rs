//! The checkout as a model: the protocol in one scenario, whole or with a rule left out.

use crate::mutant::Mutant;
use crate::scenario::Scenario;
use crate::state::MINTS;

/// What each order wants of each part.
pub const WANTED: u8 = 1;
/// The moment in the first ids that requests mint: coordinators whose clocks stand still, so that every later attempt is
/// told that it has moved.
pub(crate) const FIRST_MS: u8 = 3;
/// The moment in the id that an order has at first.
pub(crate) const CREATED_MS: u8 = 1;
/// The moment in the id that a bulk load mints: its clock is behind those of the coordinators.
pub(crate) const LOADED_MS: u8 = 2;

/// The protocol in one scenario, whole or as a mutant.
#[derive(Debug, Clone, Copy)]
pub struct Checkout {
    /// Where.
    pub scenario: Scenario,
    /// Which rule is left out.
    pub mutant: Option<Mutant>,
}

impl Checkout {
    /// The whole protocol.
    pub fn new(scenario: Scenario) -> Self {
        Checkout { scenario, mutant: None }
    }

    /// The protocol without a rule.
    pub fn without(mutant: Mutant, scenario: Scenario) -> Self {
        Checkout { scenario, mutant: Some(mutant) }
    }

    /// How many attempts there can be.
    pub fn attempts(&self) -> usize {
        self.scenario.requests.len() * MINTS
    }

    /// The place of the payment shard among the parts.
    pub fn payment(&self) -> usize {
        self.scenario.parts - 1
    }

    /// The order that an attempt is for.
    pub fn order_of(&self, attempt: usize) -> usize {
        // Where the tx is a counter there is one order, and its attempts belong to no request.
        self.scenario.requests[attempt / MINTS]
    }
}
