//! Reservations: payment's part in a checkout.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use shardcart_protocol::participant::{
    Answer, Batch, Operation, Participant, ParticipantError, Refusal, Step, Topology,
};
use shardcart_protocol::reservation;
use shardcart_protocol::reservation::{Scripts, topology};
use shardcart_store::held;
use shardcart_store::script::Call;
use shardcart_store::shards::Shards;
use shardcart_types::service::Service;

use crate::users;

shardcart_store::scripts! {
    RESERVE = "reserve.lua";
}

shardcart_store::scripts! {
    CONFIRM = "confirm.lua" with "settle.lua";
    CANCEL = "cancel.lua" with "settle.lua";
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
        let (mut places, mut keys) = (HashMap::new(), Vec::with_capacity(2 * operations.len()));
        let (mut wanted, mut kept) = (Vec::with_capacity(32 * operations.len()), Vec::with_capacity(operations.len()));
        let mut lives = Vec::with_capacity(operations.len());
        let mut place = |key: String| {
            *places.entry(key).or_insert_with_key(|key| {
                keys.push(key.clone());
                keys.len() as u64
            })
        };
        for operation in operations {
            let Step::ReserveCredit { order, life, user, amount } = &operation.step else { return None };
            if self.0.partition(user.as_str()) != operation.at {
                return None;
            }
            let [user, payment] = users::keys(operation.at, user, order);
            kept.push(held::credit(operation.deadline_ms, order.as_str(), &user, &payment, *amount));
            for number in [operation.deadline_ms, place(user), place(payment), *amount] {
                wanted.extend(held::double(number));
            }
            lives.push(life.as_str());
        }
        let mut call = reservation::call(&RESERVE, operations, keys.len());
        keys.iter().for_each(|key| call.key(key));
        call.push(operations.len());
        call.push(reservation::ends_ms(operations));
        call.push(&wanted[..]);
        operations.iter().for_each(|operation| call.push(operation.tx.as_str()));
        kept.iter().for_each(|kept| call.push(&kept[..]));
        lives.iter().for_each(|life| call.push(*life));
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
