//! One attempt's messages in every order of arrival: whatever happens, no unit is lost or made.

use std::collections::BTreeSet;

use shardcart_protocol::participant::{Answer, Operation};
use shardcart_types::ids::ItemId;

use crate::support::{Attempt, TestStock};

/// A message of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Reserve,
    Confirm,
    Cancel,
}

/// What is known of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Held,
    Confirmed,
    Cancelled,
}

use Message::{Cancel, Confirm, Reserve};

/// The whole protocol of an attempt that is in time and for which there is enough.
fn next(known: Known, message: Message) -> (Answer, Known) {
    match (known, message) {
        (Known::Nothing | Known::Held, Reserve) => (Answer::Held, Known::Held),
        (Known::Confirmed, Reserve | Confirm) => (Answer::Confirmed, Known::Confirmed),
        (Known::Cancelled, Reserve | Cancel) => (Answer::Cancelled, Known::Cancelled),
        (Known::Nothing, Confirm) => (Answer::Lost, Known::Nothing),
        (Known::Held, Confirm) => (Answer::Confirmed, Known::Confirmed),
        (Known::Nothing | Known::Held, Cancel) => (Answer::Cancelled, Known::Cancelled),
        (Known::Cancelled, Confirm) => (Answer::Conflict, Known::Cancelled),
        (Known::Confirmed, Cancel) => (Answer::Conflict, Known::Confirmed),
    }
}

/// All different orders of messages.
fn orders(messages: &[Message]) -> BTreeSet<Vec<Message>> {
    if messages.is_empty() {
        return BTreeSet::from([Vec::new()]);
    }
    let firsts = 0..messages.len();
    let orders = firsts.flat_map(|first| {
        let mut rest = messages.to_vec();
        let first = rest.remove(first);
        orders(&rest).into_iter().map(move |rest| [&[first], rest.as_slice()].concat())
    });
    orders.collect()
}

/// Every order in which messages of one attempt may arrive, the contradictory ones included.
fn all_orders() -> Vec<Vec<Message>> {
    let sets: [&[Message]; 5] = [
        &[Reserve, Reserve, Confirm, Confirm],
        &[Reserve, Reserve, Cancel, Cancel],
        &[Reserve, Reserve, Confirm, Cancel],
        &[Reserve, Reserve, Confirm, Cancel, Cancel],
        &[Reserve, Reserve, Confirm, Confirm, Cancel, Cancel],
    ];
    sets.into_iter().flat_map(orders).collect()
}

fn operation(attempt: &Attempt, message: Message, lines: &[(&ItemId, u64)]) -> Operation {
    match message {
        Reserve => attempt.reserve(lines),
        Confirm => attempt.confirm(),
        Cancel => attempt.cancel(),
    }
}

async fn assert_conserved(stock: &TestStock, lines: &[(&ItemId, u64)], had: u64, known: Known, order: &[Message]) {
    for (item, units) in lines {
        let left = stock.units(item).await;
        let (held, sold) = match known {
            Known::Nothing | Known::Cancelled => (0, 0),
            Known::Held => (*units, 0),
            Known::Confirmed => (0, *units),
        };
        assert_eq!((left.held, left.sold()), (held, sold), "{order:?}: {left:?}");
        assert_eq!(left.stock + left.held + left.sold(), had, "{order:?}: {left:?}");
    }
}

#[test]
fn there_are_as_many_orders_as_arithmetic_says() {
    // 4!/(2!2!) twice, 4!/2!, 5!/(2!2!), 6!/(2!2!2!)
    assert_eq!(all_orders().len(), 6 + 6 + 12 + 30 + 90);
}

#[actix_web::test]
async fn messages_in_every_order_one_by_one_conserve_stock() {
    let stock = TestStock::start().await;
    for order in all_orders() {
        let [a, b] = stock.items_with([10, 10]).await;
        let lines = [(&a, 3), (&b, 4)];
        let attempt = stock.attempt(&a).await;
        let mut known = Known::Nothing;
        for message in &order {
            let answers = stock.run_all(vec![operation(&attempt, *message, &lines)]).await;
            let (expected, then) = next(known, *message);
            assert_eq!(answers.unwrap(), [expected], "{order:?}: {message:?} of {known:?}");
            known = then;
            assert_conserved(&stock, &lines, 10, known, &order).await;
            match known {
                Known::Nothing => stock.assert_unknown(&attempt).await,
                Known::Held => stock.assert_held(&attempt).await,
                Known::Confirmed => stock.assert_tombstone(&attempt, "CONFIRMED").await,
                Known::Cancelled => stock.assert_tombstone(&attempt, "CANCELLED").await,
            }
        }
    }
}

#[actix_web::test]
async fn messages_in_every_order_in_one_batch_conserve_stock() {
    let stock = TestStock::start().await;
    for order in all_orders() {
        let [a, b] = stock.items_with([10, 10]).await;
        let lines = [(&a, 3), (&b, 4)];
        let attempt = stock.attempt(&a).await;
        let operations = order.iter().map(|message| operation(&attempt, *message, &lines));

        let answers = stock.run_all(operations.collect()).await.unwrap();

        let mut known = Known::Nothing;
        for (message, answer) in order.iter().zip(answers) {
            let (expected, then) = next(known, *message);
            assert_eq!(answer, expected, "{order:?}: {message:?} of {known:?}");
            known = then;
        }
        assert_conserved(&stock, &lines, 10, known, &order).await;
    }
}

#[actix_web::test]
async fn messages_of_two_attempts_interleaved_in_every_order_conserve_stock() {
    let stock = TestStock::start().await;
    // Both want what only one can have: whoever comes second is busy, or refused.
    for order in orders(&[Reserve, Confirm, Cancel]) {
        for other in orders(&[Reserve, Reserve, Cancel]) {
            let item = stock.item_with(5).await;
            let attempts = [stock.attempt(&item).await, stock.attempt(&item).await];
            for (first, second) in order.iter().zip(&other) {
                for (attempt, message) in attempts.iter().zip([first, second]) {
                    let sent = vec![operation(attempt, *message, &[(&item, 4)])];
                    stock.run_all(sent).await.unwrap();
                }
            }
            let left = stock.units(&item).await;
            let mut held = 0;
            let mut sold = 0;
            for attempt in &attempts {
                held += 4 * u64::from(stock.held_for(attempt).await.is_some());
                sold += 4 * u64::from(stock.tombstone(attempt).await.as_deref() == Some("CONFIRMED"));
            }
            assert_eq!((left.held, left.sold()), (held, sold), "{order:?} and {other:?}");
            assert_eq!(left.stock + left.held + left.sold(), 5, "{order:?} and {other:?}");
        }
    }
}
