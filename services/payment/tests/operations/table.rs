//! The protocol's tables: what is on record, what is asked and when, against the answer and what is then on record.

use shardcart_common::participant::{Answer, Refusal};
use shardcart_payment::error::PaymentError;

use crate::support::{Attempt, TestPayment};

/// What is on record of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Nothing,
    Held,
    /// Held, for an order whose direct payment had been given back.
    HeldAgain,
    Confirmed,
    Cancelled,
    /// Refused: the user does not exist.
    Unknown,
    /// Refused: there is too little credit.
    Insufficient,
    /// Refused: the order was paid directly.
    AlreadyPaid,
    /// Written by a later release.
    Newer,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve,
    Confirm,
    Cancel,
}

/// Where the clock stands.
#[derive(Debug, Clone, Copy)]
enum When {
    /// Before the deadline.
    InTime,
    /// After the deadline.
    Late,
    /// More than 60 s after it: what is not on record was settled before.
    Settled,
    /// More than 70 s after it: tombstones are gone.
    Forgotten,
}

use Paid::{Charged, ChargedAgain, Direct, GivenBack, Reserved, ReservedAgain, Unpaid};
use Record::{AlreadyPaid, Cancelled, Confirmed, Held, HeldAgain, Insufficient, Newer, Nothing, Unknown};
use Step::{Cancel, Confirm, Reserve};
use When::{Forgotten, InTime, Late, Settled};

/// The answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Held,
    Busy,
    /// Another attempt holds the order.
    OrderHeld,
    Expired,
    UnknownUser,
    InsufficientCredit,
    AlreadyPaid,
    Cancelled,
    Confirmed,
    Gone,
    Lost,
    Conflict,
    Newer,
}

/// The user's 10 of credit, of which the attempt wants 3: credit and held.
type Left = [u64; 2];
const ALL: Left = [10, 0];
const SOME_HELD: Left = [7, 3];
const SOME_CHARGED: Left = [7, 0];

/// How the payment of the order stands; a direct one is of 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paid {
    Unpaid,
    Reserved,
    /// Reserved, and what was paid directly before had been given back.
    ReservedAgain,
    Charged,
    /// Charged by a checkout, and what was paid directly before had been given back.
    ChargedAgain,
    Direct,
    GivenBack,
}

