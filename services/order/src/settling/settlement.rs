//! A settlement: what participants are told about an attempt once it is decided.

use shardcart_telemetry::trace::{self, Origin};
use shardcart_types::ids::{OrderId, TxId};
use shardcart_types::service::Service;

use crate::attempt::{Attempt, AttemptRef};
use crate::participants::Plan;

/// A decided attempt: whom to tell, and what.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The order.
    pub order: OrderId,
    /// The order's shard.
    pub shard: u16,
    /// The attempt.
    pub tx: TxId,
    /// Its deadline, Unix milliseconds.
    pub deadline_ms: u64,
    /// Confirm, or cancel.
    pub paid: bool,
    /// Who is told: each shard that takes part.
    pub parts: Vec<(Service, u16)>,
    /// The trace and the request that decided it; none when recovery found it.
    pub origin: Option<Origin>,
}

impl Settlement {
    /// What all parts of an attempt's plan are told.
    pub fn of(attempt: &Attempt, paid: bool, plan: &Plan) -> Self {
        Settlement {
            order: attempt.order.clone(),
            shard: attempt.shard,
            tx: attempt.tx.clone(),
            deadline_ms: attempt.deadline_ms,
            paid,
            parts: plan.parts().map(|part| (part.service(), part.shard())).collect(),
            origin: trace::own(),
        }
    }

    /// A reference to the attempt.
    pub(crate) fn reference(&self) -> AttemptRef {
        AttemptRef { order: self.order.clone(), shard: self.shard, tx: self.tx.clone() }
    }

    /// Its origin, if its trace is recorded.
    pub(crate) fn recorded(&self) -> Option<&Origin> {
        self.origin.as_ref().filter(|origin| origin.parent.sampled)
    }
}
