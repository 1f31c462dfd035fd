//! The checkout as a model: what can happen next, and what it leads to.
//!
//! A step is one script on one shard, with or without its answer being heard, or one decision in somebody's memory. What
//! a process does upon an answer (send the next messages) is part of the step: to die in between is to have sent them in
//! vain, and any message may be lost.

use stateright::{Model, Property};

use crate::explore::Settles;
use crate::mutant::Mutant;
use crate::order::{self, Ask, Order, Refusal, Reply, Status, Tx};
use crate::participant::{self, Direct, Holdings, Operation, Outcome, Paid, Record, Says, When};
use crate::properties;
use crate::scenario::Scenario;
use crate::state::{
    ALARM, ATTEMPTS, Attempt, Cell, Clock, Known, MINTS, NO_ATTEMPT, PARTS, PROMISED_UNPAID, Phase, Request, State,
    TAKEN_TWICE, Units,
};

/// What each order wants of each part.
pub const WANTED: u8 = 1;
/// The moment in the first ids that requests mint: coordinators whose clocks stand still, so that every later attempt is
/// told that it has moved.
const FIRST_MS: u8 = 3;
/// The moment in the id that an order has at first.
const CREATED_MS: u8 = 1;
/// The moment in the id that a bulk load mints: its clock is behind those of the coordinators.
const LOADED_MS: u8 = 2;

/// The protocol in one scenario, whole or as a mutant.
#[derive(Debug, Clone, Copy)]
pub struct Checkout {
    /// Where.
    pub scenario: Scenario,
    /// Which rule is left out.
    pub mutant: Option<Mutant>,
}

/// A message on its way to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// To the order's shard: open to pending.
    Begin(u8),
    /// To the order's shard: pending to paid.
    Decide(u8),
    /// To the order's shard: pending to open.
    Refuse(u8),
    /// To the order's shard: pending to aborting.
    Abort(u8),
    /// To the order's shard: aborting to open, out of flight.
    Finish(u8),
    /// To a participant, whose clock stands there.
    Reserve(u8, u8, When),
    /// To a participant, whose clock stands there.
    Confirm(u8, u8, When),
    /// To a participant.
    Cancel(u8, u8),
}