#[rustfmt::skip]
const TABLE: [(Record, Step, When, Says, Record, Left, Paid); 93] = [
    // on record    asked    when       answer                    then on record left          payment
    (Nothing,      Reserve, InTime,    Says::Held,               Held,         SOME_HELD,    Reserved),
    (Nothing,      Reserve, Late,      Says::Expired,            Nothing,      ALL,          Unpaid),
    (Nothing,      Reserve, Settled,   Says::Expired,            Nothing,      ALL,          Unpaid),
    (Nothing,      Reserve, Forgotten, Says::Expired,            Nothing,      ALL,          Unpaid),
    (Nothing,      Confirm, InTime,    Says::Lost,               Nothing,      ALL,          Unpaid),
    (Nothing,      Confirm, Late,      Says::Lost,               Nothing,      ALL,          Unpaid),
    (Nothing,      Confirm, Settled,   Says::Gone,               Nothing,      ALL,          Unpaid),
    (Nothing,      Confirm, Forgotten, Says::Gone,               Nothing,      ALL,          Unpaid),
    (Nothing,      Cancel,  InTime,    Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Nothing,      Cancel,  Late,      Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Nothing,      Cancel,  Settled,   Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Nothing,      Cancel,  Forgotten, Says::Cancelled,          Nothing,      ALL,          Unpaid),

    (Held,         Reserve, InTime,    Says::Held,               Held,         SOME_HELD,    Reserved),
    (Held,         Reserve, Late,      Says::Held,               Held,         SOME_HELD,    Reserved),
    (Held,         Reserve, Settled,   Says::Held,               Held,         SOME_HELD,    Reserved),
    (Held,         Reserve, Forgotten, Says::Held,               Held,         SOME_HELD,    Reserved),
    (Held,         Confirm, InTime,    Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Held,         Confirm, Late,      Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Held,         Confirm, Settled,   Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Held,         Confirm, Forgotten, Says::Confirmed,          Nothing,      SOME_CHARGED, Charged),
    (Held,         Cancel,  InTime,    Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Held,         Cancel,  Late,      Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Held,         Cancel,  Settled,   Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Held,         Cancel,  Forgotten, Says::Cancelled,          Nothing,      ALL,          Unpaid),

    (HeldAgain,    Reserve, InTime,    Says::Held,               HeldAgain,    SOME_HELD,    ReservedAgain),
    (HeldAgain,    Reserve, Late,      Says::Held,               HeldAgain,    SOME_HELD,    ReservedAgain),
    (HeldAgain,    Reserve, Settled,   Says::Held,               HeldAgain,    SOME_HELD,    ReservedAgain),
    (HeldAgain,    Reserve, Forgotten, Says::Held,               HeldAgain,    SOME_HELD,    ReservedAgain),
    (HeldAgain,    Confirm, InTime,    Says::Confirmed,          Confirmed,    SOME_CHARGED, ChargedAgain),
    (HeldAgain,    Confirm, Late,      Says::Confirmed,          Confirmed,    SOME_CHARGED, ChargedAgain),
    (HeldAgain,    Confirm, Settled,   Says::Confirmed,          Confirmed,    SOME_CHARGED, ChargedAgain),
    (HeldAgain,    Confirm, Forgotten, Says::Confirmed,          Nothing,      SOME_CHARGED, ChargedAgain),
    (HeldAgain,    Cancel,  InTime,    Says::Cancelled,          Cancelled,    ALL,          GivenBack),
    (HeldAgain,    Cancel,  Late,      Says::Cancelled,          Cancelled,    ALL,          GivenBack),
    (HeldAgain,    Cancel,  Settled,   Says::Cancelled,          Cancelled,    ALL,          GivenBack),
    (HeldAgain,    Cancel,  Forgotten, Says::Cancelled,          Nothing,      ALL,          GivenBack),

    (Confirmed,    Reserve, InTime,    Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Reserve, Late,      Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Reserve, Settled,   Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Confirm, InTime,    Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Confirm, Late,      Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Confirm, Settled,   Says::Confirmed,          Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Cancel,  InTime,    Says::Conflict,           Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Cancel,  Late,      Says::Conflict,           Confirmed,    SOME_CHARGED, Charged),
    (Confirmed,    Cancel,  Settled,   Says::Conflict,           Confirmed,    SOME_CHARGED, Charged),

    (Cancelled,    Reserve, InTime,    Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Cancelled,    Reserve, Late,      Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Cancelled,    Reserve, Settled,   Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Cancelled,    Confirm, InTime,    Says::Conflict,           Cancelled,    ALL,          Unpaid),
    (Cancelled,    Confirm, Late,      Says::Conflict,           Cancelled,    ALL,          Unpaid),
    (Cancelled,    Confirm, Settled,   Says::Conflict,           Cancelled,    ALL,          Unpaid),
    (Cancelled,    Cancel,  InTime,    Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Cancelled,    Cancel,  Late,      Says::Cancelled,          Cancelled,    ALL,          Unpaid),
    (Cancelled,    Cancel,  Settled,   Says::Cancelled,          Cancelled,    ALL,          Unpaid),

    (Unknown,      Reserve, InTime,    Says::UnknownUser,        Unknown,      ALL,          Unpaid),
    (Unknown,      Reserve, Late,      Says::UnknownUser,        Unknown,      ALL,          Unpaid),
    (Unknown,      Reserve, Settled,   Says::UnknownUser,        Unknown,      ALL,          Unpaid),
    (Unknown,      Confirm, InTime,    Says::Conflict,           Unknown,      ALL,          Unpaid),
    (Unknown,      Confirm, Late,      Says::Conflict,           Unknown,      ALL,          Unpaid),
    (Unknown,      Confirm, Settled,   Says::Conflict,           Unknown,      ALL,          Unpaid),
    (Unknown,      Cancel,  InTime,    Says::Cancelled,          Unknown,      ALL,          Unpaid),
    (Unknown,      Cancel,  Late,      Says::Cancelled,          Unknown,      ALL,          Unpaid),
    (Unknown,      Cancel,  Settled,   Says::Cancelled,          Unknown,      ALL,          Unpaid),

    (Insufficient, Reserve, InTime,    Says::InsufficientCredit, Insufficient, ALL,          Unpaid),
    (Insufficient, Reserve, Late,      Says::InsufficientCredit, Insufficient, ALL,          Unpaid),
    (Insufficient, Reserve, Settled,   Says::InsufficientCredit, Insufficient, ALL,          Unpaid),
    (Insufficient, Confirm, InTime,    Says::Conflict,           Insufficient, ALL,          Unpaid),
    (Insufficient, Confirm, Late,      Says::Conflict,           Insufficient, ALL,          Unpaid),
    (Insufficient, Confirm, Settled,   Says::Conflict,           Insufficient, ALL,          Unpaid),
    (Insufficient, Cancel,  InTime,    Says::Cancelled,          Insufficient, ALL,          Unpaid),
    (Insufficient, Cancel,  Late,      Says::Cancelled,          Insufficient, ALL,          Unpaid),
    (Insufficient, Cancel,  Settled,   Says::Cancelled,          Insufficient, ALL,          Unpaid),

    (AlreadyPaid,  Reserve, InTime,    Says::AlreadyPaid,        AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Reserve, Late,      Says::AlreadyPaid,        AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Reserve, Settled,   Says::AlreadyPaid,        AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Confirm, InTime,    Says::Conflict,           AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Confirm, Late,      Says::Conflict,           AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Confirm, Settled,   Says::Conflict,           AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Cancel,  InTime,    Says::Cancelled,          AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Cancel,  Late,      Says::Cancelled,          AlreadyPaid,  ALL,          Direct),
    (AlreadyPaid,  Cancel,  Settled,   Says::Cancelled,          AlreadyPaid,  ALL,          Direct),

    (Newer,        Reserve, InTime,    Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Reserve, Late,      Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Reserve, Settled,   Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Reserve, Forgotten, Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Confirm, InTime,    Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Confirm, Late,      Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Confirm, Settled,   Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Confirm, Forgotten, Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Cancel,  InTime,    Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Cancel,  Late,      Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Cancel,  Settled,   Says::Newer,              Newer,        SOME_HELD,    Reserved),
    (Newer,        Cancel,  Forgotten, Says::Newer,              Newer,        SOME_HELD,    Reserved),
];

