//! An order service that knows what a test tells it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_protocol::orders::{Orders, StatusAnswer, StatusQuery};
use shardcart_types::ids::{OrderId, TxId};

/// Orders by what was told of them; all others are unknown. Notes what it is asked.
#[derive(Default)]
pub struct KnownOrders {
    statuses: RefCell<HashMap<OrderId, StatusAnswer>>,
    asked: RefCell<Vec<(OrderId, Option<TxId>)>>,
    silent: Cell<bool>,
}

impl Orders for KnownOrders {
    fn order_statuses(&self, asked: Vec<StatusQuery>) -> LocalBoxFuture<'_, Result<Vec<StatusAnswer>, String>> {
        let known = self.statuses.borrow();
        let answer = |asked: &StatusQuery| known.get(&asked.order).cloned().unwrap_or(StatusAnswer::Unknown);
        let statuses = asked.iter().map(answer).collect();
        let asked = asked.into_iter().map(|asked| (asked.order, asked.tx));
        self.asked.borrow_mut().extend(asked);
        let silent = self.silent.get();
        async move { if silent { Err("nobody answers".to_owned()) } else { Ok(statuses) } }.boxed_local()
    }
}

impl KnownOrders {
    /// From now on this is how an order stands.
    pub fn say(&self, order: &OrderId, answer: StatusAnswer) {
        self.statuses.borrow_mut().insert(order.clone(), answer);
    }

    /// From now on an order minted here has this status and current tx.
    pub fn know(&self, order: &OrderId, status: &str, tx: &TxId) {
        self.say(
            order,
            StatusAnswer::Known { status: status.to_owned(), tx: tx.to_string(), incarnation: String::new() },
        );
    }

    /// From now on a foreign order id is in this incarnation.
    pub fn live(&self, order: &OrderId, status: &str, incarnation: &str) {
        self.say(
            order,
            StatusAnswer::Known {
                status: status.to_owned(),
                tx: incarnation.to_owned(),
                incarnation: incarnation.to_owned(),
            },
        );
    }

    /// From now on nobody answers.
    pub fn fall_silent(&self) {
        self.silent.set(true);
    }

    /// How often it was asked about an attempt that is still held.
    pub fn times_asked_about(&self, order: &OrderId, tx: &TxId) -> usize {
        let about = |(asked, held): &(OrderId, Option<TxId>)| asked == order && held.as_ref() == Some(tx);
        self.asked.borrow().iter().filter(|asked| about(asked)).count()
    }

    /// How often it was asked anything.
    pub fn times_asked(&self) -> usize {
        self.asked.borrow().len()
    }
}
