//! The books of the orders: whether each paid order was charged its total once, and nothing was charged without one.
//!
//! Orders are read first and payments are matched with them as they come. Whatever does not match is looked at again by
//! itself (`recheck.rs`), because it may have moved in between.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use shardcart_order::audit::Record;
use shardcart_payment::audit::Payment;

use super::ids::{Id, Names};

/// Both are kept short: there are as many as orders.
#[derive(Debug, Clone, Copy)]
struct Order {
    /// User, incarnation and total of a paid order.
    digest: u64,
    /// Which of the orders that had this id.
    incarnation: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not understood: nothing is concluded.
    Unknown,
    /// Not paid.
    Unpaid,
    /// Paid, and no payment was found yet.
    Uncharged,
    /// Paid and charged.
    Charged,
}

/// A payment that should be looked at with its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// The order.
    pub order: Id,
    /// Who has paid, if that is known from a payment.
    pub user: Option<Id>,
}

/// The orders of one slice.
#[derive(Debug, Default)]
pub struct Orders {
    orders: HashMap<Id, Order>,
    suspects: Vec<Suspect>,
}

impl Orders {
    /// Takes an order in; false if it was there already.
    pub fn add(&mut self, names: &Names, id: Id, record: Option<&Record>) -> bool {
        let Entry::Vacant(entry) = self.orders.entry(id) else {
            return false;
        };
        entry.insert(match record {
            None => Order { digest: 0, incarnation: 0, state: State::Unknown },
            Some(record) => Order {
                digest: names.digest((&record.user, &record.incarnation, record.total)),
                incarnation: short_incarnation(names, &record.incarnation),
                state: if record.is_paid() { State::Uncharged } else { State::Unpaid },
            },
        });
        true
    }

    /// Matches a payment that a checkout has charged with its order.
    pub fn charged(&mut self, names: &Names, id: Id, user: (&str, Id), payment: &Payment) {
        let suspect = Suspect { order: id, user: Some(user.1) };
        match self.orders.get_mut(&id) {
            // An order of a foreign id may have been removed after `batch_init` had overwritten the one that was paid.
            None if payment.order_incarnation.is_empty() => self.suspects.push(suspect),
            None => {}
            Some(order) if order.state == State::Unknown => {}
            Some(order) => {
                let digest = names.digest((user.0, &payment.order_incarnation, payment.charged));
                if order.state == State::Uncharged && order.digest == digest {
                    order.state = State::Charged;
                } else if order.state == State::Charged && order.digest == digest {
                    // The same one, listed twice.
                } else if order.incarnation == short_incarnation(names, &payment.order_incarnation) {
                    self.suspects.push(suspect);
                }
            }
        }
    }

    /// All that did not match.
    pub fn suspects(self) -> Vec<Suspect> {
        let mut suspects = self.suspects;
        let uncharged = self.orders.into_iter().filter(|(_, order)| order.state == State::Uncharged);
        suspects.extend(uncharged.map(|(order, _)| Suspect { order, user: None }));
        suspects
    }
}

/// Tells the incarnations of an id apart. Taken for equal by chance, they are looked at again, and told apart then.
fn short_incarnation(names: &Names, incarnation: &str) -> u32 {
    (names.digest((incarnation, "", 0)) >> 32) as u32
}
