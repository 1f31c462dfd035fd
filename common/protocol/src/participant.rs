//! The participant protocol: what the coordinator of a checkout asks of stock and payment, in batches for one shard.
//!
//! Every operation may be repeated: it is known by its tx, and a repeat gets the first answer. The same trait is
//! served in-process (`shop`) and over HTTP (see `peers.rs`).

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use shardcart_http::problem::Problem;
use shardcart_schema::order::RefusalWord;
use shardcart_telemetry::metrics::checkout::Outcome;
use shardcart_telemetry::trace::parent::{self, Origin};
use shardcart_types::code::Code;
use shardcart_types::ids::{ItemId, OrderId, TxId, UserId};
use shardcart_types::service::Service;

/// One operation of an attempt on a participant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// The attempt.
    pub tx: TxId,
    /// The attempt's deadline, in Unix milliseconds by the order shard's clock.
    pub deadline_ms: u64,
    /// The trace and the request that it comes from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parent::lenient")]
    pub trace: Option<Origin>,
    /// What is asked.
    #[serde(flatten)]
    pub step: Step,
}

/// What an operation asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Step {
    /// Hold all lines, or none of them.
    ReserveStock {
        /// The order that pays.
        order: OrderId,
        /// Items and units, each item once, all on the batch's shard.
        lines: Vec<(ItemId, u64)>,
    },
    /// Hold an amount of a user's credit.
    ReserveCredit {
        /// The order that pays.
        order: OrderId,
        /// Which incarnation of a foreign order id this is; empty for an id minted here.
        incarnation: String,
        /// Whose credit.
        user: UserId,
        /// How much, 0 included.
        amount: u64,
    },
    /// Make what is held final.
    Confirm,
    /// Give back what is held; a reserve that comes later finds that it was cancelled.
    Cancel,
}

impl Step {
    /// The order, where the step names it: what confirms or cancels goes by its tx alone.
    pub fn order(&self) -> &str {
        match self {
            Step::ReserveStock { order, .. } | Step::ReserveCredit { order, .. } => order.as_str(),
            Step::Confirm | Step::Cancel => "-",
        }
    }
}

/// What a participant answers to one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "of", rename_all = "snake_case")]
pub enum Answer {
    /// Reserve: taken, undecided.
    Held,
    /// Reserve: only others' undecided holds stand in the way. Nothing taken; not final.
    Busy(Refusal),
    /// Reserve: the deadline has passed. Nothing taken, final.
    Expired,
    /// Reserve: a definite no. Nothing taken, final.
    Refused(Refusal),
    /// Reserve: it was cancelled before. Cancel: nothing is held, and nothing will be.
    Cancelled,
    /// Reserve or confirm: it is final.
    Confirmed,
    /// Confirm: unknown, so long after the deadline that it was settled before.
    Gone,
    /// Confirm: unknown, and it cannot have been settled: an alarm.
    Lost,
    /// Confirm of a cancelled one, or cancel of a confirmed one: an alarm; nothing was written.
    Conflict,
    /// The record is of a later release and was left alone.
    Newer,
    /// No answer: it may have happened. Ask again.
    Unanswered,
}

/// Why a checkout is refused. Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", content = "item", rename_all = "snake_case")]
pub enum Refusal {
    /// An item in the cart does not exist.
    #[error("item {0} does not exist")]
    UnknownItem(ItemId),
    /// Too little stock of an item.
    #[error("too little stock of item {0}")]
    InsufficientStock(ItemId),
    /// The user does not exist.
    #[error("the user does not exist")]
    UnknownUser,
    /// The order was paid directly.
    #[error("the order was paid directly")]
    AlreadyPaid,
    /// The user has too little credit.
    #[error("the user has too little credit")]
    InsufficientCredit,
    /// The attempt was given up.
    #[error("the attempt was given up; nothing was taken")]
    CheckoutAborted,
}

impl Refusal {
    /// The problem code that clients see.
    pub fn code(&self) -> Code {
        match self {
            Refusal::UnknownItem(_) => Code::UnknownItem,
            Refusal::InsufficientStock(_) => Code::InsufficientStock,
            Refusal::UnknownUser => Code::UnknownUser,
            Refusal::AlreadyPaid => Code::AlreadyPaid,
            Refusal::InsufficientCredit => Code::InsufficientCredit,
            Refusal::CheckoutAborted => Code::CheckoutAborted,
        }
    }

    /// As it is kept in an order: the word, which is also the problem code, and the item it names.
    pub fn to_record(&self) -> String {
        match self {
            Refusal::UnknownItem(item) | Refusal::InsufficientStock(item) => format!("{} {item}", self.word()),
            _ => self.word().to_string(),
        }
    }

    fn word(&self) -> RefusalWord {
        match self {
            Refusal::UnknownItem(_) => RefusalWord::UnknownItem,
            Refusal::InsufficientStock(_) => RefusalWord::InsufficientStock,
            Refusal::UnknownUser => RefusalWord::UnknownUser,
            Refusal::AlreadyPaid => RefusalWord::AlreadyPaid,
            Refusal::InsufficientCredit => RefusalWord::InsufficientCredit,
            Refusal::CheckoutAborted => RefusalWord::CheckoutAborted,
        }
    }

