//! Reservations: payment's part in a checkout.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Service, Step, Topology,
};
use shardcart_common::reservation::{self, keys, settle, topology};
use shardcart_common::script::Call;
use shardcart_common::shards::Shards;

use crate::users;

shardcart_common::scripts! {
    RESERVE = "reserve.lua";
    CONFIRM = "confirm.lua";
    CANCEL = "cancel.lua";
}

/// The payment service as a participant, in-process.
pub struct LocalPayment(Arc<Shards>);

impl LocalPayment {
    /// Takes part with these shards.
    pub fn new(shards: Arc<Shards>) -> Self {
        LocalPayment(shards)
    }

    fn call(&self, operation: &Operation) -> Option<Call> {
        match &operation.step {
            Step::ReserveCredit { order, life, user, amount } => {
                if self.0.partition(user.as_str()) != operation.at {
                    return None;
                }
                let [record, held] = keys(operation);
                let [credit, payment] = users::keys(operation.at, user, order);
                let call = RESERVE
                    .keys(&[record, held, credit, payment])
                    .arg(operation.tx.as_str())
                    .arg(operation.deadline_ms);
                Some(call.arg(order.as_str()).arg(*amount).arg(life))
            }
            Step::Confirm => Some(settle(&CONFIRM, operation)),
            Step::Cancel => Some(settle(&CANCEL, operation)),
            Step::ReserveStock { .. } => None,
        }
    }
}

fn understand(_: &Operation, word: &str) -> Option<Answer> {
    reservation::answer(word).or(match word {
        "UNKNOWN" => Some(Answer::Refused(Refusal::UnknownUser)),
        "INSUFFICIENT" => Some(Answer::Refused(Refusal::InsufficientCredit)),
        "ALREADY_PAID" => Some(Answer::Refused(Refusal::AlreadyPaid)),
        "PENDING" => Some(Answer::Busy(Refusal::CheckoutAborted)),
        "BUSY" => Some(Answer::Busy(Refusal::InsufficientCredit)),
        _ => None,
    })
}

impl Participant for LocalPayment {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>> {
        async move {
            reservation::run(Service::Payment, &self.0, &batch, |operation| self.call(operation), understand).await
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(topology(&self.0)) }.boxed_local()
    }
}
