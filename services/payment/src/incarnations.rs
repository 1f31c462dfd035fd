//! Incarnations of orders: several orders may have the same foreign id, one after the other.
//!
//! An id minted here is used once. A foreign id is used again by each bulk load: a payment for the earlier order says
//! nothing about the present one. Only the order service knows which order has the id now, so it is asked.

use std::rc::Rc;

use shardcart_protocol::orders::{Orders, StatusAnswer, StatusQuery};
use shardcart_schema::incarnation::ANY;
use shardcart_schema::order::OrderStatus;
use shardcart_types::ids::{OrderId, minted_shard};

use crate::error::{PaymentError, Result};

/// The order service, as payments ask it.
#[derive(Clone)]
pub struct Incarnations(Rc<dyn Orders>);

impl Incarnations {
    /// Asks this order service.
    pub fn new(orders: Rc<dyn Orders>) -> Self {
        Incarnations(orders)
    }

    /// The incarnation of an order, as the scripts take it: empty for an id minted here (nobody is asked), `*` for one that no
    /// order has (any more).
    ///
    /// # Errors
    /// `Orders`: no answer; nothing was done.
    pub async fn of(&self, order: &OrderId) -> Result<String> {
        if minted_shard(order.as_str()).is_some() {
            return Ok(String::new());
        }
        match self.ask(order).await? {
            StatusAnswer::Known { incarnation, .. } => Ok(incarnation),
            _ => Ok(ANY.to_owned()),
        }
    }

    /// Whether an order is paid, as its own shard says. A reservation of its checkout is then waiting to be settled
    /// here.
    ///
    /// # Errors
    /// `Orders`: no answer.
    pub async fn is_paid(&self, order: &OrderId) -> Result<bool> {
        let answer = self.ask(order).await?;
        Ok(
            matches!(answer, StatusAnswer::Known { status, .. } if OrderStatus::parse(&status) == Some(OrderStatus::Paid)),
        )
    }

    async fn ask(&self, order: &OrderId) -> Result<StatusAnswer> {
        let answers = self
            .0
            .order_statuses(vec![StatusQuery { order: order.clone(), tx: None }])
            .await
            .map_err(PaymentError::Orders)?;
        match answers.into_iter().next() {
            None | Some(StatusAnswer::Unanswered) => {
                Err(PaymentError::Orders(format!("nothing known about order {order}")))
            }
            Some(answer) => Ok(answer),
        }
    }
}
