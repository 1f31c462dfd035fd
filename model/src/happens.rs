//! What can happen in a state.

use crate::action::{Action, Heard, Message};
use crate::checkout::Checkout;
use crate::mutant::Mutant;
use crate::order::Status;
use crate::participant::{Record, When};
use crate::state::{Attempt, Cell, Clock, Known, Phase, State};

impl Checkout {
    /// What coordinators and clients may do.
    pub(crate) fn actions_of_requests(&self, state: &State, actions: &mut Vec<Action>) {
        let mut all_over = true;
        for number in 0..self.scenario.requests.len() as u8 {
            let request = &state.requests[usize::from(number)];
            match request.phase {
                Phase::Idle if !self.scenario.one_by_one || all_over => actions.push(Action::Start(number)),
                Phase::Reserve => actions.push(Action::GivesUp(number)),
                Phase::Cancel => actions.push(Action::Aborts(number)),
                Phase::Wait => actions.push(Action::Looks(number)),
                _ => {}
            }
            if !matches!(request.phase, Phase::Idle | Phase::Ended) {
                actions.push(Action::Dies(number));
            }
            all_over &= request.phase == Phase::Ended;
        }
    }

    /// What recovery, other clients and loads may do.
    pub(crate) fn actions_of_orders(&self, state: &State, actions: &mut Vec<Action>) {
        for number in 0..self.scenario.orders() {
            let shop = &state.shops[number];
            let waits =
                |place: usize| self.scenario.requests[place] == number && state.requests[place].phase == Phase::Wait;
            let seen = shop.order.in_flight || (0..self.scenario.requests.len()).any(waits);
            let order = number as u8;
            if seen && self.mutant != Some(Mutant::NobodyRecovers) {
                actions.extend([Action::TakesOver(order, true), Action::TakesOver(order, false)]);
            }
            if self.scenario.pays {
                actions.extend([Action::Pay(order), Action::CancelPayment(order)]);
            }
            if state.loads > 0 && state.shops.iter().all(|shop| !shop.order.in_flight) {
                actions.push(Action::Load(order));
            }
            if self.scenario.removes && shop.order.status == Status::Open {
                actions.push(Action::Remove(order));
            }
            if state.losses > 0 && shop.order.in_flight {
                actions.push(Action::LosesInflight(order));
            }
        }
        for part in 0..self.scenario.parts {
            if state.restocks[part] > 0 {
                actions.push(Action::Restock(part as u8));
            }
        }
    }

    /// A message arrives: with its answer heard by nobody, and by each that waits for it.
    pub(crate) fn arrivals(
        &self,
        state: &State,
        message: Message,
        place: u8,
        asked: Option<u8>,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Arrives(message, Heard::Nobody));
        let phase = match message {
            Message::Begin(_) => Phase::Begin,
            Message::Decide(_) => Phase::Decide,
            Message::Refuse(_) => Phase::Refuse,
            Message::Abort(_) => Phase::Abort,
            Message::Reserve(..) => Phase::Reserve,
            Message::Cancel(..) => Phase::Cancel,
            Message::Finish(_) => return,
            Message::Confirm(..) => Phase::Ended,
        };
        for (number, request) in state.requests[..self.scenario.requests.len()].iter().enumerate() {
            let waits = asked.is_none_or(|part| request.known[usize::from(part)] == Known::StatusQuery);
            if phase != Phase::Ended && request.phase == phase && request.attempt == place && waits {
                actions.push(Action::Arrives(message, Heard::Coordinator(number as u8)));
            }
        }
        let attempt = &state.attempts[usize::from(place)];
        if let Some(part) = asked
            && Self::is_settling(attempt, message)
            && !attempt.cells[usize::from(part)].marks.has(Cell::ACKNOWLEDGED)
        {
            actions.push(Action::Arrives(message, Heard::Settler));
        }
    }

    /// Which messages about attempts may arrive, and who may die.
    pub(crate) fn actions_of_attempts(&self, state: &State, actions: &mut Vec<Action>) {
        for place in 0..self.attempts() as u8 {
            let attempt = &state.attempts[usize::from(place)];
            for (mark, message) in [
                (Attempt::BEGIN, Message::Begin(place)),
                (Attempt::DECIDE, Message::Decide(place)),
                (Attempt::REFUSE, Message::Refuse(place)),
                (Attempt::ABORT, Message::Abort(place)),
                (Attempt::FINISH, Message::Finish(place)),
            ] {
                if attempt.sent.has(mark) {
                    self.arrivals(state, message, place, None, actions);
                }
            }
            if attempt.facts.has(Attempt::CONFIRMING | Attempt::CANCELLING) {
                actions.push(Action::SettlerDies(place));
            }
            for part in 0..self.scenario.parts as u8 {
                self.actions_of_cell(state, place, part, actions);
            }
        }
    }

    /// Which messages may arrive at a participant, and what may go there.
    pub(crate) fn actions_of_cell(&self, state: &State, place: u8, part: u8, actions: &mut Vec<Action>) {
        let cell = &state.attempts[usize::from(place)].cells[usize::from(part)];
        let whens: &[When] = match cell.clock {
            Clock::Open => &[When::InTime, When::Late],
            Clock::Late => &[When::Late, When::Settled],
            Clock::Forgotten => &[When::Forgotten],
        };
        if cell.marks.has(Cell::RESERVE) {
            for when in &whens[..if cell.clock == Clock::Late { 1 } else { whens.len() }] {
                self.arrivals(state, Message::Reserve(place, part, *when), place, Some(part), actions);
            }
        }
        if cell.marks.has(Cell::CONFIRM) {
            for when in &whens[..if cell.clock == Clock::Open { 1 } else { whens.len() }] {
                self.arrivals(state, Message::Confirm(place, part, *when), place, Some(part), actions);
            }
        }
        if cell.marks.has(Cell::CANCEL) {
            self.arrivals(state, Message::Cancel(place, part), place, Some(part), actions);
        }
        if cell.record.is_tombstone() {
            actions.push(Action::TombstoneGoes(place, part));
        }
        let goes = match self.mutant {
            Some(Mutant::TombstoneEndsEarly) => cell.record == Record::Cancelled,
            Some(Mutant::HeldExpires) => cell.record == Record::Held,
            _ => false,
        };
        if goes {
            actions.push(Action::RecordGoes(place, part));
        }
        let reviews = self.scenario.losses > 0 && self.mutant != Some(Mutant::NobodyReviews);
        if reviews && cell.record == Record::Held {
            actions.push(Action::Review(place, part));
        }
    }
}