fn says(answer: &Answer) -> Option<Says> {
    Some(match answer {
        Answer::Held => Says::Held,
        Answer::Busy(Refusal::InsufficientCredit) => Says::Busy,
        Answer::Busy(Refusal::CheckoutAborted) => Says::OrderHeld,
        Answer::Expired => Says::Expired,
        Answer::Refused(Refusal::UnknownUser) => Says::UnknownUser,
        Answer::Refused(Refusal::InsufficientCredit) => Says::InsufficientCredit,
        Answer::Refused(Refusal::AlreadyPaid) => Says::AlreadyPaid,
        Answer::Cancelled => Says::Cancelled,
        Answer::Confirmed => Says::Confirmed,
        Answer::Gone => Says::Gone,
        Answer::Lost => Says::Lost,
        Answer::Conflict => Says::Conflict,
        Answer::Newer => Says::Newer,
        _ => return None,
    })
}

impl Record {
    /// Its text, and whether it is a tombstone.
    fn text(self, attempt: &Attempt, [user, payment]: [&str; 2]) -> Option<(String, bool)> {
        let (text, tombstone) = match self {
            Nothing => return None,
            Held | HeldAgain => (format!("1 HELD {} {user} {payment} 3 /", attempt.order), false),
            Newer => ("2 HELD and more that this release cannot read".to_owned(), false),
            Confirmed => ("1 CONFIRMED".to_owned(), true),
            Cancelled => ("1 CANCELLED".to_owned(), true),
            Unknown => ("1 UNKNOWN".to_owned(), true),
            Insufficient => ("1 INSUFFICIENT".to_owned(), true),
            AlreadyPaid => ("1 ALREADY_PAID".to_owned(), true),
        };
        Some((text, tombstone))
    }

