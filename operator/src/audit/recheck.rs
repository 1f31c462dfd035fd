//! Looks at single orders and their payments again, when what was read of them at different moments does not match.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::try_join_all;
use shardcart_order::audit::{Found, Record};
use shardcart_payment::audit::{self as payments, FoundPayment, Payment};
use shardcart_schema::key;
use shardcart_schema::payment::PaymentState;
use shardcart_store::scan;
use shardcart_store::shards::Shards;
use shardcart_types::ids::minted_ms;

use super::findings::{Findings, Kind};
use super::ids::Names;
use super::orders::Suspect;
use super::reservations::read_orders;
use super::source::Source;
use super::{AuditError, shard_failed};

/// How often a case is looked at: an order that moves while it is looked at is looked at again.
const LOOKS: usize = 6;
/// Before the second look; doubled before each further one. All of them take 1.5 s.
const PAUSE: Duration = Duration::from_millis(50);
/// Cases that are looked at together.
const BATCH: usize = 500;

/// An order, and who may have paid for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Case {
    order: String,
    /// A user with a payment for the order; `None`: the order's own.
    user: Option<String>,
}

/// What one look at a case has told.
#[derive(Debug)]
enum Verdict {
    /// Nothing is wrong with it.
    Right,
    /// The order has moved while its payment was read: nothing can be told.
    Moved,
    /// Something is, or its payment has moved.
    Wrong(Wrong),
}

/// What is wrong with a case.
#[derive(Debug)]
struct Wrong {
    kind: Kind,
    expected: String,
    found: String,
}

