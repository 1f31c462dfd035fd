//! Reservations: payment's part in a checkout. What it has in common with stock's is in `shardcart-protocol`.

use std::sync::Arc;

use shardcart_protocol::participant::{Answer, Operation, Refusal, Step};
use shardcart_protocol::reservation::{LocalParticipant, Places, reserve_call};
use shardcart_schema::reply::Reply;
use shardcart_schema::reservation_record;
use shardcart_store::script::{Call, Script};
use shardcart_store::shard::Shard;
use shardcart_store::shards::Shards;
use shardcart_types::service::Service;

use crate::payments;
use crate::scripts::{CANCEL, CONFIRM, RESERVE};

/// The payment service as a participant, in-process.
pub struct LocalPayment(Arc<Shards>);

impl LocalPayment {
    /// Takes part with these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalPayment(shards)
    }
}

impl LocalParticipant for LocalPayment {
    const SERVICE: Service = Service::Payment;

    fn shards(&self) -> &Shards {
        &self.0
    }

    /// `None`: an operation is not for payment, or not for its user's shard.
    fn reserve(&self, shard: &Shard, operations: &[&Operation]) -> Option<Call> {
        let mut records = Places::with_capacity(2 * operations.len());
        let (mut wanted, mut kept) = (Vec::with_capacity(32 * operations.len()), Vec::with_capacity(operations.len()));
        let mut incarnations = Vec::with_capacity(operations.len());
        for operation in operations {
            let Step::ReserveCredit { order, incarnation, user, amount } = &operation.step else { return None };
            if self.0.shard_of(user.as_str()) != shard.number() {
                return None;
            }
            let [user, payment] = payments::keys(shard, user, order);
            kept.push(reservation_record::credit(operation.deadline_ms, order.as_str(), &user, &payment, *amount));
            let (user, payment) = (records.of(user) as u64, records.of(payment) as u64);
            for number in [operation.deadline_ms, user, payment, *amount] {
                wanted.extend(reservation_record::double(number));
            }
            incarnations.push(incarnation.as_str());
        }
        let mut call = reserve_call(shard, &RESERVE, operations, records.keys().iter(), &wanted, &kept);
        incarnations.iter().for_each(|incarnation| call.push(*incarnation));
        Some(call)
    }

    fn confirm(&self) -> &'static Script {
        &CONFIRM
    }

    fn cancel(&self) -> &'static Script {
        &CANCEL
    }

    fn understand(&self, _: &Operation, reply: Reply, _: &str) -> Option<Answer> {
        match reply {
            Reply::Unknown => Some(Answer::Refused(Refusal::UnknownUser)),
            Reply::Insufficient => Some(Answer::Refused(Refusal::InsufficientCredit)),
            Reply::AlreadyPaid => Some(Answer::Refused(Refusal::AlreadyPaid)),
            Reply::Pending => Some(Answer::Busy(Refusal::CheckoutAborted)),
            Reply::Busy => Some(Answer::Busy(Refusal::InsufficientCredit)),
            _ => None,
        }
    }
}