    /// What is left of the credit, and how the order is paid, where this is on record.
    fn beside(self) -> (Left, Paid) {
        match self {
            Held | Newer => (SOME_HELD, Reserved),
            HeldAgain => (SOME_HELD, ReservedAgain),
            Confirmed => (SOME_CHARGED, Charged),
            AlreadyPaid => (ALL, Direct),
            _ => (ALL, Unpaid),
        }
    }
}

impl Paid {
    /// The fields of the payment's record; the life is that of a user and an order minted here.
    fn fields(self) -> Option<String> {
        let (state, by, charged, refunded, was) = match self {
            Unpaid => return None,
            Reserved => ("reserved", "checkout", 3, 0, None),
            ReservedAgain => ("reserved", "checkout", 3, 0, Some(4)),
            Charged => ("charged", "checkout", 3, 0, None),
            ChargedAgain => ("charged", "checkout", 3, 0, Some(4)),
            Direct => ("charged", "pay", 4, 0, None),
            GivenBack => ("cancelled", "pay", 4, 4, None),
        };
        let was = was.map_or(String::new(), |was| format!(" was={was}"));
        Some(format!("by={by} charged={charged} life=/ refunded={refunded} state={state}{was}"))
    }

    async fn write(self, payment: &TestPayment, key: &str) {
        let fields = self.fields().unwrap_or_default();
        let pairs = fields.split_whitespace().filter_map(|pair| pair.split_once('='));
        for (field, value) in pairs {
            payment.raw.tell(&["HSET", key, field, value]).await;
        }
    }
}

impl When {
    /// The deadline, in milliseconds. The margins are longer than a row takes.
    fn deadline_ms(self, now_ms: u64) -> u64 {
        match self {
            InTime => now_ms + 60_000,
            Late => now_ms - 10_000,
            Settled => now_ms - 60_001,
            Forgotten => now_ms - 70_001,
        }
    }
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let payment = TestPayment::start().await;
    for row in TABLE {
        let (record, step, when, expected, then, left, paid) = row;
        let user = payment.user_with(10).await;
        let mut attempt = payment.attempt(&user).await;
        attempt.deadline_ms = when.deadline_ms(payment.raw.now_ms().await);
        let keys = [payment.key(&user), payment.payment_key(&user, &attempt.order)];
        let keys = [keys[0].as_str(), keys[1].as_str()];
        let (name, held) = (attempt.record(), attempt.at.own_key("held"));
        let (deadline, end) = (attempt.deadline_ms.to_string(), attempt.deadline_ms + 70_000);
        let ([credit, held_first], paid_first) = record.beside();
        let fields = [credit.to_string(), held_first.to_string()];
        payment.raw.tell(&["HSET", keys[0], "credit", &fields[0], "held", &fields[1]]).await;
        paid_first.write(&payment, keys[1]).await;
        match record.text(&attempt, keys) {
            Some((text, true)) => payment.raw.tell(&["SET", &name, &text, "PXAT", &end.to_string()]).await,
            Some((text, false)) => {
                payment.raw.tell(&["SET", &name, &text]).await;
                payment.raw.tell(&["ZADD", &held, &deadline, attempt.tx.as_str()]).await;
            }
            None => {}
        }

        let answer = match step {
            Reserve => payment.reserve(&attempt, 3).await,
            Confirm => payment.confirm(&attempt).await,
            Cancel => payment.cancel(&attempt).await,
        };

        assert_eq!(says(&answer), Some(expected), "{row:?}");
        assert_eq!(payment.credit_and_held(&user).await, left, "{row:?}");
        assert_eq!(payment.raw.everything().await.get(keys[1]), paid.fields().as_ref(), "{row:?}");
        let wanted = then.text(&attempt, keys);
        let found = payment.raw.text(&name).await;
        assert_eq!(found, wanted.as_ref().map(|(text, _)| text.clone()), "{row:?}");
        let listed = payment.raw.moments(&held).await.contains_key(attempt.tx.as_str());
        assert_eq!(listed, matches!(then, Held | HeldAgain | Newer), "{row:?}: is it listed as held?");
        if let Some((_, tombstone)) = wanted {
            let expires = payment.raw.expires_ms(&name).await;
            assert_eq!(expires, tombstone.then_some(end), "{row:?}");
        }
    }
}