/// Looks at all suspects, and reports those with which something is wrong as often as they are looked at.
///
/// # Errors
/// A shard does not answer.
pub async fn check(
    source: &Source,
    names: &Names,
    suspects: Vec<Suspect>,
    findings: &Findings,
) -> Result<u64, AuditError> {
    let mut cases: HashSet<Suspect> = suspects.into_iter().collect();
    let count = u64::try_from(cases.len()).unwrap_or(u64::MAX);
    let (mut pause, mut reported) = (PAUSE, HashSet::new());
    for look in 1..=LOOKS {
        let all: Vec<Suspect> = cases.iter().copied().collect();
        for chunk in all.chunks(BATCH) {
            let texts = chunk.iter().map(|suspect| Case {
                order: names.text(suspect.order),
                user: suspect.user.map(|user| names.text(user)),
            });
            let texts: Vec<Case> = texts.collect();
            for ((suspect, case), verdict) in chunk.iter().zip(&texts).zip(look_at(source, &texts).await?) {
                match verdict {
                    Verdict::Right => {
                        cases.remove(suspect);
                    }
                    Verdict::Wrong(wrong) if look == LOOKS => {
                        // An order may be suspected twice: by itself, and by its payment.
                        if reported.insert((suspect.order, wrong.kind)) {
                            report(case, wrong, findings);
                        }
                    }
                    Verdict::Wrong(_) | Verdict::Moved => {}
                }
            }
        }
        if cases.is_empty() {
            break;
        }
        if look < LOOKS {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Ok(count)
}

fn report(case: &Case, wrong: Wrong, findings: &Findings) {
    let Wrong { kind, expected, found } = wrong;
    let detail = format!("expected {expected}, found {found}");
    findings.add(kind, &case.order, expected, found, detail);
}

/// Reads the orders, then their payments, then the orders once more: only of one that has not moved anything is told.
async fn look_at(source: &Source, cases: &[Case]) -> Result<Vec<Verdict>, AuditError> {
    let ids: Vec<&str> = cases.iter().map(|case| case.order.as_str()).collect();
    let orders = read_orders(&source.order, &ids).await?;
    let wanted = cases.iter().zip(&orders).map(|(case, order)| {
        let user = match (&case.user, order) {
            (Some(user), _) => Some(user.clone()),
            (None, Found::Order(record)) => Some(record.user.clone()),
            (None, _) => None,
        };
        user.map(|user| (user, case.order.clone()))
    });
    let wanted: Vec<Option<(String, String)>> = wanted.collect();
    let paid = read_payments(&source.payment, &wanted).await?;
    let mut wrong = Vec::with_capacity(cases.len());
    for ((order, user), payment) in orders.iter().zip(&wanted).zip(&paid) {
        let user = user.as_ref().map_or("", |(user, _)| user);
        wrong.push(judge(source, order, user, payment).await?);
    }
    let again = read_orders(&source.order, &ids).await?;
    let moved = orders.iter().zip(&again).map(|(before, after)| before != after);
    let verdicts = wrong.into_iter().zip(moved).map(|(wrong, moved)| match wrong {
        _ if moved => Verdict::Moved,
        None => Verdict::Right,
        Some(wrong) => Verdict::Wrong(wrong),
    });
    Ok(verdicts.collect())
}

async fn read_payments(shards: &Shards, wanted: &[Option<(String, String)>]) -> Result<Vec<FoundPayment>, AuditError> {
    let mut found = vec![FoundPayment::Absent; wanted.len()];
    let reads = shards.iter().map(|shard| async move {
        let here = wanted.iter().enumerate().filter_map(|(place, wanted)| {
            let (user, order) = wanted.as_ref()?;
            let is_here = shards.shard_of(user) == shard.number();
            is_here.then(|| (place, key::payment(shard.tag(), user, order).to_string()))
        });
        let (places, keys): (Vec<usize>, Vec<String>) = here.unzip();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let payments = payments::read(shard, &keys).await.map_err(shard_failed("payment"))?;
        let payments = payments.into_iter().map(|bytes| FoundPayment::read(bytes.as_deref()));
        Ok::<_, AuditError>(places.into_iter().zip(payments).collect())
    });
    for (place, payment) in try_join_all(reads).await?.into_iter().flatten() {
        found[place] = payment;
    }
    Ok(found)
}

/// What is wrong with an order and a user's payment for it.
async fn judge(
    source: &Source,
    order: &Found,
    user: &str,
    payment: &FoundPayment,
) -> Result<Option<Wrong>, AuditError> {
    let payment = match payment {
        // Reported by itself.
        FoundPayment::Newer | FoundPayment::Unreadable => return Ok(None),
        FoundPayment::Absent => None,
        FoundPayment::Payment(payment) => Some(payment),
    };
    match order {
        Found::Newer | Found::Unreadable(_) => Ok(None),
        Found::Absent => Ok(payment
            .filter(|payment| payment.is_charged_by_checkout() && payment.order_incarnation.is_empty())
            .map(|payment| charged_without(payment, user, "no such order"))),
        Found::Order(order) => {
            let mine = payment.filter(|payment| payment.by_checkout && payment.order_incarnation == order.incarnation);
            if order.is_paid() && order.user == user {
                return is_charged(source, order, payment, mine).await;
            }
            let charged = mine.filter(|payment| payment.is_charged_by_checkout());
            Ok(charged.map(|payment| {
                let stands = if order.is_paid() { format!("paid by {}", order.user) } else { order.status.to_string() };
                charged_without(payment, user, &format!("an order that is {stands}"))
            }))
        }
    }
}

fn charged_without(payment: &Payment, user: &str, order: &str) -> Wrong {
    Wrong {
        kind: Kind::ChargeWithoutOrder,
        expected: "nothing charged".to_owned(),
        found: format!("{} charged to user {user} for {order}", payment.charged),
    }
}

/// What is wrong with the payment of a paid order. `mine` is the payment if it is a checkout's, for this incarnation of the order.
async fn is_charged(
    source: &Source,
    order: &Record,
    payment: Option<&Payment>,
    mine: Option<&Payment>,
) -> Result<Option<Wrong>, AuditError> {
    let (user, total) = (&order.user, order.total);
    let wrong = |found: String| {
        let expected = format!("{total} charged to user {user} by checkout");
        Ok(Some(Wrong { kind: Kind::OrderUncharged, expected, found }))
    };
    match (mine, payment) {
        (Some(mine), _) if mine.charged != total => wrong(format!("{} {}", mine.charged, mine.state)),
        (Some(mine), _) if mine.state == PaymentState::Charged => Ok(None),
        (Some(mine), _) if mine.is_reserved() => {
            if is_held(&source.payment, user, &order.tx).await? {
                return Ok(None);
            }
            wrong(format!("{total} reserved, and no reservation of attempt {}", order.tx))
        }
        (Some(mine), _) => wrong(format!("{total} {}", mine.state)),
        // A later user of that id has paid for the order directly, over the record of the one who had bought it.
        (None, Some(payment))
            if !payment.by_checkout && minted_ms(&payment.user_incarnation) > minted_ms(&order.tx) =>
        {
            Ok(None)
        }
        (None, Some(payment)) if !payment.by_checkout => wrong(format!("{} {} by pay", payment.charged, payment.state)),
        (None, Some(_)) => wrong("a payment for another order of that id".to_owned()),
        (None, None) => wrong("no payment".to_owned()),
    }
}

async fn is_held(shards: &Shards, user: &str, tx: &str) -> Result<bool, AuditError> {
    let Ok(shard) = shards.route(user) else {
        return Ok(false);
    };
    scan::is_held(shard, tx).await.map_err(shard_failed("payment"))
}
