//! The state of an order, asked for without changing the order.

use shardcart_store::script::{Call, words};
use shardcart_store::shard::Shard;
use shardcart_types::ids::{OrderId, TxId};

use crate::attempt::reply::order_state;
use crate::attempt::{Answer, OrderState};
use crate::orders::keys;
use crate::scripts::ORDER_STATUS;

/// The call that asks for the state of an order; its reply is read with [`read_order_status`]. If `held` is the order's
/// current attempt, recovery looks at the order soon. May be repeated.
pub fn order_status(shard: &Shard, order: &OrderId, held: Option<&TxId>) -> Call {
    let [record, _, inflight] = keys(shard, order.as_str());
    ORDER_STATUS.keys(&[record, inflight]).arg(held.map_or("", TxId::as_str)).repeatable()
}

/// Reads the reply of [`order_status`]: the order's state, and which incarnation of a foreign id it is.
///
/// # Errors
/// `Unanswered`: a reply that the script does not give.
pub fn read_order_status(shard: &Shard, reply: redis::Value) -> Answer<(OrderState, String)> {
    let words = words(reply);
    let incarnation = words.get(3).cloned().unwrap_or_default();
    Ok((order_state(shard, ORDER_STATUS.name(), &words)?, incarnation))
}
