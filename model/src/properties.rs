//! What must be true in every state.

use stateright::Property;

use crate::checkout::{Checkout, WANTED};
use crate::order::Status;
use crate::participant::{Paid, Record};
use crate::state::{ALARM, Attempt, Cell, PROMISED_UNPAID, State, TAKEN_TWICE};

/// All of them.
pub fn all() -> Vec<Property<Checkout>> {
    vec![
        Property::always("never half-paid", never_half_paid),
        Property::always("paid stays paid", paid_stays_paid),
        Property::always("never charged twice", never_charged_twice),
        Property::always("nothing is lost or made", nothing_is_lost_or_made),
        Property::always("no answer becomes false", no_answer_becomes_false),
        Property::always("nothing is held for nobody", nothing_is_held_for_nobody),
        Property::always("out of flight is settled", out_of_flight_is_settled),
        Property::always("no alarm", no_alarm),
    ]
}

fn attempts<'a>(model: &Checkout, state: &'a State) -> impl Iterator<Item = (usize, &'a Attempt)> {
    state.attempts[..model.attempts()].iter().enumerate()
}

/// What an order was paid with is held or taken at every participant; nothing else is ever taken.
fn never_half_paid(model: &Checkout, state: &State) -> bool {
    attempts(model, state).all(|(_, attempt)| {
        let decided = attempt.facts.has(Attempt::DECIDED);
        attempt.cells[..model.scenario.parts].iter().all(|cell| {
            let taken = cell.marks.has(Cell::TAKEN);
            if decided { taken || cell.record == Record::Held } else { !taken }
        })
    })
}

/// An order stays paid, with the same attempt, as long as it is the same order.
fn paid_stays_paid(model: &Checkout, state: &State) -> bool {
    attempts(model, state).all(|(place, attempt)| {
        let shop = &state.shops[model.order_of(place)];
        let mine = attempt.facts.has(Attempt::DECIDED) && attempt.incarnation == shop.incarnation;
        let order = &shop.order;
        !mine || order.status == Status::Missing || order.status == Status::Paid && usize::from(order.tx.id) == place
    })
}

/// No attempt takes twice, and no order is paid both directly and by a checkout.
fn never_charged_twice(model: &Checkout, state: &State) -> bool {
    let both = attempts(model, state).any(|(place, attempt)| {
        let shop = &state.shops[model.order_of(place)];
        let directly = shop.paid == Paid::Direct && shop.paid_incarnation == attempt.incarnation;
        directly && attempt.facts.has(Attempt::DECIDED)
    });
    !both && !state.wrongs.has(TAKEN_TWICE)
}

/// What there ever was is free, held, or taken; and what is held has a record.
fn nothing_is_lost_or_made(model: &Checkout, state: &State) -> bool {
    (0..model.scenario.parts).all(|part| {
        let (mut held, mut taken) = (0, 0);
        for (_, attempt) in attempts(model, state) {
            let cell = &attempt.cells[part];
            held += u8::from(cell.record == Record::Held) * WANTED;
            taken += u8::from(cell.marks.has(Cell::TAKEN)) * WANTED;
        }
        if part == model.payment() {
            taken += state.shops.iter().filter(|shop| shop.paid == Paid::Direct).count() as u8 * WANTED;
        }
        let came = model.scenario.units[part] + model.scenario.restocks[part] - state.restocks[part];
        let units = &state.units[part];
        units.held == held && units.free + units.held + taken == came
    })
}

/// A 2xx was paid; an attempt that a 4xx spoke of is never decided.
fn no_answer_becomes_false(model: &Checkout, state: &State) -> bool {
    let denied = |attempt: &Attempt| attempt.facts.has(Attempt::DENIED) && attempt.facts.has(Attempt::DECIDED);
    !state.wrongs.has(PROMISED_UNPAID) && !attempts(model, state).any(|(_, attempt)| denied(attempt))
}

/// Who holds something belongs to an order that is under way with it, or paid.
fn nothing_is_held_for_nobody(model: &Checkout, state: &State) -> bool {
    attempts(model, state).all(|(place, attempt)| {
        let order = &state.shops[model.order_of(place)].order;
        let under_way = matches!(order.status, Status::Pending | Status::Aborting | Status::Paid);
        let mine = under_way && usize::from(order.tx.id) == place;
        mine || attempt.cells.iter().all(|cell| cell.record != Record::Held)
    })
}

/// An order that recovery does not look at is open, or paid and settled.
fn out_of_flight_is_settled(model: &Checkout, state: &State) -> bool {
    model.scenario.losses > 0
        || state.shops[..model.scenario.orders()].iter().all(|shop| {
            let order = &shop.order;
            let settled = match order.status {
                Status::Paid => state.attempts.get(usize::from(order.tx.id)).is_some_and(|attempt| {
                    attempt.cells[..model.scenario.parts].iter().all(|cell| cell.marks.has(Cell::TAKEN))
                }),
                Status::Pending | Status::Aborting => false,
                _ => true,
            };
            order.in_flight || settled
        })
}

/// No participant ever meets a message that cannot be.
fn no_alarm(_: &Checkout, state: &State) -> bool {
    !state.wrongs.has(ALARM)
}
