//! An attempt to pay an order, as the order's shard records it. Each module runs the scripts of one step.

mod begin;
mod decide;
mod finish;
mod give_up;
mod order_status;
mod reply;
mod take_over;

use shardcart_protocol::participant::Refusal;
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{ItemId, OrderId, TxId, UserId};

pub use begin::{Begun, begin};
pub use decide::decide;
pub use finish::finish;
pub use give_up::{abort, refuse};
pub use order_status::{order_status, read_order_status};
pub use shardcart_schema::order::StatusReply as Status;
pub(crate) use take_over::order_of_key;
pub use take_over::{TakenOver, claim, take_over, taken_over};

/// An attempt that was begun: what the order's shard has frozen for it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The order.
    pub order: OrderId,
    /// The order's shard.
    pub shard: u16,
    /// The attempt's id: its fencing token.
    pub tx: TxId,
    /// Until when participants may reserve, in Unix milliseconds by the order shard's clock.
    pub deadline_ms: u64,
    /// Who pays.
    pub user: UserId,
    /// How much.
    pub total: u64,
    /// Which incarnation of a foreign order id this is; empty for an id minted here.
    pub incarnation: String,
    /// Items and units.
    pub lines: Vec<(ItemId, u64)>,
}

/// A reference to an attempt: what its scripts need to know of it.
#[derive(Debug, Clone)]
pub struct AttemptRef {
    /// The order.
    pub order: OrderId,
    /// The order's shard.
    pub shard: u16,
    /// The attempt.
    pub tx: TxId,
}

impl Attempt {
    /// A reference to it.
    pub fn reference(&self) -> AttemptRef {
        AttemptRef { order: self.order.clone(), shard: self.shard, tx: self.tx.clone() }
    }
}

/// What an order's shard says of the order, whatever was asked of it. Every other copy of this may be out of date.
#[derive(Debug, Clone)]
pub struct OrderState {
    /// The status now.
    pub status: Status,
    /// The current attempt, or the last one.
    pub tx: String,
    /// Why that attempt was given up, if it was.
    pub refusal: String,
}

impl OrderState {
    /// Why the attempt was given up.
    pub fn refusal(&self) -> Refusal {
        Refusal::from_record(&self.refusal)
    }
}

type Answer<T> = Result<T, ShardError>;
