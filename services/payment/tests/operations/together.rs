//! Many operations in one call do what they do one after the other.

use shardcart_common::ids::{OrderId, TxId, UserId, now_ms};
use shardcart_common::participant::{Operation, Participant};

use crate::support::{Attempt, Raw, TestPayment, assert_alike, order, user};

/// Credit of each user: the usual ones, then one with hardly any and one of a later release. One more does not exist.
const CREDIT: [u64; 4] = [5_000, 5_000, 3, 40];
const USUAL: usize = 2;
/// Orders: the first few have been paid before or are wanted often; a paid one is of no more use.
const ORDERS: [usize; 2] = [8, 300];

fn payer(place: usize) -> UserId {
    user(&format!("user-{place}"))
}

fn paid(place: usize) -> OrderId {
    order(&format!("order-{place}"))
}

async fn fill(payment: &TestPayment) {
    for (place, credit) in CREDIT.into_iter().enumerate() {
        let (key, credit) = (payment.key(&payer(place)), credit.to_string());
        payment.raw.tell(&["HSET", &key, "credit", &credit, "held", "0", "net", &credit, "life", "now"]).await;
    }
    payment.make_newer(&payment.key(&payer(CREDIT.len() - 1))).await;
    // Payments that were there before: paid directly, given back, and charged by checkouts in lives before.
    let payments = [
        (0, ["charged", "pay", "2", "0", "now/first"]),
        (1, ["cancelled", "pay", "2", "2", "now/first"]),
        (2, ["charged", "checkout", "2", "0", "now/zeroth"]),
        (3, ["charged", "checkout", "2", "0", "before/first"]),
    ];
    for (place, [state, by, charged, refunded, life]) in payments {
        let key = payment.payment_key(&payer(0), &paid(place));
        let fields = ["state", state, "by", by, "charged", charged, "refunded", refunded, "life", life];
        payment.raw.tell(&[["HSET", &key].as_slice(), &fields].concat()).await;
    }
}

/// An attempt of some user on some order in one of its lives; now and then a late one, or of a user it cannot be of.
async fn wanted(payment: &TestPayment, random: &mut fastrand::Rng) -> [Operation; 3] {
    let user = payer(if random.usize(0..4) == 0 { random.usize(USUAL..=CREDIT.len()) } else { random.usize(..USUAL) });
    let now = payment.raw.now_ms().await;
    let (at, amount) = (payment.partition(&user), random.u64(0..=4));
    // In time; late; or so late that it must have been settled before.
    let deadline_ms = [now - 1_000, now - 100_000, now + 600_000][random.usize(0..8).min(2)];
    let life = ["second", "first"][random.usize(0..4).min(1)].to_owned();
    let orders = ORDERS[random.usize(0..2)];
    let order = paid(random.usize(..orders));
    let attempt = Attempt { at, tx: TxId::mint(at, now_ms()), deadline_ms, user, order, life };
    [attempt.reserve(amount), attempt.confirm(), attempt.cancel()]
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let (together, apart) = (TestPayment::start().await, TestPayment::start().await);
    fill(&together).await;
    fill(&apart).await;
    let stores: [(&dyn Participant, &Raw); 2] =
        [(&together.participant, &together.raw), (&apart.participant, &apart.raw)];
    assert_alike(stores, async |random| wanted(&together, random).await).await;
}
