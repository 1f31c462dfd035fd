//! What was found, in plain words.

use shardcart_order::recent::AttemptSummary;
use shardcart_protocol::insight::{
    Found, ItemRecord, OrderRecord, PaymentRecord, ProductRecord, ReservationRecord, UserRecord,
};
use shardcart_protocol::participant::Refusal;
use shardcart_schema::order::OrderStatus;
use shardcart_schema::payment::{PaidBy, PaymentState};
use shardcart_schema::reply::Reply;
use shardcart_types::ids::TxId;

use super::found::Reservation;

/// How an order stands.
pub fn order(
    record: &OrderRecord,
    user: Option<&Found>,
    payment: Option<&PaymentRecord>,
    asked: Option<&Found>,
) -> Vec<String> {
    let mut story = vec![order_status(record)];
    let units: u64 = record.lines.iter().fold(0, |sum, (_, units, _)| sum.saturating_add(*units));
    story.push(match record.lines.len() {
        0 => format!("Its cart is empty, so it costs {}.", record.total),
        1 => format!("Its cart has {units} of one item, quoted at {} in all.", record.total),
        lines => format!("Its cart has {units} units in {lines} lines, quoted at {} in all.", record.total),
    });
    if matches!(user, Some(Found::Absent)) {
        story.push("Its user does not exist: a checkout is refused.".to_owned());
    }
    story.push(match (payment, asked) {
        (Some(payment), _) => self::payment(payment, record),
        (None, Some(Found::Silent | Found::BeyondList) | None) => {
            "Its payment cannot be looked up: that shard does not answer.".to_owned()
        }
        (None, Some(Found::Payment(_))) => {
            "There is no payment for it; one of an earlier order or user of that id does not count.".to_owned()
        }
        (None, _) => "There is no payment for it.".to_owned(),
    });
    story
}

fn order_status(record: &OrderRecord) -> String {
    let left = record.lease_left_ms();
    match record.status() {
        Some(OrderStatus::Open) if record.deadline_ms == 0 => "Open: nobody has tried to pay it yet.".to_owned(),
        Some(OrderStatus::Open) => format!(
            "Open. The last attempt was given up: {}. It took nothing; a new checkout is a new attempt.",
            Refusal::from_record(&record.refusal)
        ),
        Some(OrderStatus::Pending) if left > 0 => {
            format!("Being paid: its coordinator has the attempt to itself for another {}.", seconds(left))
        }
        Some(OrderStatus::Pending) => {
            "Being paid, but its coordinator is late: recovery takes the attempt over any moment.".to_owned()
        }
        Some(OrderStatus::Aborting) => format!(
            "Being given up: {}. Nothing more can be taken for it. It opens again when everyone who may hold something \
             has given it back.",
            Refusal::from_record(&record.refusal)
        ),
        Some(OrderStatus::Paid) if record.due_ms.is_some() => {
            "Paid, for good. Stock and payment are still being told; nothing can undo it.".to_owned()
        }
        Some(OrderStatus::Paid) => "Paid and settled.".to_owned(),
        None => format!("It says {}, which this release does not know.", record.status),
    }
}

fn payment(payment: &PaymentRecord, record: &OrderRecord) -> String {
    let amount = payment.amount;
    match (PaymentState::parse(&payment.state), PaidBy::parse(&payment.by)) {
        (Some(PaymentState::Charged), Some(PaidBy::Checkout)) => format!("Its checkout has charged {amount}."),
        (Some(PaymentState::Charged), _) => {
            format!("It was paid directly: {amount}. A checkout is refused, already paid.")
        }
        (Some(PaymentState::Reserved), _) if record.status() == Some(OrderStatus::Paid) => {
            format!("Its checkout has taken {amount}; the record says reserved until the attempt is settled.")
        }
        (Some(PaymentState::Reserved), _) => format!("An attempt holds {amount} of its user's credit."),
        (Some(PaymentState::Cancelled), _) => format!("A direct payment of {amount} was given back."),
        (None, _) => format!("Its payment says {}, which this release does not know.", payment.state),
    }
}