/// Who hears the answer to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nobody: it is lost, or this is a copy that nobody waits for any more.
    Nobody,
    /// The coordinator of a request.
    Coordinator(u8),
    /// Who settles the attempt: recovery, or the settler.
    Settler,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A client sends a request.
    Start(u8),
    /// A message arrives: its script runs.
    Arrives(Message, Heard),
    /// A coordinator gives its attempt up: somebody refused, or its patience is over.
    GivesUp(u8),
    /// A coordinator does not wait for cancels any longer.
    Aborts(u8),
    /// A waiting request looks at its order.
    Looks(u8),
    /// A coordinator dies, or its patience ends: the client gets no answer, or 503.
    Dies(u8),
    /// An order in flight is taken over; whether the answer is heard.
    TakesOver(u8, bool),
    /// Who settles an attempt dies.
    SettlerDies(u8),
    /// A tombstone goes, 70 s after the deadline.
    TombstoneGoes(u8, u8),
    /// A mutant's record goes when it must not.
    RecordGoes(u8, u8),
    /// Stock comes in, or credit.
    Restock(u8),
    /// A client pays an order directly.
    Pay(u8),
    /// A client gives a direct payment back.
    CancelPayment(u8),
    /// A bulk load overwrites an order.
    Load(u8),
    /// An open order is removed.
    Remove(u8),
    /// An entry of `inflight` is lost.
    LosesInflight(u8),
    /// A participant asks the order about what it still holds.
    Review(u8, u8),
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

    fn mint(&self, state: &mut State, request: usize, ms: u8) -> bool {
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
    fn end(state: &mut State, request: usize) {
        let known = [Known::Unasked; PARTS];
        state.requests[request] = Request { phase: Phase::Ended, minted: 0, attempt: 0, known };
    }

    /// 2xx.
    fn promise(&self, state: &mut State, request: usize) {
        let order = self.scenario.requests[request];
        let paid = (0..self.attempts())
            .any(|place| self.order_of(place) == order && state.attempts[place].facts.has(Attempt::DECIDED));
        if !paid {
            state.wrongs.set(PROMISED_UNPAID);
        }
        Self::end(state, request);
    }

    /// 4xx: all attempts that the request began or waited for took nothing and never will.
    fn deny(&self, state: &mut State, request: usize) {
        let Request { minted, attempt, .. } = state.requests[request];
        state.attempts[usize::from(attempt)].facts.set(Attempt::DENIED);
        if self.mutant != Some(Mutant::TxFromCounter) {
            for place in request * MINTS..request * MINTS + usize::from(minted) {
                state.attempts[place].facts.set(Attempt::DENIED);
            }
        }
        Self::end(state, request);
    }

    /// Runs a script of the order's shard.
    fn ask(&self, state: &mut State, number: usize, ask: Ask, tx: Tx) -> Reply {
        let before = state.shops[number].order;
        let (reply, mut order) = order::run(before, ask, tx, self.mutant);
        // Which refusal it was makes no difference to what happens.
        order.refusal = Refusal::None;
        state.shops[number].order = order;
        if let Some(attempt) = state.attempts.get_mut(usize::from(order.tx.id)) {
            if order.status == Status::Pending && before.status != Status::Pending {
                attempt.life = state.shops[number].life;
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

    /// Sends confirms or cancels to all parts.
    fn settle(&self, state: &mut State, place: usize, paid: bool) {
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

    fn is_settling(attempt: &Attempt, message: Message) -> bool {
        match message {
            Message::Confirm(..) => attempt.facts.has(Attempt::CONFIRMING),
            Message::Cancel(..) => attempt.facts.has(Attempt::CANCELLING),
            _ => false,
        }
    }

    fn acknowledged(&self, attempt: &mut Attempt, part: usize) {
        attempt.cells[part].marks.set(Cell::ACKNOWLEDGED);
        let cells = &mut attempt.cells[..self.scenario.parts];
        if cells.iter().all(|cell| cell.marks.has(Cell::ACKNOWLEDGED)) {
            attempt.sent.set(Attempt::FINISH);
            Self::forget(attempt);
        }
    }

    fn forget(attempt: &mut Attempt) {
        attempt.facts.clear(Attempt::CONFIRMING | Attempt::CANCELLING);
        for cell in &mut attempt.cells {
            cell.marks.clear(Cell::ACKNOWLEDGED);
        }
    }

    fn holdings(&self, state: &State, place: usize, part: usize) -> Holdings {
        let Units { free, held } = state.units[part];
        let shop = &state.shops[self.order_of(place)];
        let mine = part == self.payment() && shop.paid_life == state.attempts[place].life;
        Holdings { exists: true, free, held, paid: if mine { shop.paid } else { Paid::Unpaid } }
    }

    /// Runs a script of a participant.
    fn take(&self, state: &mut State, place: usize, part: usize, operation: Operation, when: When) -> Says {
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
            let life = state.attempts[place].life;
            let shop = &mut state.shops[self.order_of(place)];
            shop.paid = after.paid;
            shop.paid_life = if after.paid == Paid::Unpaid { 0 } else { life };
        }
        says
    }

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

    fn tx(state: &State, place: usize) -> Tx {
        Tx { id: place as u8, ms: state.attempts[place].ms }
    }

    fn begin(&self, state: &mut State, place: u8, heard: Heard) {
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

    fn reserve(&self, state: &mut State, request: usize, part: usize) {
        let place = usize::from(state.requests[request].attempt);
        state.requests[request].known[part] = Known::Asked;
        state.attempts[place].cells[part].marks.set(Cell::RESERVE);
    }

    /// A coordinator hears what a participant answers to reserve.
    fn reserved(&self, state: &mut State, request: usize, part: usize, says: Says) {
        let known = match says {
            Says::Held | Says::Confirmed => Known::Held,
            Says::Busy | Says::OrderHeld if self.mutant != Some(Mutant::BusyIsFinal) => Known::Asked,
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

    fn decide(&self, state: &mut State, place: u8, heard: Heard) {
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
    fn ended(&self, state: &mut State, request: usize, reply: Reply) {
        let order = state.shops[self.scenario.requests[request]].order;
        if reply == Reply::Stands && order.status == Status::Paid {
            self.promise(state, request);
        } else {
            self.deny(state, request);
        }
    }

    fn give_up(&self, state: &mut State, place: u8, ask: Ask, heard: Heard) {
        let place = usize::from(place);
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, ask, tx);
        if let Heard::Coordinator(request) = heard {
            self.ended(state, usize::from(request), reply);
        }
    }

    /// A coordinator gives up: it cancels at all that may hold something.
    fn gives_up(&self, state: &mut State, request: usize) {
        let place = usize::from(state.requests[request].attempt);
        for part in 0..self.scenario.parts {
            let known = &mut state.requests[request].known[part];
            if matches!(known, Known::Asked | Known::Held) {
                *known = Known::Asked;
                state.attempts[place].cells[part].marks.set(Cell::CANCEL);
            } else {
                *known = Known::Out;
            }
        }
        state.requests[request].phase = Phase::Cancel;
        self.refuse_if_out(state, request);
    }

    fn refuse_if_out(&self, state: &mut State, request: usize) {
        let known = &mut state.requests[request].known;
        if known[..self.scenario.parts].iter().all(|known| *known == Known::Out) {
            *known = [Known::Unasked; PARTS];
            state.requests[request].phase = Phase::Refuse;
            let place = usize::from(state.requests[request].attempt);
            state.attempts[place].sent.set(Attempt::REFUSE);
        }
    }

    /// A waiting request looks at its order; `false`: it goes on waiting.
    fn looks(&self, state: &mut State, request: usize) -> bool {
        let shop = state.shops[self.scenario.requests[request]];
        let waited = state.requests[request].attempt;
        let ms = state.attempts[usize::from(waited)].ms;
        match shop.order.status {
            Status::Paid => self.promise(state, request),
            // Which life that order had is not known any more.
            Status::Missing if self.mutant != Some(Mutant::MissingIsGivenUp) => Self::end(state, request),
            Status::Missing => self.deny(state, request),
            _ if shop.life >= ms => Self::end(state, request),
            _ if shop.order.tx.id != waited => self.deny(state, request),
            Status::Open => self.deny(state, request),
            _ => return false,
        }
        true
    }

    fn load(&self, state: &mut State, number: usize) {
        let order = state.shops[number].order;
        let latest = state.attempts.iter().map(|attempt| attempt.ms).max().unwrap_or(0);
        let life = match self.mutant {
            Some(Mutant::LoadClockBehind) => LOADED_MS,
            // A removed order cannot tell its last tx: there the clock has to be right.
            _ if order.status == Status::Missing => latest + 1,
            _ => LOADED_MS.max(order.tx.ms + 1),
        };
        let ms = if self.mutant == Some(Mutant::TxFromCounter) { CREATED_MS } else { life };
        let tx = Tx { id: NO_ATTEMPT, ms };
        state.shops[number].order = Order { status: Status::Open, tx, refusal: Refusal::None, in_flight: false };
        state.shops[number].life = life;
        state.loads -= 1;
    }

    fn review(&self, state: &mut State, place: usize, part: usize) {
        let (number, tx) = (self.order_of(place), Self::tx(state, place));
        let reply = self.ask(state, number, Ask::Standing, tx);
        let order = state.shops[number].order;
        if reply != Reply::Stands || order.status == Status::Open || order.tx.id != tx.id {
            state.attempts[place].cells[part].marks.set(Cell::CANCEL);
        }
    }

    fn actions_of_requests(&self, state: &State, actions: &mut Vec<Action>) {
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

    fn actions_of_orders(&self, state: &State, actions: &mut Vec<Action>) {
        for number in 0..self.scenario.orders() {
            let shop = &state.shops[number];
            let waits =
                |place: usize| self.scenario.requests[place] == number && state.requests[place].phase == Phase::Wait;
            let seen = shop.order.in_flight || (0..self.scenario.requests.len()).any(waits) || self.scenario.losses > 0;
            let order = number as u8;
            if seen {
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
    fn arrivals(&self, state: &State, message: Message, place: u8, asked: Option<u8>, actions: &mut Vec<Action>) {
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
            let waits = asked.is_none_or(|part| request.known[usize::from(part)] == Known::Asked);
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

    fn actions_of_attempts(&self, state: &State, actions: &mut Vec<Action>) {
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

    fn actions_of_cell(&self, state: &State, place: u8, part: u8, actions: &mut Vec<Action>) {
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
        if self.scenario.losses > 0 && cell.record == Record::Held {
            actions.push(Action::Review(place, part));
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

    fn is_settled(&self, state: &State) -> bool {
        let orders = state.shops[..self.scenario.orders()].iter().all(|shop| {
            matches!(shop.order.status, Status::Open | Status::Paid | Status::Missing) && !shop.order.in_flight
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
        // An order that a bulk load wrote has a life.
        let life = if self.scenario.loads > 0 { CREATED_MS } else { 0 };
        for shop in &mut state.shops[..self.scenario.orders()] {
            shop.order.status = Status::Open;
            shop.order.tx.ms = CREATED_MS;
            shop.life = life;
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
                shop.life = 0;
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
}
