//! Lives: which of the orders that had a foreign id, one after the other, is meant now.
//!
//! An id minted here is never given twice. A foreign one is, by a bulk load: what was paid for the order that had the
//! id before says nothing about the one that has it now. Only the order service knows, so it is asked.

use std::rc::Rc;

use shardcart_protocol::orders::{Asked, Orders, Standing};
use shardcart_types::ids::{OrderId, minted_partition};

use crate::error::{PaymentError, Result};

/// Stands for the life of an order that does not exist: what was paid for whichever had its id still counts.
const ANY: &str = "*";

/// The order service, as payments ask it.
#[derive(Clone)]
pub struct Lives(Rc<dyn Orders>);

impl Lives {
    /// Asks this order service.
    pub fn new(orders: Rc<dyn Orders>) -> Self {
        Lives(orders)
    }

    /// The life of an order, as the scripts take it: empty for an id minted here (nobody is asked), `*` for one that no
    /// order has (any more).
    ///
    /// # Errors
    /// `Orders`: no answer; nothing was done.
    pub async fn of(&self, order: &OrderId) -> Result<String> {
        if minted_partition(order.as_str()).is_some() {
            return Ok(String::new());
        }
        match self.ask(order).await? {
            Standing::Known { life, .. } => Ok(life),
            _ => Ok(ANY.to_owned()),
        }
    }

    /// Whether an order is paid, as its own shard says: what a checkout has reserved here is then only not settled yet.
    ///
    /// # Errors
    /// `Orders`: no answer.
    pub async fn is_paid(&self, order: &OrderId) -> Result<bool> {
        Ok(matches!(self.ask(order).await?, Standing::Known { status, .. } if status == "paid"))
    }

    async fn ask(&self, order: &OrderId) -> Result<Standing> {
        let answers =
            self.0.standings(vec![Asked { order: order.clone(), tx: None }]).await.map_err(PaymentError::Orders)?;
        match answers.into_iter().next() {
            None | Some(Standing::Unanswered) => {
                Err(PaymentError::Orders(format!("nothing known about order {order}")))
            }
            Some(standing) => Ok(standing),
        }
    }
}
