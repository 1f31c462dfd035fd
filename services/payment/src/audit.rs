//! What the audit reads of the payment service: users, payments, and what is held of their credit. Nothing here writes.

mod rules;

use std::future::Future;

use shardcart_schema::incarnation;
use shardcart_schema::key::{self, Kind};
use shardcart_schema::payment::{PaidBy, PaymentState};
use shardcart_schema::record::{self, Number, PAYMENT, USER, field};
use shardcart_schema::reservation_record::Taken;
use shardcart_store::scan::{self, Reservation};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

pub use rules::{Owner, payment_faults, user_faults};

/// What was found where a user should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundUser {
    /// Nothing.
    Absent,
    /// A record of another version.
    Newer,
    /// A record that this release never writes.
    Unreadable,
    /// A user.
    User(Purse),
}

/// A user's credit as its shard counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purse {
    /// Can be spent now.
    pub credit: i64,
    /// In undecided or unsettled attempts.
    pub held: i64,
    /// Funded minus paid directly.
    pub net: i64,
    /// Charged by checkouts whose payment records were overwritten since.
    pub before: i64,
    /// Which of the users that had this id; empty for a minted one.
    pub incarnation: String,
}

impl Purse {
    /// What checkouts have charged, if nothing was lost: everything that ever came in and is not here any more.
    pub fn gone(&self) -> i64 {
        self.net.saturating_sub(self.credit).saturating_sub(self.held)
    }
}

/// What was found where a payment should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundPayment {
    /// Nothing.
    Absent,
    /// A record of another version.
    Newer,
    /// A record that this release never writes.
    Unreadable,
    /// A payment.
    Payment(Payment),
}

/// A payment for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// How it stands.
    pub state: PaymentState,
    /// Whether a checkout made it; otherwise `pay` did.
    pub by_checkout: bool,
    /// The amount.
    pub charged: i64,
    /// Of the user; empty for a minted one.
    pub user_incarnation: String,
    /// Of the order; empty for a minted one.
    pub order_incarnation: String,
}

impl Payment {
    /// Whether a checkout has charged it, for good.
    pub fn is_charged_by_checkout(&self) -> bool {
        self.by_checkout && self.state == PaymentState::Charged
    }

    /// Whether an attempt holds it.
    pub fn is_reserved(&self) -> bool {
        self.state == PaymentState::Reserved
    }
}

/// Goes through the keys of all users of a shard: see [`scan::scan`].
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan_users<R>(shard: &Shard, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    scan::scan(shard, &key::user("*", "*").to_string(), read).await
}

/// Goes through the keys of all payments of a shard: see [`scan::scan`].
///
/// # Errors
/// The shard's, or the first of `read`.
pub async fn scan_payments<R>(shard: &Shard, read: impl Fn(Vec<String>) -> R) -> Result<(), ShardError>
where
    R: Future<Output = Result<(), ShardError>>,
{
    scan::scan(shard, &key::named("*", Kind::Payment, "*").to_string(), read).await
}

/// Reads records by their keys, in their order: [`FoundUser::read`] and [`FoundPayment::read`] tell of each.
///
/// # Errors
/// The shard's.
pub async fn read(shard: &Shard, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, ShardError> {
    scan::records(shard, keys).await
}

impl FoundUser {
    /// Reads what lies where a user should be.
    pub fn read(bytes: Option<&[u8]>) -> Self {
        let record = match USER.read(bytes) {
            record::Found::Absent => return FoundUser::Absent,
            record::Found::Newer => return FoundUser::Newer,
            record::Found::Unreadable => return FoundUser::Unreadable,
            record::Found::Record(record) => record,
        };
        let before = if record.lies(field::BEFORE) == Number::Absent { Some(0) } else { record.number(field::BEFORE) };
        match (record.number(field::CREDIT), record.number(field::HELD), record.number(field::NET), before) {
            (Some(credit), Some(held), Some(net), Some(before)) => {
                FoundUser::User(Purse { credit, held, net, before, incarnation: record.incarnation().to_owned() })
            }
            _ => FoundUser::Unreadable,
        }
    }
}

impl FoundPayment {
    /// Reads what lies where a payment should be.
    pub fn read(bytes: Option<&[u8]>) -> Self {
        let record = match PAYMENT.read(bytes) {
            record::Found::Absent => return FoundPayment::Absent,
            record::Found::Newer => return FoundPayment::Newer,
            record::Found::Unreadable => return FoundPayment::Unreadable,
            record::Found::Record(record) => record,
        };
        let (state, by) = (PaymentState::parse(record.text(field::STATE)), PaidBy::parse(record.text(field::BY)));
        match (state, by, record.number(field::CHARGED), incarnation::split(record.incarnation())) {
            (Some(state), Some(by), Some(charged), Some((user_incarnation, order_incarnation))) => {
                FoundPayment::Payment(Payment {
                    by_checkout: by == PaidBy::Checkout,
                    charged,
                    user_incarnation: user_incarnation.to_owned(),
                    order_incarnation: order_incarnation.to_owned(),
                    state,
                })
            }
            _ => FoundPayment::Unreadable,
        }
    }
}

/// All that a shard holds, with the users and payments that it concerns, at one moment.
#[derive(Debug, Default)]
pub struct Holdings {
    /// What is held.
    pub reservations: Vec<Reservation>,
    /// By key.
    pub users: Vec<(String, FoundUser)>,
    /// By key.
    pub payments: Vec<(String, FoundPayment)>,
}

/// Reads all that a shard holds, and besides these users and payments.
///
/// # Errors
/// The shard's.
pub async fn holdings(shard: &Shard, besides: &[String]) -> Result<Holdings, ShardError> {
    let all = scan::holdings(shard, besides).await?;
    let mut holdings = Holdings { reservations: all.reservations, ..Holdings::default() };
    for (key, bytes) in all.records {
        match key::parse(&key).and_then(|key| key.kind) {
            Some(Kind::User) => holdings.users.push((key, FoundUser::read(bytes.as_deref()))),
            _ => holdings.payments.push((key, FoundPayment::read(bytes.as_deref()))),
        }
    }
    Ok(holdings)
}

/// What a reservation holds of a user's credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The order that is being paid.
    pub order: &'a str,
    /// The user's key.
    pub user: &'a str,
    /// The payment's key.
    pub payment: &'a str,
    /// How much.
    pub amount: i64,
    /// `<incarnation of the user>/<incarnation of the order>`.
    pub incarnation: &'a str,
}

/// Reads a reservation; `None` for what is no reservation of credit.
pub fn held(reservation: &Reservation) -> Option<Held<'_>> {
    let held = reservation.held()?;
    match held.taken {
        Taken::Credit { user, payment, amount, incarnation } => {
            Some(Held { order: held.order, user, payment, amount, incarnation })
        }
        Taken::Units(_) => None,
    }
}

/// User and order in a payment's key; `None` for another key.
pub fn user_and_order(key: &str) -> Option<(&str, &str)> {
    key::two(key::parse(key).filter(|key| key.kind == Some(Kind::Payment))?.name)
}
