//! Many operations in one call do what they do one after the other.

use shardcart_protocol::participant::{Operation, Participant};
use shardcart_types::ids::{OrderId, UserId};

use crate::support::{Attempt, TestPayment, TestShards, assert_alike, order, some_deadline_ms, user};

/// Credit of each user: the usual ones, then one with hardly any and one of a later release. One more does not exist.
const CREDIT: [u64; 4] = [5_000, 5_000, 3, 40];
const USUAL: usize = 2;
const POOR: usize = 2;
/// Orders that there are, and how many are wanted at a time: a paid one is of no more use, so others take its place.
const ORDERS: usize = 240;
const WANTED: usize = 4;

fn payer(place: usize) -> UserId {
    user(&format!("user-{place}"))
}

fn paid(place: usize) -> OrderId {
    order(&format!("order-{place}"))
}

async fn fill(payment: &TestPayment) {
    for (place, credit) in CREDIT.into_iter().enumerate() {
        let (key, credit) = (payment.key(&payer(place)), credit.to_string());
        payment.raw.set(&key, &[("credit", &credit), ("held", "0"), ("net", &credit), ("incarnation", "now")]).await;
    }
    payment.raw.make_newer(&payment.key(&payer(CREDIT.len() - 1))).await;
    // Payments that were there before: paid directly, given back, and charged by checkouts in incarnations before.
    let payments = [
        ["charged", "pay", "2", "0", "now/first"],
        ["cancelled", "pay", "2", "2", "now/first"],
        ["cancelled", "pay", "3", "3", "now/first"],
        ["charged", "checkout", "2", "0", "now/zeroth"],
        ["charged", "checkout", "3", "0", "now/zeroth"],
        ["charged", "checkout", "2", "0", "before/first"],
    ];
    // As many have none.
    for place in (0..ORDERS).filter(|place| place % 12 < payments.len()) {
        let [state, by, charged, refunded, incarnation] = payments[place % 12];
        let key = payment.payment_key(&payer(place % USUAL), &paid(place));
        let numbers = [("charged", charged), ("refunded", refunded)];
        payment
            .raw
            .set(&key, &[numbers.as_slice(), &[("state", state), ("by", by), ("incarnation", incarnation)]].concat())
            .await;
    }
}

/// Now and then gives the poor user back what was charged.
async fn fund(stores: [&TestPayment; 2], random: &mut fastrand::Rng) {
    if random.usize(0..12) > 0 {
        return;
    }
    for payment in stores {
        let [credit, held] = payment.credit_and_held(&payer(POOR)).await;
        payment.add_funds(&payer(POOR), CREDIT[POOR].saturating_sub(credit + held)).await.expect("it is funded");
    }
}

/// An attempt of some user on some order in one of its incarnations; now and then a late one, or of a user it cannot be of. So
/// many were made before.
async fn wanted(payment: &TestPayment, random: &mut fastrand::Rng, made: usize) -> [Operation; 3] {
    let user = payer(match random.usize(0..8) {
        0 => random.usize(POOR + 1..=CREDIT.len()),
        1 | 2 => POOR,
        _ => random.usize(..USUAL),
    });
    let (at, amount) = (payment.tag(), random.u64(0..=5));
    let deadline_ms = some_deadline_ms(random, payment.raw.now_ms().await);
    let incarnation = ["second", "first"][random.usize(0..3).min(1)];
    let order = paid((made / WANTED + random.usize(..WANTED)) % ORDERS);
    let attempt = Attempt::new(user, at, order, incarnation, deadline_ms);
    [attempt.reserve(amount), attempt.confirm(), attempt.cancel()]
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let (together, apart) = (TestPayment::start().await, TestPayment::start().await);
    fill(&together).await;
    fill(&apart).await;
    let stores: [(&dyn Participant, &TestShards); 2] =
        [(&together.participant, &together), (&apart.participant, &apart)];
    let busy = ["Busy(InsufficientCredit", "Busy(CheckoutAborted"];
    let refused = ["Refused(InsufficientCredit", "Refused(AlreadyPaid", "Refused(UnknownUser"];
    let mut made = 0;
    assert_alike(stores, &[&busy[..], &refused].concat(), async |random| {
        fund([&together, &apart], random).await;
        made += 1;
        wanted(&together, random, made).await
    })
    .await;
}
