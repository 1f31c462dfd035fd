//! What the audit reads of the payment service: users, payments, and what is held of their credit. Nothing here writes.

use std::future::Future;

use shardcart_schema::incarnation;
use shardcart_schema::key::{self, Kind};
use shardcart_schema::payment::{PaidBy, PaymentState};
use shardcart_schema::record::field;
use shardcart_schema::reservation_record::Taken;
use shardcart_store::scan::{self, Reservation};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;

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

const USER: [&str; 6] = [field::CREDIT, field::HELD, field::NET, field::BEFORE, field::INCARNATION, field::V];
const PAYMENT: [&str; 5] = [field::STATE, field::BY, field::CHARGED, field::INCARNATION, field::V];

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

/// Reads users by their keys, in their order.
///
/// # Errors
/// The shard's.
pub async fn read_users(shard: &Shard, keys: &[String]) -> Result<Vec<FoundUser>, ShardError> {
    Ok(scan::fields(shard, keys, &USER).await?.into_iter().map(user).collect())
}

/// Reads payments by their keys, in their order.
///
/// # Errors
/// The shard's.
pub async fn read_payments(shard: &Shard, keys: &[String]) -> Result<Vec<FoundPayment>, ShardError> {
    Ok(scan::fields(shard, keys, &PAYMENT).await?.into_iter().map(payment).collect())
}

fn number(field: Option<&str>) -> Option<i64> {
    field?.parse().ok()
}

fn user(row: Vec<Option<String>>) -> FoundUser {
    let Ok([credit, held, net, before, incarnation, version]) = <[Option<String>; 6]>::try_from(row) else {
        return FoundUser::Unreadable;
    };
    if version.is_some() {
        return FoundUser::Newer;
    }
    if credit.is_none() && held.is_none() && net.is_none() {
        return FoundUser::Absent;
    }
    let before = if before.is_none() { Some(0) } else { number(before.as_deref()) };
    match (number(credit.as_deref()), number(held.as_deref()), number(net.as_deref()), before) {
        (Some(credit), Some(held), Some(net), Some(before)) => {
            FoundUser::User(Purse { credit, held, net, before, incarnation: incarnation.unwrap_or_default() })
        }
        _ => FoundUser::Unreadable,
    }
}

fn payment(row: Vec<Option<String>>) -> FoundPayment {
    let Ok([state, by, charged, incarnation, version]) = <[Option<String>; 5]>::try_from(row) else {
        return FoundPayment::Unreadable;
    };
    if version.is_some() {
        return FoundPayment::Newer;
    }
    let Some(state) = state else {
        return if by.is_none() && charged.is_none() { FoundPayment::Absent } else { FoundPayment::Unreadable };
    };
    let (state, by) = (PaymentState::parse(&state), by.as_deref().and_then(PaidBy::parse));
    let incarnations = incarnation.as_deref().and_then(incarnation::split);
    match (state, by, number(charged.as_deref()), incarnations) {
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
    let fields: Vec<&str> = USER.iter().chain(&PAYMENT).copied().collect();
    let all = scan::holdings(shard, besides, &fields).await?;
    let mut holdings = Holdings { reservations: all.reservations, ..Holdings::default() };
    for (key, mut row) in all.records {
        let of_payment = row.split_off(USER.len());
        match key::parse(&key).and_then(|key| key.kind) {
            Some(Kind::User) => holdings.users.push((key, user(row))),
            _ => holdings.payments.push((key, payment(of_payment))),
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
