//! The shards: their scripts run on the state, with what the checks need to know noted beside it.

use crate::checkout::{CREATED_MS, Checkout, LOADED_MS, WANTED};
use crate::mutant::Mutant;
use crate::order::{self, Ask, Order, Refusal, Reply, Status, Tx};
use crate::participant::{self, Holdings, Operation, Outcome, Paid, Record, Says, When};
use crate::state::{ALARM, Attempt, Cell, Clock, NO_ATTEMPT, State, TAKEN_TWICE, Units};

impl Checkout {
    /// Runs a script of the order's shard.
    pub(crate) fn ask(&self, state: &mut State, number: usize, ask: Ask, tx: Tx) -> Reply {
        let before = state.shops[number].order;
        let (reply, mut order) = order::run(before, ask, tx, self.mutant);
        // Which refusal it was makes no difference to what happens.
        order.refusal = Refusal::None;
        state.shops[number].order = order;
        if let Some(attempt) = state.attempts.get_mut(usize::from(order.tx.id)) {
            if order.status == Status::Pending && before.status != Status::Pending {
                attempt.incarnation = state.shops[number].incarnation;
            }
            if order.status == Status::Paid && (before.status, before.tx) != (Status::Paid, order.tx) {
                if attempt.facts.has(Attempt::DECIDED) {
                    state.wrongs.set(TAKEN_TWICE);
                }
                attempt.facts.set(Attempt::DECIDED);
            }
        }
        reply
    }

    /// What a participant has, as an attempt of this incarnation sees it.
    pub(crate) fn holdings(&self, state: &State, place: usize, part: usize) -> Holdings {
        let Units { free, held } = state.units[part];
        let shop = &state.shops[self.order_of(place)];
        let mine = part == self.payment() && shop.paid_incarnation == state.attempts[place].incarnation;
        Holdings { exists: true, free, held, paid: if mine { shop.paid } else { Paid::Unpaid } }
    }

    /// Runs a script of a participant.
    pub(crate) fn take(&self, state: &mut State, place: usize, part: usize, operation: Operation, when: When) -> Says {
        let holdings = self.holdings(state, place, part);
        let Cell { record: before, clock, mut marks } = state.attempts[place].cells[part];
        let outcome = participant::run(before, holdings, operation, when, WANTED, self.mutant);
        let Outcome { says, record, holdings: after } = outcome;
        let clock = match (record, when) {
            (Record::Nothing, When::Forgotten) => Clock::Forgotten,
            (Record::Nothing, When::InTime) => clock,
            (Record::Nothing, _) => Clock::Late,
            _ => Clock::Open,
        };
        let took = operation == Operation::Confirm && (after.free, after.held) != (holdings.free, holdings.held);
        if took && marks.has(Cell::TAKEN) {
            state.wrongs.set(TAKEN_TWICE);
        }
        if took {
            marks.set(Cell::TAKEN);
        }
        if matches!(says, Says::Lost | Says::Conflict) {
            state.wrongs.set(ALARM);
        }
        state.attempts[place].cells[part] = Cell { record, clock, marks };
        state.units[part] = Units { free: after.free, held: after.held };
        if part == self.payment() && after.paid != holdings.paid {
            let incarnation = state.attempts[place].incarnation;
            let shop = &mut state.shops[self.order_of(place)];
            shop.paid = after.paid;
            shop.paid_incarnation = if after.paid == Paid::Unpaid { 0 } else { incarnation };
        }
        says
    }

    /// The tx of an attempt.
    pub(crate) fn tx(state: &State, place: usize) -> Tx {
        Tx { id: place as u8, ms: state.attempts[place].ms }
    }

    /// A bulk load overwrites an order.
    pub(crate) fn load(&self, state: &mut State, number: usize) {
        let order = state.shops[number].order;
        let latest = state.attempts.iter().map(|attempt| attempt.ms).max().unwrap_or(0);
        let incarnation = match self.mutant {
            Some(Mutant::LoadClockBehind) => LOADED_MS,
            // A removed order cannot tell its last tx: there the clock has to be right.
            _ if order.status == Status::Missing => latest + 1,
            _ => LOADED_MS.max(order.tx.ms + 1),
        };
        let ms = if self.mutant == Some(Mutant::TxFromCounter) { CREATED_MS } else { incarnation };
        let tx = Tx { id: NO_ATTEMPT, ms };
        state.shops[number].order = Order { status: Status::Open, tx, refusal: Refusal::None, in_flight: false };
        state.shops[number].incarnation = incarnation;
        state.loads -= 1;
    }
}
