//! Many attempts in one call come to what they come to one after the other.

use std::collections::BTreeSet;

use fastrand::Rng;
use shardcart_order::attempt::{self, AttemptRef, Begun, OrderState};
use shardcart_protocol::participant::Refusal;
use shardcart_schema::record::{self, Found};
use shardcart_store::shard_error::ShardError;
use shardcart_types::ids::{OrderId, TxId};

use crate::support::{DEADLINE, LEASE, TestOrders, item, only_named, order};

const ORDERS: usize = 8;
/// At least so many; up to ten times as many, until every kind of answer was given.
const ROUNDS: usize = 300;
const TOGETHER_MAX: usize = 12;
/// So many of the last attempts are asked about, and those that orders have now.
const RECENT: usize = 12;

/// The same orders twice: on one shard many are asked about in a call, on the other one after the other.
struct Twins {
    together: TestOrders,
    apart: TestOrders,
    all: Vec<OrderId>,
    /// Every kind of answer that was given.
    seen: BTreeSet<String>,
}

/// What never changes of an order: user, total, incarnation.
fn lasting(place: usize) -> (String, String, String) {
    // Names of every length, and an incarnation for each other order.
    let user = "u".repeat([1, 64, 36, 1, 2, 64, 7, 9][place]);
    let incarnation = if place % 2 == 1 { format!("incarnation-{}", "l".repeat(place)) } else { String::new() };
    (user, (1000 + place).to_string(), incarnation)
}

fn refusals() -> [Refusal; 6] {
    [
        Refusal::UnknownUser,
        Refusal::CheckoutAborted,
        Refusal::AlreadyPaid,
        Refusal::InsufficientCredit,
        Refusal::UnknownItem(item("a")),
        Refusal::InsufficientStock(item(&"i".repeat(64))),
    ]
}

/// What was told, without the moments that two calls cannot have in common.
fn told(begun: &Begun) -> String {
    match begun {
        Begun::Attempt(attempt) => format!(
            "begun {} {} {} {} {} {:?} {:?}",
            attempt.tx, attempt.order, attempt.user, attempt.total, attempt.incarnation, attempt.shard, attempt.lines
        ),
        Begun::NotBegun(truth) => stands(truth),
        Begun::Moved { last_ms } => format!("moved {last_ms}"),
    }
}

fn stands(truth: &OrderState) -> String {
    format!("{:?} {} {}", truth.status, truth.tx, truth.refusal)
}

/// The answers to a call, one for each attempt.
fn each<T>(answers: Result<Vec<Result<T, ShardError>>, ShardError>, named: &[AttemptRef]) -> Vec<T> {
    let answers = answers.expect("the shard answers");
    assert_eq!(answers.len(), named.len(), "{named:#?}");
    answers.into_iter().map(|answer| answer.expect("an answer of the script")).collect()
}

impl Twins {
    /// Orders that are open, half of them after an attempt that was refused; the first is of a later release, the second
    /// does not exist.
    async fn start() -> Self {
        let (together, apart) = (TestOrders::start().await, TestOrders::start().await);
        let all: Vec<OrderId> = (0..ORDERS).map(|place| order(&format!("order-{place}"))).collect();
        let first = TxId::mint(together.shard_of(&all[0]), 1_000);
        for orders in [&together, &apart] {
            for (place, order) in all.iter().enumerate() {
                let (user, total, incarnation) = lasting(place);
                let refusal = if place < ORDERS / 2 { String::new() } else { refusals()[place - 2].to_record() };
                let fields = [("user", user), ("total", total), ("incarnation", incarnation), ("refusal", refusal)];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                orders.set(order, &[&fields[..], &[("status", "open"), ("tx", first.as_str())]].concat()).await;
                for line in 0..place {
                    let cart = orders.cart_key(order);
                    orders.raw.tell(&["HSET", &cart, &format!("item-{line}"), &format!("{} 10", place + line)]).await;
                }
            }
            orders.make_newer(&all[0]).await;
            orders.raw.tell(&["DEL", &orders.key(&all[1])]).await;
        }
        Twins { together, apart, all, seen: BTreeSet::new() }
    }

