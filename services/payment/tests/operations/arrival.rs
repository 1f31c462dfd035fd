//! One attempt's messages and a direct payment of the same order, in every order of arrival: no credit is lost or
//! made, and the order is paid at most once.

use std::collections::BTreeSet;

use shardcart_payment::error::PaymentError;
use shardcart_protocol::participant::{Answer, Refusal};

use crate::support::{Attempt, TestPayment};

/// What arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Reserve,
    Confirm,
    Cancel,
    Pay,
    CancelPayment,
}

use Message::{Cancel, CancelPayment, Confirm, Pay, Reserve};

/// What is known of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Held,
    Confirmed,
    Cancelled,
    /// Refused: the order was paid directly.
    AlreadyPaid,
}

/// How the payment of the order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payment {
    Nothing,
    /// By the checkout; was there a direct payment that had been given back?
    Reserved {
        after_given_back: bool,
    },
    Charged,
    Direct,
    GivenBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    known: Known,
    payment: Payment,
}

/// What everyone has: 10 of credit, of which the checkout takes 3 and the direct payment 4.
const HAD: u64 = 10;
const CHECKOUT: u64 = 3;
const DIRECT: u64 = 4;

impl State {
    /// The answer to a message, in a word, and what is then known.
    fn next(self, message: Message) -> (&'static str, State) {
        let State { known, payment } = self;
        let then = |known, payment| State { known, payment };
        match (message, known, payment) {
            (Reserve, Known::Nothing, Payment::Nothing | Payment::GivenBack) => {
                let after_given_back = payment == Payment::GivenBack;
                ("held", then(Known::Held, Payment::Reserved { after_given_back }))
            }
            (Reserve, Known::Nothing, _) => ("already paid", then(Known::AlreadyPaid, payment)),
            (Reserve, Known::Held, _) => ("held", self),
            (Reserve | Confirm, Known::Confirmed, _) => ("confirmed", self),
            (Reserve, Known::Cancelled, _) => ("cancelled", self),
            (Reserve, Known::AlreadyPaid, _) => ("already paid", self),

            (Confirm, Known::Nothing, _) => ("lost", self),
            (Confirm, Known::Held, _) => ("confirmed", then(Known::Confirmed, Payment::Charged)),
            (Confirm, Known::Cancelled | Known::AlreadyPaid, _) => ("conflict", self),

            (Cancel, Known::Nothing, _) => ("cancelled", then(Known::Cancelled, payment)),
            (Cancel, Known::Held, Payment::Reserved { after_given_back: true }) => {
                ("cancelled", then(Known::Cancelled, Payment::GivenBack))
            }
            (Cancel, Known::Held, _) => ("cancelled", then(Known::Cancelled, Payment::Nothing)),
            (Cancel, Known::Confirmed, _) => ("conflict", self),
            (Cancel, Known::Cancelled | Known::AlreadyPaid, _) => ("cancelled", self),

            (Pay, _, Payment::Nothing) => ("done", then(known, Payment::Direct)),
            (Pay, _, Payment::Direct) => ("done", self),
            (Pay, _, Payment::Reserved { .. }) => ("pending", self),
            (Pay, _, Payment::Charged | Payment::GivenBack) => ("already paid", self),

            (CancelPayment, _, Payment::Nothing) => ("unknown payment", self),
            (CancelPayment, _, Payment::Direct) => ("done", then(known, Payment::GivenBack)),
            (CancelPayment, _, Payment::GivenBack) => ("done", self),
            (CancelPayment, _, Payment::Reserved { .. }) => ("pending", self),
            (CancelPayment, _, Payment::Charged) => ("paid by checkout", self),
        }
    }

    /// What is then left of the credit, held, and charged by checkout.
    fn left(self) -> (u64, u64, u64) {
        let (held, charged, direct) = match self.payment {
            Payment::Nothing | Payment::GivenBack => (0, 0, 0),
            Payment::Reserved { .. } => (CHECKOUT, 0, 0),
            Payment::Charged => (0, CHECKOUT, 0),
            Payment::Direct => (0, 0, DIRECT),
        };
        (HAD - held - charged - direct, held, charged)
    }

    /// The payment's record, as [`TestPayment::payment`] tells it.
    fn record(self) -> String {
        match self.payment {
            Payment::Nothing => String::new(),
            Payment::Reserved { .. } => format!("reserved by checkout {CHECKOUT}/0"),
            Payment::Charged => format!("charged by checkout {CHECKOUT}/0"),
            Payment::Direct => format!("charged by pay {DIRECT}/0"),
            Payment::GivenBack => format!("cancelled by pay {DIRECT}/{DIRECT}"),
        }
    }
}

