//! The steps of a checkout: what can happen next, and what it leads to.
//!
//! A step is one script on one shard, with or without its answer being heard, or one decision in somebody's memory. What
//! a process does upon an answer (send the next messages) is part of the step: to die in between is to have sent them in
//! vain, and any message may be lost.

use stateright::{Model, Property};

use crate::action::{Action, Heard, Message};
use crate::checkout::{CREATED_MS, Checkout, FIRST_MS, WANTED};
use crate::explore::Settles;
use crate::mutant::Mutant;
use crate::order::{Ask, Reply, Status, Tx};
use crate::participant::{self, Direct, Holdings, Operation, Record, Says, When};
use crate::properties;
use crate::state::{ATTEMPTS, Attempt, Clock, Known, NO_ATTEMPT, PARTS, Phase, State, Units};

impl Checkout {
    fn arrives(&self, state: &mut State, message: Message, heard: Heard) {
        match message {
            Message::Begin(place) => self.begin(state, place, heard),
            Message::Decide(place) => self.decide(state, place, heard),
            Message::Refuse(place) => self.give_up(state, place, Ask::Refuse, heard),
            Message::Abort(place) => self.give_up(state, place, Ask::Abort, heard),
            Message::Finish(place) => {
                let place = usize::from(place);
                let tx = Self::tx(state, place);
                self.ask(state, self.order_of(place), Ask::Finish, tx);
            }
            Message::Reserve(place, part, when) => {
                let (place, part) = (usize::from(place), usize::from(part));
                let says = self.take(state, place, part, Operation::Reserve, when);
                if let Heard::Coordinator(request) = heard {
                    self.reserved(state, usize::from(request), part, says);
                }
            }
            Message::Confirm(place, part, when) => {
                let (place, part) = (usize::from(place), usize::from(part));
                let says = self.take(state, place, part, Operation::Confirm, when);
                if heard == Heard::Settler && matches!(says, Says::Confirmed | Says::Gone) {
                    self.acknowledged(&mut state.attempts[place], part);
                }
            }
            Message::Cancel(place, part) => {
                let (place, part) = (usize::from(place), usize::from(part));
                let forgotten = state.attempts[place].cells[part].clock == Clock::Forgotten;
                let when = if forgotten { When::Forgotten } else { When::InTime };
                let says = self.take(state, place, part, Operation::Cancel, when);
                match heard {
                    Heard::Settler if says == Says::Cancelled => {
                        self.acknowledged(&mut state.attempts[place], part);
                    }
                    Heard::Coordinator(request) if says == Says::Cancelled => {
                        let request = usize::from(request);
                        state.requests[request].known[part] = Known::Out;
                        self.refuse_if_out(state, request);
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Settles for Checkout {
    // No crash, no lost answer, no late copy, no client, no patience that ends because an answer was lost.
    fn is_fair(&self, action: &Action) -> bool {
        match action {
            // What settles is told again until it is done, so these do arrive.
            Action::Arrives(Message::Finish(_), _) => true,
            Action::Arrives(Message::Cancel(..) | Message::Confirm(..), Heard::Nobody) => self.scenario.losses > 0,
            Action::Arrives(_, heard) => *heard != Heard::Nobody,
            Action::GivesUp(_) | Action::Looks(_) | Action::TakesOver(_, true) | Action::Review(..) => true,
            _ => false,
        }
    }

    // Where an entry of `inflight` was lost, an order for which nothing is held may stay as it is until a client asks again.
    fn is_settled(&self, state: &State) -> bool {
        let orders = state.shops[..self.scenario.orders()].iter().all(|shop| {
            let at_rest = matches!(shop.order.status, Status::Open | Status::Paid | Status::Missing);
            !shop.order.in_flight && (at_rest || self.scenario.losses > 0)
        });
        let held = state.units[..self.scenario.parts].iter().any(|units| units.held > 0);
        let waiting = state.requests.iter().any(|request| !matches!(request.phase, Phase::Idle | Phase::Ended));
        orders && !held && !waiting
    }
}

impl Model for Checkout {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State::new();
        // An order that a bulk load wrote has an incarnation.
        let incarnation = if self.scenario.loads > 0 { CREATED_MS } else { 0 };
        for shop in &mut state.shops[..self.scenario.orders()] {
            shop.order.status = Status::Open;
            shop.order.tx.ms = CREATED_MS;
            shop.incarnation = incarnation;
        }
        for part in 0..self.scenario.parts {
            state.units[part].free = self.scenario.units[part];
            state.restocks[part] = self.scenario.restocks[part];
        }
        state.loads = self.scenario.loads;
        state.losses = self.scenario.losses;
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.actions_of_requests(state, actions);
        self.actions_of_orders(state, actions);
        self.actions_of_attempts(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::Start(request) => {
                let request = usize::from(request);
                let counted = self.mutant == Some(Mutant::TxFromCounter);
                let last_ms = state.shops[self.scenario.requests[request]].order.tx.ms;
                let ms = if counted { last_ms.max(FIRST_MS - 1) + 1 } else { FIRST_MS };
                self.mint(&mut state, request, ms).then_some(())?;
            }
            Action::Arrives(message, heard) => self.arrives(&mut state, message, heard),
            Action::GivesUp(request) => self.gives_up(&mut state, usize::from(request)),
            Action::Aborts(request) => {
                let request = &mut state.requests[usize::from(request)];
                request.phase = Phase::Abort;
                request.known = [Known::Unasked; PARTS];
                state.attempts[usize::from(request.attempt)].sent.set(Attempt::ABORT);
            }
            Action::Looks(request) => self.looks(&mut state, usize::from(request)).then_some(())?,
            Action::Dies(request) => Self::end(&mut state, usize::from(request)),
            Action::TakesOver(number, heard) => {
                let number = usize::from(number);
                let none = Tx { id: NO_ATTEMPT, ms: 0 };
                let reply = self.ask(&mut state, number, Ask::TakeOver { lease_over: true }, none);
                let order = state.shops[number].order;
                if heard && reply == Reply::HandedOut && usize::from(order.tx.id) < ATTEMPTS {
                    self.settle(&mut state, usize::from(order.tx.id), order.status == Status::Paid);
                }
            }
            Action::SettlerDies(place) => Self::forget(&mut state.attempts[usize::from(place)]),
            Action::TombstoneGoes(place, part) => {
                let cell = &mut state.attempts[usize::from(place)].cells[usize::from(part)];
                (cell.record, cell.clock) = (Record::Nothing, Clock::Forgotten);
            }
            Action::RecordGoes(place, part) => {
                let cell = &mut state.attempts[usize::from(place)].cells[usize::from(part)];
                let held = cell.record == Record::Held;
                cell.record = Record::Nothing;
                cell.clock = if held { Clock::Forgotten } else { Clock::Open };
            }
            Action::Restock(part) => {
                state.units[usize::from(part)].free += 1;
                state.restocks[usize::from(part)] -= 1;
            }
            Action::Pay(number) | Action::CancelPayment(number) => {
                let (number, payment) = (usize::from(number), self.payment());
                let Units { free, held } = state.units[payment];
                let shop = &mut state.shops[number];
                let holdings = Holdings { exists: true, free, held, paid: shop.paid };
                let pays = matches!(action, Action::Pay(_));
                let direct = if pays { Direct::Pay } else { Direct::Cancel };
                let (_, after) = participant::run_direct(holdings, direct, WANTED, self.mutant);
                shop.paid = after.paid;
                state.units[payment] = Units { free: after.free, held: after.held };
            }
            Action::Load(number) => self.load(&mut state, usize::from(number)),
            Action::Remove(number) => {
                let shop = &mut state.shops[usize::from(number)];
                shop.order = State::new().shops[0].order;
                shop.incarnation = 0;
            }
            Action::LosesInflight(number) => {
                state.shops[usize::from(number)].order.in_flight = false;
                state.losses -= 1;
            }
            Action::Review(place, part) => self.review(&mut state, usize::from(place), usize::from(part)),
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }

    fn format_action(&self, action: &Action) -> String {
        self.describe(action)
    }
}