    async fn begin(&mut self, named: &[AttemptRef]) {
        let answers = attempt::begin(self.together.shard(), named, LEASE, DEADLINE).await;
        for (asked, answer) in named.iter().zip(each(answers, named)) {
            let alone = self.apart.begin(&asked.order, &asked.tx).await.expect("the shard answers");
            assert_eq!(told(&answer), told(&alone), "begin of {asked:?} in {named:#?}");
            self.note("begin", &told(&answer), asked);
        }
    }

    async fn decide(&mut self, named: &[AttemptRef]) {
        let answers = attempt::decide(self.together.shard(), named).await;
        for (asked, answer) in named.iter().zip(each(answers, named)) {
            let alone = self.apart.decide(&only_named(asked)).await;
            assert_eq!(stands(&answer), stands(&alone), "decide of {asked:?} in {named:#?}");
            self.note("decide", &stands(&answer), asked);
        }
    }

    async fn finish(&mut self, named: &[AttemptRef]) {
        let answers = attempt::finish(self.together.shard(), named).await;
        for (asked, answer) in named.iter().zip(each(answers, named)) {
            let alone = self.apart.finish(&only_named(asked)).await;
            assert_eq!(stands(&answer), stands(&alone), "finish of {asked:?} in {named:#?}");
            self.note("finish", &stands(&answer), asked);
        }
    }

    /// Attempts are given up, in two steps or in one, for some reason.
    async fn give_up(&mut self, named: &[AttemptRef], random: &mut Rng) {
        let refusals = refusals();
        let mut reason = || refusals[random.usize(..refusals.len())].clone();
        let refused: Vec<(AttemptRef, Refusal)> = named.iter().map(|named| (named.clone(), reason())).collect();
        if random.bool() {
            let answers = attempt::refuse(self.together.shard(), &refused).await;
            for ((asked, refusal), answer) in refused.iter().zip(each(answers, named)) {
                let alone = self.apart.refuse(&only_named(asked), refusal).await;
                assert_eq!(stands(&answer), stands(&alone), "refuse of {asked:?} in {refused:#?}");
                self.note("refuse", &stands(&answer), asked);
            }
        } else {
            for (named, refusal) in &refused {
                for orders in [&self.together, &self.apart] {
                    orders.abort(&only_named(named), refusal).await;
                }
            }
        }
    }

    /// Orders that were paid can be paid again, settled or not.
    async fn open_what_is_paid(&self) {
        for order in &self.all {
            if self.apart.status(order).await == "paid" {
                for orders in [&self.together, &self.apart] {
                    orders.set(order, &[("status", "open")]).await;
                    orders.set_due(order, None).await;
                }
            }
        }
    }

    /// The attempts that the usual orders have now, or had last.
    async fn current(&self) -> Vec<AttemptRef> {
        let mut current = Vec::new();
        for order in &self.all[2..] {
            let tx = TxId::parse(&self.apart.field(order, "tx").await).expect("a well-formed tx");
            current.push(AttemptRef { order: order.clone(), shard: self.apart.shard_of(order), tx });
        }
        current
    }

    fn note(&mut self, asked: &str, answer: &str, named: &AttemptRef) {
        let mut words = answer.split(' ');
        let kind = words.next().unwrap_or_default().to_lowercase();
        // Moved tells no tx, and where nothing can be read there is none.
        let is_plain = ["moved", "newer", "unknown"].contains(&kind.as_str());
        let whose = if is_plain || words.next() == Some(named.tx.as_str()) { "" } else { " by another" };
        self.seen.insert(format!("{asked} {kind}{whose}"));
    }

    /// Both shards have the same, byte by byte but for the moments, and of each order what it always had.
    async fn check(&self) {
        for (place, order) in self.all.iter().enumerate() {
            let mut found = Vec::new();
            for orders in [&self.together, &self.apart] {
                let due = orders.due_ms(order).await;
                let mut bytes = orders.bytes(order).await;
                if let Some(bytes) = &mut bytes {
                    if place > 0 {
                        check_record(place, bytes, due);
                    }
                    bytes[10..26].fill(0);
                }
                found.push((bytes, due.is_some()));
            }
            assert_eq!(found[0], found[1], "{order}");
            assert_eq!(found[0].0.is_none(), place == 1, "{order}");
            assert!(place > 1 || !found[0].1, "{order} is not in flight");
        }
    }
}