async fn send(payment: &TestPayment, attempt: &Attempt, message: Message) -> &'static str {
    let answer = match message {
        Reserve => payment.reserve(attempt, CHECKOUT).await,
        Confirm => payment.confirm(attempt).await,
        Cancel => payment.cancel(attempt).await,
        Pay => return said(&payment.pay(&attempt.user, &attempt.order, DIRECT).await),
        CancelPayment => return said(&payment.cancel_payment(&attempt.user, &attempt.order).await),
    };
    match answer {
        Answer::Held => "held",
        Answer::Refused(Refusal::AlreadyPaid) => "already paid",
        Answer::Cancelled => "cancelled",
        Answer::Confirmed => "confirmed",
        Answer::Lost => "lost",
        Answer::Conflict => "conflict",
        other => panic!("{other:?}"),
    }
}

fn said(result: &Result<(), PaymentError>) -> &'static str {
    match result {
        Ok(()) => "done",
        Err(PaymentError::OrderPending(_)) => "pending",
        Err(PaymentError::AlreadyPaid(_)) => "already paid",
        Err(PaymentError::OrderPaid(_)) => "paid by checkout",
        Err(PaymentError::UnknownPayment(_)) => "unknown payment",
        Err(other) => panic!("{other}"),
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

/// Sends these messages in every order, each to a user and for an order of its own, and follows what they do.
async fn follow_every_order_of(messages: &[Message]) {
    let payment = TestPayment::start().await;
    for order in orders(messages) {
        let user = payment.user_with(HAD).await;
        let attempt = payment.attempt(&user).await;
        let mut state = State { known: Known::Nothing, payment: Payment::Nothing };
        for message in &order {
            let (expected, then) = state.next(*message);
            let told = format!("{order:?}: {message:?} of {state:?}");
            assert_eq!(send(&payment, &attempt, *message).await, expected, "{told}");
            state = then;
            let purse = payment.purse(&user).await;
            assert_eq!((purse.credit, purse.held, purse.charged()), state.left(), "{told}");
            assert_eq!(payment.payment(&user, &attempt.order).await, state.record(), "{told}");
        }
        match state.known {
            Known::Nothing => payment.assert_unknown(&attempt).await,
            Known::Held => payment.assert_held(&attempt).await,
            Known::Confirmed => payment.assert_tombstone(&attempt, "CONFIRMED").await,
            Known::Cancelled => payment.assert_tombstone(&attempt, "CANCELLED").await,
            Known::AlreadyPaid => payment.assert_tombstone(&attempt, "ALREADY_PAID").await,
        }
    }
}

#[actix_web::test]
async fn a_paid_attempt_in_every_order_conserves_credit() {
    follow_every_order_of(&[Reserve, Reserve, Confirm, Confirm]).await;
}

#[actix_web::test]
async fn a_cancelled_attempt_in_every_order_conserves_credit() {
    follow_every_order_of(&[Reserve, Reserve, Cancel, Cancel]).await;
}

#[actix_web::test]
async fn contradictory_messages_in_every_order_conserve_credit() {
    follow_every_order_of(&[Reserve, Reserve, Confirm, Cancel, Cancel]).await;
}

#[actix_web::test]
async fn a_paid_attempt_and_direct_payments_in_every_order_exclude_one_another() {
    follow_every_order_of(&[Reserve, Confirm, Pay, Pay, CancelPayment]).await;
}

#[actix_web::test]
async fn a_cancelled_attempt_and_direct_payments_in_every_order_exclude_one_another() {
    follow_every_order_of(&[Reserve, Cancel, Pay, CancelPayment, CancelPayment]).await;
}

#[actix_web::test]
async fn everything_about_an_order_in_every_order_pays_it_at_most_once() {
    follow_every_order_of(&[Reserve, Confirm, Cancel, Pay, CancelPayment]).await;
}

#[actix_web::test]
async fn messages_in_every_order_in_one_batch_conserve_credit() {
    let payment = TestPayment::start().await;
    for order in orders(&[Reserve, Reserve, Confirm, Cancel, Cancel]) {
        let user = payment.user_with(HAD).await;
        let attempt = payment.attempt(&user).await;
        let operations = order.iter().map(|message| match message {
            Confirm => attempt.confirm(),
            Cancel => attempt.cancel(),
            _ => attempt.reserve(CHECKOUT),
        });
        payment.run_all(operations.collect()).await.unwrap();

        let first = State { known: Known::Nothing, payment: Payment::Nothing };
        let last = order.iter().fold(first, |state, message| state.next(*message).1);
        let purse = payment.purse(&user).await;
        assert_eq!((purse.credit, purse.held, purse.charged()), last.left(), "{order:?}");
        assert_eq!(payment.payment(&user, &attempt.order).await, last.record(), "{order:?}");
    }
}