/// What a user has of which 3 are wanted, nothing being on record: credit, held, and the answer.
#[rustfmt::skip]
const SUPPLY: [(u64, u64, Says); 9] = [
    // credit  held  answer
    (0,        0,    Says::InsufficientCredit),
    (2,        0,    Says::InsufficientCredit),
    (3,        0,    Says::Held),
    (4,        0,    Says::Held),
    (0,        2,    Says::InsufficientCredit),
    (0,        3,    Says::Busy),
    (1,        2,    Says::Busy),
    (2,        9,    Says::Busy),
    (3,        9,    Says::Held),
];

#[actix_web::test]
async fn reserve_is_held_busy_or_insufficient_by_what_there_is() {
    let payment = TestPayment::start().await;
    for row in SUPPLY {
        let (credit, held, expected) = row;
        let user = payment.user_with(20).await;
        let (key, fields) = (payment.key(&user), [credit.to_string(), held.to_string()]);
        payment.raw.tell(&["HSET", &key, "credit", &fields[0], "held", &fields[1]]).await;
        let attempt = payment.attempt(&user).await;

        let answer = payment.reserve(&attempt, 3).await;

        assert_eq!(says(&answer), Some(expected), "{row:?}");
        let (taken, paid) = match expected {
            Says::Held => (3, Reserved),
            _ => (0, Unpaid),
        };
        assert_eq!(payment.credit_and_held(&user).await, [credit - taken, held + taken], "{row:?}");
        let record = payment.payment_key(&user, &attempt.order);
        assert_eq!(payment.raw.everything().await.get(&record), paid.fields().as_ref(), "{row:?}");
        let noted = payment.raw.text(&attempt.record()).await;
        assert_eq!(noted.is_some(), expected != Says::Busy, "{row:?}: busy is not final");
    }
}

/// What may be asked of the payment of an order outside its attempt.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// A reserve of another attempt.
    NewReserve,
    /// Pay the amount of the direct payment.
    Pay,
    /// Pay another amount.
    PayOther,
    CancelPayment,
    Status,
}

use Asked::{CancelPayment, NewReserve, Pay, PayOther, Status};

