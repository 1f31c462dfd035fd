//! Many attempts in one call come to what they come to one after the other.

use shardcart_common::ids::{OrderId, TxId};
use shardcart_common::participant::Refusal;
use shardcart_order::attempt::{self, Begun, Named, Truth};

use crate::support::{DEADLINE, LEASE, TestOrders};

const ORDERS: usize = 5;
const ROUNDS: usize = 80;
const TOGETHER_MAX: usize = 12;

/// What was told, without the moments that two calls cannot have in common.
fn told(begun: &Begun) -> String {
    match begun {
        Begun::Attempt(attempt) => format!("begun {} {} {:?}", attempt.tx, attempt.total, attempt.lines),
        Begun::Standing(truth) => stands(truth),
        Begun::Moved { last_ms } => format!("moved {last_ms}"),
    }
}

fn stands(truth: &Truth) -> String {
    format!("{:?} {} {}", truth.status, truth.tx, truth.refusal)
}

/// Orders that are open; the first is of a later release, the second does not exist.
async fn fill(orders: &TestOrders, all: &[OrderId], life: &TxId) {
    for order in all {
        let key = orders.key(order);
        orders.raw.tell(&["HSET", &key, "user", "u", "status", "open", "tx", life.as_str(), "total", "12"]).await;
        orders.raw.tell(&["HSET", &orders.cart_key(order), "a", "2 10", "b", "1 2"]).await;
    }
    orders.make_newer(&all[0]).await;
    orders.raw.tell(&["DEL", &orders.key(&all[1])]).await;
}

async fn statuses(orders: &TestOrders, all: &[OrderId]) -> Vec<[String; 3]> {
    let mut found = Vec::new();
    for order in all {
        let in_flight = orders.due_ms(order).await.is_some();
        found.push([orders.status(order).await, orders.field(order, "refusal").await, in_flight.to_string()]);
    }
    found
}

#[actix_web::test]
async fn many_attempts_together_come_to_what_they_come_to_one_after_the_other() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (together, apart) = (TestOrders::start().await, TestOrders::start().await);
    let all: Vec<OrderId> =
        (0..ORDERS).map(|place| OrderId::parse(&format!("order-{place}")).expect("an id")).collect();
    let life = TxId::mint(together.partition(&all[0]), 1_000);
    for orders in [&together, &apart] {
        fill(orders, &all, &life).await;
    }
    let mut minted_ms = 2_000;
    let mut known: Vec<Named> = Vec::new();
    for _ in 0..ROUNDS {
        for _ in 0..random.usize(1..=3) {
            minted_ms += random.u64(0..=1);
            let order = all[random.usize(..all.len())].clone();
            let partition = together.partition(&order);
            known.push(Named { tx: TxId::mint(partition, minted_ms), order, partition });
        }
        let recent = known.len().saturating_sub(12);
        let named: Vec<Named> =
            (0..random.usize(1..=TOGETHER_MAX)).map(|_| known[random.usize(recent..known.len())].clone()).collect();
        match random.usize(0..5) {
            0 | 1 => {
                let answers = attempt::begin(together.shard(), &named, LEASE, DEADLINE).await.unwrap();
                for (named, answer) in named.iter().zip(answers) {
                    let alone = apart.begin(&named.order, &named.tx).await.unwrap();
                    assert_eq!(told(&answer.unwrap()), told(&alone), "{named:?}");
                }
            }
            2 => {
                let answers = attempt::decide(together.shard(), &named).await.unwrap();
                for (named, answer) in named.iter().zip(answers) {
                    let alone = attempt::decide(apart.shard(), std::slice::from_ref(named)).await.unwrap();
                    assert_eq!(stands(&answer.unwrap()), stands(alone[0].as_ref().unwrap()), "{named:?}");
                }
            }
            3 => {
                let answers = attempt::finish(together.shard(), &named).await.unwrap();
                for (named, answer) in named.iter().zip(answers) {
                    let alone = attempt::finish(apart.shard(), std::slice::from_ref(named)).await.unwrap();
                    assert_eq!(stands(&answer.unwrap()), stands(alone[0].as_ref().unwrap()), "{named:?}");
                }
            }
            _ => {
                // One gives up, and leaves a refusal; a paid order becomes another.
                for orders in [&together, &apart] {
                    for named in &named {
                        orders.give_up(named, &Refusal::UnknownUser).await;
                    }
                    let key = orders.key(&all[ORDERS - 1]);
                    orders.raw.tell(&["HSET", &key, "status", "open"]).await;
                }
            }
        }
        assert_eq!(statuses(&together, &all).await, statuses(&apart, &all).await, "{named:#?}");
    }
}
