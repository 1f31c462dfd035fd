//! What a coordinator does upon the answers that it hears, and what it tells its client.

use crate::action::Heard;
use crate::checkout::{Checkout, FIRST_MS};
use crate::mutant::Mutant;
use crate::order::{Ask, Reply, Status};
use crate::participant::Says;
use crate::state::{Attempt, Cell, Known, MINTS, PARTS, PROMISED_UNPAID, Phase, Request, State};

impl Checkout {
    /// Begins with a new id of this moment; `false`: this request has minted enough.
    pub(crate) fn mint(&self, state: &mut State, request: usize, ms: u8) -> bool {
        let minted = usize::from(state.requests[request].minted);
        let place = if self.mutant == Some(Mutant::TxFromCounter) {
            usize::from(ms - FIRST_MS)
        } else {
            request * MINTS + minted
        };
        if minted == MINTS || place >= self.attempts() {
            return false;
        }
        state.attempts[place].ms = ms;
        state.attempts[place].sent.set(Attempt::BEGIN);
        state.requests[request].minted += 1;
        state.requests[request].attempt = place as u8;
        state.requests[request].phase = Phase::Begin;
        true
    }

    /// The request is over; nothing of it is remembered but what it said.
    pub(crate) fn end(state: &mut State, request: usize) {
        let known = [Known::Unasked; PARTS];
        state.requests[request] = Request { phase: Phase::Ended, minted: 0, attempt: 0, known };
    }

    /// 2xx.
    pub(crate) fn promise(&self, state: &mut State, request: usize) {
        let order = self.scenario.requests[request];
        let paid = (0..self.attempts())
            .any(|place| self.order_of(place) == order && state.attempts[place].facts.has(Attempt::DECIDED));
        if !paid {
            state.wrongs.set(PROMISED_UNPAID);
        }
        Self::end(state, request);
    }

    /// 4xx: all attempts that the request began or waited for took nothing and never will.
    pub(crate) fn deny(&self, state: &mut State, request: usize) {
        let Request { minted, attempt, .. } = state.requests[request];
        state.attempts[usize::from(attempt)].facts.set(Attempt::DENIED);
        if self.mutant != Some(Mutant::TxFromCounter) {
            for place in request * MINTS..request * MINTS + usize::from(minted) {
                state.attempts[place].facts.set(Attempt::DENIED);
            }
        }
        Self::end(state, request);
    }