/// How an item stands.
pub fn item(record: &ItemRecord) -> Vec<String> {
    let ItemRecord { price, stock, held, sold, product } = record;
    let mut story = vec![format!("Costs {price}. {stock} can be bought now.")];
    if *held > 0 {
        story.push(format!("{held} more are held by attempts that are not settled yet."));
    }
    story.push(format!("{sold} have been sold by checkouts."));
    if let Some(ProductRecord { name, handle, is_listed, revision }) = product {
        let known = if handle.is_empty() { "without a handle".to_owned() } else { format!("with the handle {handle}") };
        let listed = if *is_listed { "listed" } else { "archived" };
        story.push(format!("It is the product {name:?}, {known}, {listed}, revision {revision}."));
    }
    story
}

/// How a user stands.
pub fn user(record: &UserRecord) -> Vec<String> {
    let UserRecord { credit, held, charged, .. } = record;
    let mut story = vec![format!("Can spend {credit}.")];
    if *held > 0 {
        story.push(format!("{held} more are held by attempts that are not settled yet."));
    }
    story.push(format!("Checkouts have charged {charged}."));
    story
}

/// How an attempt went that this machine remembers.
pub fn attempt(told: &AttemptSummary) -> String {
    let took = took(told.took_us);
    match told.outcome.as_str() {
        "paid" => format!("paid in {took}"),
        "refused" => format!("refused in {took}: {}", told.reason),
        "aborted" => format!("given up after {took}: not everyone it needs has answered"),
        _ => format!("outcome unknown after {took}: a repeat tells the truth"),
    }
}

/// How the attempt went that is on an order's record.
pub fn last_attempt(record: &OrderRecord) -> String {
    match record.status() {
        Some(OrderStatus::Paid) => "paid".to_owned(),
        Some(OrderStatus::Pending) => "under way".to_owned(),
        Some(OrderStatus::Aborting) => format!("being given up: {}", Refusal::from_record(&record.refusal)),
        _ => format!("given up: {}", Refusal::from_record(&record.refusal)),
    }
}

/// How an attempt stands, in a word or two.
pub fn attempt_state(tx: &TxId, order: Option<&OrderRecord>, reservations: &[Reservation]) -> &'static str {
    match order.filter(|record| record.tx == tx.as_str()).map(OrderRecord::status) {
        Some(Some(OrderStatus::Paid)) => "paid",
        Some(Some(OrderStatus::Pending)) => "under way",
        Some(Some(OrderStatus::Aborting)) => "being given up",
        Some(_) => "given up",
        None if reservations.iter().any(|reservation| says(&reservation.record, Reply::Confirmed)) => "paid",
        None if reservations.iter().any(|reservation| says(&reservation.record, Reply::Held)) => "under way",
        None => "ended",
    }
}

/// Whether a participant has this on record: it is told in small letters.
fn says(record: &ReservationRecord, reply: Reply) -> bool {
    record.state.eq_ignore_ascii_case(reply.as_str())
}

/// How an attempt stands.
pub fn attempt_story(tx: &TxId, order: Option<&OrderRecord>, reservations: &[Reservation]) -> Vec<String> {
    let mut story = Vec::new();
    match order {
        Some(record) if record.tx == tx.as_str() => {
            story.push(format!("The latest attempt to pay order {}. {}", record.order, order_status(record)));
        }
        Some(record) => {
            story.push(format!("An earlier attempt to pay order {}, which has had another since.", record.order));
        }
        None => story.push("An attempt to pay an order that is not known any more.".to_owned()),
    }
    for Reservation { service, record } in reservations {
        let holds: Vec<String> = record.holds.iter().map(|(what, amount)| format!("{amount} of {what}")).collect();
        let shard = record.shard;
        story.push(match Reply::parse(&record.state.to_uppercase()) {
            Some(Reply::Held) => format!("{service} shard {shard} holds {}.", holds.join(", ")),
            Some(Reply::Confirmed) => format!("{service} shard {shard} has made it final."),
            Some(Reply::Cancelled) => format!("{service} shard {shard} has given back whatever it held."),
            _ => format!("{service} shard {shard} has refused it: {}.", record.state),
        });
    }
    if reservations.is_empty() {
        story.push("No shard holds anything for it. Records of ended attempts go after about a minute.".to_owned());
    }
    story
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn took(us: u64) -> String {
    if us < 1_000_000 { format!("{}.{} ms", us / 1000, us % 1000 / 100) } else { seconds(us / 1000) }
}
