//! Reservations: payment's part in a checkout.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_common::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Service, Step, Topology,
};
use shardcart_common::reservation::{self, HELD, Scripts, topology};
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

    /// The call of reserves; `None`: one of them is not for payment, or not in its user's partition.
    fn reserve(&self, operations: &[&Operation]) -> Option<Call> {
        let mut wanted = Vec::with_capacity(operations.len());
        for operation in operations {
            let Step::ReserveCredit { order, life, user, amount } = &operation.step else { return None };
            if self.0.partition(user.as_str()) != operation.at {
                return None;
            }
            wanted.push((operation, order, life, user, amount));
        }
        let mut call = RESERVE.with_keys(4 * operations.len());
        reservation::push_keys(&mut call, operations);
        for (operation, _, _, user, _) in &wanted {
            call.key(operation.at.name("user", user.as_str()));
        }
        let payments: Vec<String> =
            wanted.iter().map(|(operation, order, _, user, _)| users::payment_key(operation.at, user, order)).collect();
        payments.iter().for_each(|payment| call.key(payment));
        for ((operation, order, life, user, amount), payment) in wanted.iter().zip(&payments) {
            call.push(operation.tx.as_str());
            call.push(operation.deadline_ms);
            let user = operation.at.name("user", user.as_str());
            call.push(format!("{HELD}{order} {user} {payment} {amount} "));
            call.push(**amount);
            call.push(life.as_str());
        }
        Some(call)
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
            let scripts = Scripts { reserve: |wanted: &[&_]| self.reserve(wanted), confirm: &CONFIRM, cancel: &CANCEL };
            reservation::run(Service::Payment, &self.0, &batch, &scripts, understand).await
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>> {
        async { Ok(topology(&self.0)) }.boxed_local()
    }
}
