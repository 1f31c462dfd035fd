//! Many operations in one call do what they do one after the other.

use shardcart_common::ids::{OrderId, TxId, UserId, now_ms};
use shardcart_common::participant::Operation;

use crate::support::{Attempt, TestPayment, order, user};

/// Credit of each user; the last but one is of a later release, the last does not exist.
const CREDIT: [u64; 4] = [0, 3, 40, 40];
const ORDERS: usize = 4;
const ATTEMPTS: usize = 16;
const ROUNDS: usize = 60;
const TOGETHER_MAX: usize = 30;

struct Wanted {
    attempt: Attempt,
    amount: u64,
}

impl Wanted {
    fn operation(&self, kind: usize) -> Operation {
        match kind {
            0 => self.attempt.reserve(self.amount),
            1 => self.attempt.confirm(),
            _ => self.attempt.cancel(),
        }
    }
}

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
        let key = payment.payment_key(&payer(2), &paid(place));
        let fields = ["state", state, "by", by, "charged", charged, "refunded", refunded, "life", life];
        payment.raw.tell(&[["HSET", &key].as_slice(), &fields].concat()).await;
    }
}

/// An attempt of some user on some order in one of its lives; now and then a late one, or of a user it cannot be of.
async fn wanted(payment: &TestPayment, random: &mut fastrand::Rng) -> Wanted {
    let usual = CREDIT.len() - 1;
    let user = payer(if random.usize(0..8) == 0 { usual + random.usize(0..=1) } else { random.usize(..usual) });
    let now = payment.raw.now_ms().await;
    let (at, amount) = (payment.partition(&user), random.u64(0..=4));
    // In time; late; or so late that it must have been settled before.
    let deadline_ms = [now - 1_000, now - 100_000, now + 600_000][random.usize(0..8).min(2)];
    let life = ["second", "first"][random.usize(0..4).min(1)].to_owned();
    let order = paid(random.usize(..ORDERS));
    Wanted { attempt: Attempt { at, tx: TxId::mint(at, now_ms()), deadline_ms, user, order, life }, amount }
}

#[actix_web::test]
async fn many_operations_together_do_what_they_do_one_after_the_other() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (together, apart) = (TestPayment::start().await, TestPayment::start().await);
    fill(&together).await;
    fill(&apart).await;
    let mut all = Vec::new();
    for _ in 0..ATTEMPTS {
        all.push(wanted(&together, &mut random).await);
    }
    for _ in 0..ROUNDS {
        let kind = random.usize(0..3);
        let count = random.usize(1..=TOGETHER_MAX);
        let operations: Vec<Operation> = (0..count).map(|_| all[random.usize(..all.len())].operation(kind)).collect();

        let answers = together.run_all(operations.clone()).await.unwrap();

        for (operation, answer) in operations.iter().zip(answers) {
            assert_eq!(apart.run_all(vec![operation.clone()]).await.unwrap(), [answer], "{operation:?}");
        }
        assert_eq!(together.raw.everything().await, apart.raw.everything().await, "{operations:#?}");
        // A settled attempt makes room for another.
        all[random.usize(..ATTEMPTS)] = wanted(&together, &mut random).await;
    }
}