    /// Reads what [`Refusal::to_record`] wrote. What cannot be read was given up, for whatever reason.
    pub fn from_record(record: &str) -> Self {
        let (word, item) = record.split_once(' ').unwrap_or((record, ""));
        match (RefusalWord::parse(word), ItemId::parse(item)) {
            (Some(RefusalWord::UnknownItem), Ok(item)) => Refusal::UnknownItem(item),
            (Some(RefusalWord::InsufficientStock), Ok(item)) => Refusal::InsufficientStock(item),
            (Some(RefusalWord::UnknownUser), _) => Refusal::UnknownUser,
            (Some(RefusalWord::AlreadyPaid), _) => Refusal::AlreadyPaid,
            (Some(RefusalWord::InsufficientCredit), _) => Refusal::InsufficientCredit,
            _ => Refusal::CheckoutAborted,
        }
    }
}

impl From<&Refusal> for Outcome {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::UnknownItem(_) => Outcome::UnknownItem,
            Refusal::InsufficientStock(_) => Outcome::InsufficientStock,
            Refusal::UnknownUser => Outcome::UnknownUser,
            Refusal::AlreadyPaid => Outcome::AlreadyPaid,
            Refusal::InsufficientCredit => Outcome::InsufficientCredit,
            Refusal::CheckoutAborted => Outcome::Aborted,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Problem::new(refusal.code(), refusal)
    }
}

/// Operations for one shard of a participant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// The founding shards by which the sender routed; the participant compares them with its own.
    pub founding: u16,
    /// The shard.
    pub shard: u16,
    /// At most [`shardcart_schema::limit::REQUEST_MAX`].
    pub operations: Vec<Operation>,
}

/// How a participant's keys are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The number of shards when its data set was created.
    pub founding: u16,
    /// The number of shards that it knows now.
    pub shards: u16,
}

/// Why a participant gave no answers to a whole batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParticipantError {
    /// It did not answer: operations may have happened.
    #[error("no answer from {service}: {cause}")]
    Unanswered {
        /// Who was asked.
        service: Service,
        /// For the log alone.
        cause: String,
    },
    /// No such shard is known to the machine that was asked; another may know it. Nothing happened.
    #[error("{service} knows no shard {shard}")]
    BeyondList {
        /// Who was asked.
        service: Service,
        /// The shard's number.
        shard: u16,
    },
    /// The participant has no such shard, and nobody can have made an id on it; nothing happened.
    #[error("{service} has no shard {shard}")]
    NoShard {
        /// Who was asked.
        service: Service,
        /// The shard's number.
        shard: u16,
    },
    /// The sender routes by another data set than the participant's; nothing happened.
    #[error("{service} was founded with {} shards", topology.founding)]
    Misrouted {
        /// Who was asked.
        service: Service,
        /// How its keys are spread.
        topology: Topology,
    },
}

/// A participant, near or far.
pub trait Participant {
    /// Runs a batch on its shard as one pipeline: one answer for each operation, in order. May be repeated.
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, Result<Vec<Answer>, ParticipantError>>;

    /// How the participant's keys are spread.
    fn topology(&self) -> LocalBoxFuture<'_, Result<Topology, ParticipantError>>;

    /// Whether the participant may have a shard of this number: `false` only if nobody can have made an id on it.
    fn may_have(&self, shard: u16) -> LocalBoxFuture<'_, Result<bool, ParticipantError>>;
}

/// Who knows what an item costs.
pub trait Prices {
    /// The price of an item now; `None`: there is no such item.
    fn price<'a>(&'a self, item: &'a ItemId) -> LocalBoxFuture<'a, Result<Option<u64>, ParticipantError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_kept_in_an_order_and_read_again() {
        let item = ItemId::parse("item_1").unwrap();
        let all = [
            Refusal::UnknownItem(item.clone()),
            Refusal::InsufficientStock(item),
            Refusal::UnknownUser,
            Refusal::AlreadyPaid,
            Refusal::InsufficientCredit,
            Refusal::CheckoutAborted,
        ];
        for refusal in all {
            assert_eq!(Refusal::from_record(&refusal.to_record()), refusal);
            assert_eq!(refusal.word().as_str(), refusal.code().as_str());
        }
        assert_eq!(Refusal::from_record("of a later release"), Refusal::CheckoutAborted);
    }

    #[test]
    fn an_operation_keeps_its_form_on_the_wire() {
        let operation = Operation {
            tx: TxId::parse("t").unwrap(),
            deadline_ms: 5,
            trace: None,
            step: Step::ReserveStock {
                order: OrderId::parse("o").unwrap(),
                lines: vec![(ItemId::parse("i").unwrap(), 2)],
            },
        };
        let text = serde_json::to_string(&operation).unwrap();
        assert_eq!(text, r#"{"tx":"t","deadline_ms":5,"operation":"reserve_stock","order":"o","lines":[["i",2]]}"#);
        assert!(serde_json::from_str::<Operation>(&text).is_ok());
        assert_eq!(serde_json::to_string(&Answer::Held).unwrap(), r#"{"answer":"held"}"#);
    }
}
