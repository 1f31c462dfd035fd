//! Who settles: recovery and the settler tell all participants, then end the attempt; participants review.

use crate::action::Message;
use crate::checkout::Checkout;
use crate::mutant::Mutant;
use crate::order::{Ask, Reply, Status};
use crate::state::{Attempt, Cell, State};

impl Checkout {
    /// Sends confirms or cancels to all parts.
    pub(crate) fn settle(&self, state: &mut State, place: usize, paid: bool) {
        let attempt = &mut state.attempts[place];
        // Who has sent finish has nothing more to tell: all of its messages may arrive again.
        if attempt.sent.has(Attempt::FINISH) {
            return;
        }
        let (task, message) =
            if paid { (Attempt::CONFIRMING, Cell::CONFIRM) } else { (Attempt::CANCELLING, Cell::CANCEL) };
        attempt.facts.set(task);
        for cell in &mut attempt.cells[..self.scenario.parts] {
            cell.marks.set(message);
        }
        if !paid && self.mutant == Some(Mutant::FinishBeforeAcknowledged) {
            attempt.sent.set(Attempt::FINISH);
        }
    }

    /// Whether somebody settles the attempt and waits for the answer to this message.
    pub(crate) fn is_settling(attempt: &Attempt, message: Message) -> bool {
        match message {
            Message::Confirm(..) => attempt.facts.has(Attempt::CONFIRMING),
            Message::Cancel(..) => attempt.facts.has(Attempt::CANCELLING),
            _ => false,
        }
    }

    /// Who settles hears that a participant has done it; when all have, it sends finish.
    pub(crate) fn acknowledged(&self, attempt: &mut Attempt, part: usize) {
        attempt.cells[part].marks.set(Cell::ACKNOWLEDGED);
        let cells = &mut attempt.cells[..self.scenario.parts];
        if cells.iter().all(|cell| cell.marks.has(Cell::ACKNOWLEDGED)) {
            attempt.sent.set(Attempt::FINISH);
            Self::forget(attempt);
        }
    }

    /// Who settled the attempt is done with it, or dead.
    pub(crate) fn forget(attempt: &mut Attempt) {
        attempt.facts.clear(Attempt::CONFIRMING | Attempt::CANCELLING);
        for cell in &mut attempt.cells {
            cell.marks.clear(Cell::ACKNOWLEDGED);
        }
    }

    /// A participant asks the order about what it holds, and cancels what belongs to nobody.
    pub(crate) fn review(&self, state: &mut State, place: usize, part: usize) {
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, Ask::OrderStatus, tx);
        let order = state.shops[number].order;
        if reply != Reply::Stands || order.status == Status::Open || order.tx.id != tx.id {
            state.attempts[place].cells[part].marks.set(Cell::CANCEL);
        }
    }
}