    /// Begin arrives at the order's shard.
    pub(crate) fn begin(&self, state: &mut State, place: u8, heard: Heard) {
        let place = usize::from(place);
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, Ask::Begin, tx);
        let Heard::Coordinator(request) = heard else { return };
        let request = usize::from(request);
        let order = state.shops[number].order;
        match reply {
            Reply::Begun => {
                state.requests[request].phase = Phase::Reserve;
                for part in 0..self.payment() {
                    self.reserve(state, request, part);
                }
            }
            Reply::Moved => {
                if !self.mint(state, request, order.tx.ms + 1) {
                    Self::end(state, request);
                }
            }
            Reply::Unknown => self.deny(state, request),
            _ => match order.status {
                Status::Paid => self.promise(state, request),
                Status::Open => self.deny(state, request),
                _ => {
                    state.requests[request].phase = Phase::Wait;
                    state.requests[request].attempt = order.tx.id;
                }
            },
        }
    }

    /// Sends a reserve.
    pub(crate) fn reserve(&self, state: &mut State, request: usize, part: usize) {
        let place = usize::from(state.requests[request].attempt);
        state.requests[request].known[part] = Known::StatusQuery;
        state.attempts[place].cells[part].marks.set(Cell::RESERVE);
    }

    /// A coordinator hears what a participant answers to reserve.
    pub(crate) fn reserved(&self, state: &mut State, request: usize, part: usize, says: Says) {
        let known = match says {
            Says::Held | Says::Confirmed => Known::Held,
            Says::Busy | Says::OrderHeld if self.mutant != Some(Mutant::BusyIsFinal) => Known::StatusQuery,
            _ => Known::Out,
        };
        state.requests[request].known[part] = known;
        let (payment, known) = (self.payment(), state.requests[request].known);
        if known[..payment].iter().any(|known| *known != Known::Held) {
            return;
        }
        match known[payment] {
            Known::Unasked => self.reserve(state, request, payment),
            Known::Held => {
                state.requests[request].phase = Phase::Decide;
                state.requests[request].known = [Known::Unasked; PARTS];
                let place = usize::from(state.requests[request].attempt);
                state.attempts[place].sent.set(Attempt::DECIDE);
            }
            _ => {}
        }
    }

    /// Decide arrives at the order's shard.
    pub(crate) fn decide(&self, state: &mut State, place: u8, heard: Heard) {
        let place = usize::from(place);
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, Ask::Decide, tx);
        let Heard::Coordinator(request) = heard else { return };
        let request = usize::from(request);
        let order = state.shops[number].order;
        let own = reply == Reply::Stands && order.tx.id == tx.id;
        if own && order.status == Status::Paid {
            self.promise(state, request);
            self.settle(state, place, true);
        } else if own || self.mutant == Some(Mutant::DecideForgetsLoads) {
            self.ended(state, request, reply);
        } else {
            // The order has gone on, or is another: as a waiting request finds out which.
            state.requests[request].phase = Phase::Wait;
        }
    }

    /// What a client is told of an attempt that somebody else has ended.
    pub(crate) fn ended(&self, state: &mut State, request: usize, reply: Reply) {
        let order = state.shops[self.scenario.requests[request]].order;
        if reply == Reply::Stands && order.status == Status::Paid {
            self.promise(state, request);
        } else {
            self.deny(state, request);
        }
    }

    /// Refuse or abort arrives at the order's shard.
    pub(crate) fn give_up(&self, state: &mut State, place: u8, ask: Ask, heard: Heard) {
        let place = usize::from(place);
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, ask, tx);
        if let Heard::Coordinator(request) = heard {
            self.ended(state, usize::from(request), reply);
        }
    }

    /// A coordinator gives up: it cancels at all that may hold something.
    pub(crate) fn gives_up(&self, state: &mut State, request: usize) {
        let place = usize::from(state.requests[request].attempt);
        for part in 0..self.scenario.parts {
            let known = &mut state.requests[request].known[part];
            if matches!(known, Known::StatusQuery | Known::Held) {
                *known = Known::StatusQuery;
                state.attempts[place].cells[part].marks.set(Cell::CANCEL);
            } else {
                *known = Known::Out;
            }
        }
        state.requests[request].phase = Phase::Cancel;
        self.refuse_if_out(state, request);
    }

    /// Sends refuse when nobody can hold anything any more.
    pub(crate) fn refuse_if_out(&self, state: &mut State, request: usize) {
        let known = &mut state.requests[request].known;
        if known[..self.scenario.parts].iter().all(|known| *known == Known::Out) {
            *known = [Known::Unasked; PARTS];
            state.requests[request].phase = Phase::Refuse;
            let place = usize::from(state.requests[request].attempt);
            state.attempts[place].sent.set(Attempt::REFUSE);
        }
    }

    /// A waiting request looks at its order; `false`: it goes on waiting.
    pub(crate) fn looks(&self, state: &mut State, request: usize) -> bool {
        let shop = state.shops[self.scenario.requests[request]];
        let waited = state.requests[request].attempt;
        let ms = state.attempts[usize::from(waited)].ms;
        match shop.order.status {
            Status::Paid => self.promise(state, request),
            // Which incarnation that order had is not known any more.
            Status::Missing if self.mutant != Some(Mutant::MissingIsGivenUp) => Self::end(state, request),
            Status::Missing => self.deny(state, request),
            _ if shop.incarnation >= ms => Self::end(state, request),
            _ if shop.order.tx.id != waited => self.deny(state, request),
            Status::Open => self.deny(state, request),
            _ => return false,
        }
        true
    }
}
