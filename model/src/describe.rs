//! Steps and states in words, for those who read a counterexample.

use crate::action::{Action, Heard, Message};
use crate::checkout::Checkout;
use crate::order::Status;
use crate::participant::{Record, When};
use crate::state::{Attempt, Cell, Clock, MINTS, NO_ATTEMPT, Phase, State};

impl Checkout {
    /// A part's name.
    fn part(&self, part: usize) -> String {
        if part == self.payment() { "payment".to_owned() } else { format!("stock {part}") }
    }

    /// An attempt's name: its request, and a letter for each id that the request minted.
    fn attempt(place: usize) -> String {
        if place == usize::from(NO_ATTEMPT) {
            return "-".to_owned();
        }
        format!("tx{}{}", place / MINTS, if place.is_multiple_of(MINTS) { 'a' } else { 'b' })
    }

    /// A step in words.
    pub(crate) fn describe(&self, action: &Action) -> String {
        match action {
            Action::Start(request) => format!("a client sends checkout {request}"),
            Action::Arrives(message, heard) => {
                let heard = match heard {
                    Heard::Nobody => "nobody hears the answer".to_owned(),
                    Heard::Coordinator(request) => format!("the coordinator of checkout {request} hears the answer"),
                    Heard::Settler => "who settles it hears the answer".to_owned(),
                };
                format!("{} arrives; {heard}", self.message(message))
            }
            Action::GivesUp(request) => format!("the coordinator of checkout {request} gives up, and sends cancels"),
            Action::Aborts(request) => format!("the coordinator of checkout {request} sends abort: a cancel is late"),
            Action::Looks(request) => format!("checkout {request}, which waits, looks at its order"),
            Action::Dies(request) => format!("the coordinator of checkout {request} dies, or answers 503"),
            Action::TakesOver(order, true) => format!("order {order} is taken over; settling begins"),
            Action::TakesOver(order, false) => format!("order {order} is taken over; nobody hears the answer"),
            Action::SettlerDies(place) => format!("who settles {} dies", Self::attempt((*place).into())),
            Action::TombstoneGoes(place, part) => {
                format!("the tombstone of {} at {} goes", Self::attempt((*place).into()), self.part((*part).into()))
            }
            Action::RecordGoes(place, part) => {
                let (attempt, part) = (Self::attempt((*place).into()), self.part((*part).into()));
                format!("the record of {attempt} at {part} goes, against the rule")
            }
            Action::Restock(part) => format!("a unit comes in at {}", self.part((*part).into())),
            Action::Pay(order) => format!("a client pays order {order} directly"),
            Action::CancelPayment(order) => format!("a client gives the direct payment of order {order} back"),
            Action::Load(order) => format!("a bulk load overwrites order {order}"),
            Action::Remove(order) => format!("order {order} is removed"),
            Action::LosesInflight(order) => format!("the entry of order {order} in inflight is lost"),
            Action::Review(place, part) => {
                format!("{} asks about {}, which it holds", self.part((*part).into()), Self::attempt((*place).into()))
            }
        }
    }

    fn message(&self, message: &Message) -> String {
        let named = |word: &str, place: &u8| format!("{word} {}", Self::attempt((*place).into()));
        let at = |word: &str, place: &u8, part: &u8| {
            format!("{word} {} at {}", Self::attempt((*place).into()), self.part((*part).into()))
        };
        match message {
            Message::Begin(place) => named("begin", place),
            Message::Decide(place) => named("decide", place),
            Message::Refuse(place) => named("refuse", place),
            Message::Abort(place) => named("abort", place),
            Message::Finish(place) => named("finish", place),
            Message::Reserve(place, part, when) => format!("{}{}", at("reserve", place, part), clock(*when)),
            Message::Confirm(place, part, when) => format!("{}{}", at("confirm", place, part), clock(*when)),
            Message::Cancel(place, part) => at("cancel", place, part),
        }
    }

    /// A state in words: orders, what is on record of each attempt, what is free and held, what clients were told.
    pub fn tell(&self, state: &State) -> String {
        let mut words = Vec::new();
        for (number, shop) in state.shops[..self.scenario.orders()].iter().enumerate() {
            let order = &shop.order;
            let tx = Self::attempt(order.tx.id.into());
            let flight = if order.in_flight { ", in flight" } else { "" };
            let status = match order.status {
                Status::Missing => "missing",
                Status::Open => "open",
                Status::Pending => "pending",
                Status::Aborting => "aborting",
                Status::Paid => "paid",
                Status::Newer => "newer",
            };
            words.push(format!("order {number}: {status} {tx}{flight}"));
        }
        for (part, units) in state.units[..self.scenario.parts].iter().enumerate() {
            words.push(format!("{}: {} free, {} held", self.part(part), units.free, units.held));
        }
        for (place, attempt) in state.attempts[..self.attempts()].iter().enumerate() {
            let cells = attempt.cells[..self.scenario.parts].iter().map(cell);
            let cells: Vec<String> = cells.collect();
            let told = if attempt.facts.has(Attempt::DENIED) { ", 4xx was answered" } else { "" };
            if cells.iter().any(|cell| cell != "-") || !told.is_empty() {
                words.push(format!("{}: {}{told}", Self::attempt(place), cells.join(" ")));
            }
        }
        for (number, request) in state.requests[..self.scenario.requests.len()].iter().enumerate() {
            if !matches!(request.phase, Phase::Idle | Phase::Ended) {
                words.push(format!("checkout {number}: {:?}", request.phase).to_lowercase());
            }
        }
        words.join("; ")
    }
}

fn clock(when: When) -> &'static str {
    match when {
        When::InTime => "",
        When::Late => " after the deadline",
        When::Settled => " 60 s after the deadline",
        When::Forgotten => " 70 s after the deadline",
    }
}

fn cell(cell: &Cell) -> String {
    let taken = cell.marks.has(Cell::TAKEN);
    match (cell.record, cell.clock) {
        (Record::Nothing, Clock::Forgotten) if taken => "taken".to_owned(),
        (Record::Nothing, Clock::Forgotten) => "gone".to_owned(),
        (Record::Nothing, _) => "-".to_owned(),
        (record, _) => format!("{record:?}").to_lowercase(),
    }
}