#[rustfmt::skip]
const PAYMENTS: [(Paid, Asked, &str, Paid); 34] = [
    // payment      asked          answer                  then
    (Unpaid,        NewReserve,    "held",                 Reserved),
    (Unpaid,        Pay,           "done",                 Direct),
    (Unpaid,        CancelPayment, "unknown payment",      Unpaid),
    (Unpaid,        Status,        "not paid",             Unpaid),

    (Reserved,      NewReserve,    "order held",           Reserved),
    (Reserved,      Pay,           "as the order says",    Reserved),
    (Reserved,      PayOther,      "as the order says",    Reserved),
    (Reserved,      CancelPayment, "as the order says",    Reserved),
    (Reserved,      Status,        "as the order says",    Reserved),

    (ReservedAgain, NewReserve,    "order held",           ReservedAgain),
    (ReservedAgain, Pay,           "as the order says",    ReservedAgain),
    (ReservedAgain, PayOther,      "as the order says",    ReservedAgain),
    (ReservedAgain, CancelPayment, "as the order says",    ReservedAgain),
    (ReservedAgain, Status,        "as the order says",    ReservedAgain),

    (Charged,       NewReserve,    "already paid",         Charged),
    (Charged,       Pay,           "already paid",         Charged),
    (Charged,       PayOther,      "already paid",         Charged),
    (Charged,       CancelPayment, "paid by checkout",     Charged),
    (Charged,       Status,        "paid",                 Charged),

    (ChargedAgain,  NewReserve,    "already paid",         ChargedAgain),
    (ChargedAgain,  Pay,           "already paid",         ChargedAgain),
    (ChargedAgain,  PayOther,      "already paid",         ChargedAgain),
    (ChargedAgain,  CancelPayment, "paid by checkout",     ChargedAgain),
    (ChargedAgain,  Status,        "paid",                 ChargedAgain),

    (Direct,        NewReserve,    "already paid",         Direct),
    (Direct,        Pay,           "done",                 Direct),
    (Direct,        PayOther,      "already paid",         Direct),
    (Direct,        CancelPayment, "done",                 GivenBack),
    (Direct,        Status,        "paid",                 Direct),

    (GivenBack,     NewReserve,    "held",                 ReservedAgain),
    (GivenBack,     Pay,           "already paid",         GivenBack),
    (GivenBack,     PayOther,      "already paid",         GivenBack),
    (GivenBack,     CancelPayment, "done",                 GivenBack),
    (GivenBack,     Status,        "not paid",             GivenBack),
];

fn said(result: &Result<(), PaymentError>) -> &'static str {
    match result {
        Ok(()) => "done",
        Err(PaymentError::UnknownPayment(_)) => "unknown payment",
        Err(PaymentError::Orders(_)) => "as the order says",
        Err(PaymentError::AlreadyPaid(_)) => "already paid",
        Err(PaymentError::OrderPaid(_)) => "paid by checkout",
        Err(other) => panic!("{other}"),
    }
}

#[actix_web::test]
async fn every_row_of_the_table_of_payments_holds() {
    let payment = TestPayment::start().await;
    // Nobody knows the orders, so asking about one fails: that tells where it is asked.
    payment.orders.fall_silent();
    for row in PAYMENTS {
        let (paid, asked, expected, then) = row;
        let user = payment.user_with(10).await;
        let attempt = payment.attempt(&user).await;
        let order = &attempt.order;
        let key = payment.payment_key(&user, order);
        paid.write(&payment, &key).await;

        let answer = match asked {
            NewReserve => match says(&payment.reserve(&attempt, 3).await) {
                Some(Says::Held) => "held",
                Some(Says::OrderHeld) => "order held",
                Some(Says::AlreadyPaid) => "already paid",
                other => panic!("{row:?}: {other:?}"),
            },
            Pay => said(&payment.pay(&user, order, 4).await),
            PayOther => said(&payment.pay(&user, order, 5).await),
            CancelPayment => said(&payment.cancel_payment(&user, order).await),
            Status => match payment.has_paid(&user, order).await {
                Ok(true) => "paid",
                Ok(false) => "not paid",
                Err(PaymentError::Orders(_)) => "as the order says",
                Err(other) => panic!("{row:?}: {other}"),
            },
        };

        assert_eq!(answer, expected, "{row:?}");
        assert_eq!(payment.raw.everything().await.get(&key), then.fields().as_ref(), "{row:?}");
        let credit = match (paid, then) {
            (Unpaid, Direct) => 6,
            (Direct, GivenBack) => 14,
            (Unpaid, Reserved) | (GivenBack, ReservedAgain) => 7,
            _ => 10,
        };
        assert_eq!(payment.purse(&user).await.credit, credit, "{row:?}");
    }
}