/// Reads a record past the scripts.
fn check_record(place: usize, bytes: &[u8], due: Option<u64>) {
    let Found::Record(order) = record::ORDER.read(Some(bytes)) else { panic!("{place}: {bytes:?}") };
    let (user, total, incarnation) = lasting(place);
    assert_eq!((order.text("user"), order.incarnation()), (user.as_str(), incarnation.as_str()), "{place}: {order:?}");
    assert_eq!(order.field("total"), Some(total), "{place}: {order:?}");
    assert_eq!(
        usize::from(bytes[1]),
        bytes.len() - incarnation.len(),
        "{place}: where the incarnation begins: {order:?}"
    );
    let status = order.text("status");
    assert!(["open", "pending", "aborting", "paid"].contains(&status), "{place}: {order:?}");
    assert!(status == "paid" || due.is_some() == (status != "open"), "{place}: in flight at {due:?}: {order:?}");
    if status == "pending" {
        assert_eq!(order.text("refusal"), "", "{place}: a new attempt has no refusal yet");
    }
    if let Some(due) = due {
        assert_eq!(order.amount("lease"), Some(due), "{place}: {order:?}");
        let later = DEADLINE - LEASE;
        assert_eq!(order.amount("deadline").map(u128::from), Some(u128::from(due) + later.as_millis()), "{place}");
    }
}

/// Every kind of answer that there is.
fn kinds() -> BTreeSet<String> {
    let always = ["aborting by another", "newer", "paid", "paid by another", "pending by another", "unknown"];
    let own = [
        ("begin", &["aborting", "begun", "moved", "open"][..]),
        ("decide", &["aborting", "open", "open by another"]),
        ("finish", &["open", "open by another", "pending"]),
        ("refuse", &["aborting", "open", "open by another"]),
    ];
    let kinds = own
        .into_iter()
        .flat_map(|(asked, own)| own.iter().copied().chain(always).map(move |kind| format!("{asked} {kind}")));
    kinds.collect()
}

/// Some of these attempts: in any order and several times, only those of an order that does not exist, or one alone.
fn some(known: &[AttemptRef], missing: &OrderId, random: &mut Rng) -> Vec<AttemptRef> {
    let odd: Vec<AttemptRef> = known.iter().filter(|named| named.order == *missing).cloned().collect();
    let one = [known[random.usize(..known.len())].clone()];
    let from = match random.usize(0..8) {
        0 if !odd.is_empty() => &odd,
        1 => &one[..],
        _ => known,
    };
    (0..random.usize(1..=TOGETHER_MAX)).map(|_| from[random.usize(..from.len())].clone()).collect()
}

#[actix_web::test]
async fn many_attempts_together_come_to_what_they_come_to_one_after_the_other() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let mut twins = Twins::start().await;
    let mut minted_ms = 2_000;
    let mut known: Vec<AttemptRef> = Vec::new();
    let expected = kinds();
    for round in 0..10 * ROUNDS {
        if round >= ROUNDS && twins.seen == expected {
            break;
        }
        for _ in 0..random.usize(1..=3) {
            minted_ms += random.u64(0..=1);
            // Some coordinators' clocks are behind.
            let ms = minted_ms - random.u64(0..=20);
            let order = twins.all[random.usize(..ORDERS)].clone();
            let shard = twins.together.shard_of(&order);
            known.push(AttemptRef { tx: TxId::mint(shard, ms), order, shard });
        }
        known.drain(..known.len().saturating_sub(RECENT));
        let asked_about = [known.as_slice(), &twins.current().await].concat();
        let named = some(&asked_about, &twins.all[1], &mut random);
        if random.u8(0..3) == 0 {
            twins.open_what_is_paid().await;
        }
        match random.usize(0..7) {
            0 | 1 => twins.begin(&named).await,
            2 => {
                twins.begin(&named).await;
                twins.check().await;
                twins.decide(&named).await;
            }
            3 => twins.decide(&named).await,
            4 | 5 => twins.finish(&named).await,
            _ => twins.give_up(&named, &mut random).await,
        }
        twins.check().await;
    }
    assert_eq!(twins.seen, expected);
}
