//! Whether all that clients were told is true, nothing is lost or made, and every order can go on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use shardcart_harness::data::{Amounts, Data};
use shardcart_harness::front::Front;
use shardcart_harness::systems::cluster::Cluster;
use shardcart_harness::wait::PAUSE;

use super::books::Books;
use super::orders::{Outcome, Placed, Told};
use super::people::{Kind, World};
use crate::auditor;

/// How soon after the last fault nothing may be in flight any more: the promise.
const SETTLED: Duration = Duration::from_secs(15);
/// How long is waited beyond that, to tell what is late from what is stuck.
const LATE: Duration = Duration::from_secs(45);
/// How long an order may take to be answered for certain when nothing is broken.
const DEFINITE: Duration = Duration::from_secs(60);
/// Orders that are checked out at a time in the end: few, so that each is fast even with a lease that is too short.
const ABREAST: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Orders that were placed.
    pub orders: usize,
    /// Those that are paid in the end.
    pub paid: usize,
    /// From the end of the last fault until nothing was in flight.
    pub settled_after: Duration,
    /// What is not as it was told, or does not add up.
    pub inconsistencies: Vec<String>,
    /// What is in flight for too long, or cannot be checked out.
    pub stuck: Vec<String>,
}

impl Verdict {
    /// Fails the test unless nothing was found.
    ///
    /// # Panics
    /// When something was.
    #[track_caller]
    pub fn is_clean(&self) {
        assert!(self.inconsistencies.is_empty() && self.stuck.is_empty(), "{self:#?}");
    }
}

/// Who looks at a system when its faults are over.
#[derive(Debug)]
pub struct Judge {
    gateway: Front,
    data: Data,
}

impl Judge {
    /// A judge of a cluster.
    pub fn of(cluster: &Cluster) -> Judge {
        Judge { gateway: cluster.front(), data: cluster.data() }
    }

    /// Looks at everything, when the last fault ended at `faults_ended` and no client is at work any more.
    pub async fn judge(&self, world: &World, mut placed: Vec<Placed>, faults_ended: Instant) -> Verdict {
        let mut verdict = Verdict { orders: placed.len(), ..Verdict::default() };
        self.settle(faults_ended, &mut verdict).await;
        let books = Books::read(&self.data, world, &placed).await;
        check(world, &placed, &books, &mut verdict.inconsistencies);
        verdict.inconsistencies.extend(auditor::findings(&self.data).await);

        self.go_on(world, &mut placed, &books, &mut verdict).await;
        self.settle(Instant::now(), &mut Verdict::default()).await;
        let books = Books::read(&self.data, world, &placed).await;
        check(world, &placed, &books, &mut verdict.inconsistencies);
        verdict.paid = placed.iter().filter(|placed| books.order(&placed.order, "status") == "paid").count();
        verdict
    }

    /// Waits until nothing is in flight.
    async fn settle(&self, since: Instant, verdict: &mut Verdict) {
        let mut late = false;
        loop {
            let found = match self.data.in_flight().await {
                Ok(found) => found,
                Err(error) => vec![format!("a shard does not answer: {error}")],
            };
            verdict.settled_after = since.elapsed();
            if found.is_empty() {
                return;
            }
            if !late && verdict.settled_after > SETTLED {
                late = true;
                verdict.stuck.push(format!("in flight {SETTLED:?} after the last fault: {found:?}"));
            }
            if verdict.settled_after > SETTLED + LATE {
                verdict.stuck.push(format!("still in flight after {:?}: {found:?}", verdict.settled_after));
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Checks out every order that is not paid: each gets an answer that the books bear out.
    async fn go_on(&self, world: &World, placed: &mut [Placed], books: &Books, verdict: &mut Verdict) {
        let unpaid = placed.iter_mut().filter(|placed| books.order(&placed.order, "status") != "paid");
        let asked = stream::iter(unpaid).map(async |placed| {
            self.check_out(placed).await;
            placed
        });
        let asked: Vec<&mut Placed> = asked.buffer_unordered(ABREAST).collect().await;
        let books =
            Books::read(&self.data, world, &asked.iter().map(|placed| (*placed).clone()).collect::<Vec<_>>()).await;
        for placed in asked {
            if !is_justified(placed, &books) {
                // Others' undecided attempts may have stood in its way: now there are none.
                self.check_out(placed).await;
                let books = Books::read(&self.data, world, std::slice::from_ref(placed)).await;
                if !is_justified(placed, &books) {
                    let last = placed.told.last().map(|told| &told.outcome);
                    verdict.stuck.push(format!("{} cannot be checked out: {last:?}", placed.order));
                }
            }
        }
    }

    async fn check_out(&self, placed: &mut Placed) {
        let start = Instant::now();
        while start.elapsed() < DEFINITE {
            let sent = Instant::now();
            let answer = self.gateway.try_checkout(&placed.order).await;
            let outcome = Outcome::of(&answer);
            let open = outcome.is_open();
            placed.told.push(Told { sent, heard: Instant::now(), outcome });
            if !open {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether the last answer to a checkout is definite, and what the books say too.
fn is_justified(placed: &Placed, books: &Books) -> bool {
    let all = |amounts: Option<&Amounts>| amounts.map_or(0, |amounts| amounts.free + amounts.held);
    match placed.told.last().map(|told| &told.outcome) {
        Some(Outcome::Paid) => true,
        Some(Outcome::Refused(code)) => match code.as_str() {
            "insufficient_stock" => placed.lines.iter().any(|(item, units)| all(books.items.get(item)) < *units),
            "insufficient_credit" => all(books.users.get(&placed.user)) < placed.total,
            "already_paid" => is_paid_directly(placed, books),
            _ => false,
        },
        _ => false,
    }
}

fn is_paid_directly(placed: &Placed, books: &Books) -> bool {
    books.payment(&placed.order, "by") == "pay" && books.payment(&placed.order, "state") == "charged"
}

/// Compares what was told with what is there, and adds up. Nothing may be in flight.
fn check(world: &World, placed: &[Placed], books: &Books, wrong: &mut Vec<String>) {
    let mut sold: BTreeMap<&str, u64> = BTreeMap::new();
    let mut charged: BTreeMap<&str, u64> = BTreeMap::new();
    for placed in placed {
        let paid = books.order(&placed.order, "status") == "paid";
        if paid {
            for (item, units) in &placed.lines {
                *sold.entry(item).or_default() += units;
            }
        }
        if paid || is_paid_directly(placed, books) {
            *charged.entry(&placed.user).or_default() += placed.total;
        }
        wrong.extend(lies(world, placed, books).into_iter().map(|lie| format!("{}: {lie}: {placed:?}", placed.order)));
    }
    for (item, stock, _) in &world.items {
        let (there, sold) = (books.items.get(item).copied().unwrap_or_default(), sold.get(item.as_str()).unwrap_or(&0));
        if there.held != 0 || there.free + sold != *stock {
            wrong.push(format!("item {item} had {stock}, sold {sold}, and has {there:?}"));
        }
    }
    for (user, credit) in &world.users {
        let there = books.users.get(user).copied().unwrap_or_default();
        let charged = charged.get(user.as_str()).unwrap_or(&0);
        if there.held != 0 || there.free + charged != *credit {
            wrong.push(format!("user {user} had {credit}, was charged {charged}, and has {there:?}"));
        }
    }
}

/// What is not true of one order.
fn lies(world: &World, placed: &Placed, books: &Books) -> Vec<String> {
    let mut lies = Vec::new();
    let status = books.order(&placed.order, "status");
    let (state, by) = (books.payment(&placed.order, "state"), books.payment(&placed.order, "by"));
    let (is_paid, amount) = (status == "paid", books.payment(&placed.order, "charged"));
    let mut holds = |is_true: bool, lie: String| {
        if !is_true {
            lies.push(lie);
        }
    };
    holds(matches!(status, "paid" | "open"), format!("its status is {status:?}"));
    holds(!is_paid || (state, by) == ("charged", "checkout"), format!("paid, and its payment is {state:?} by {by:?}"));
    holds(!is_paid || amount == placed.total.to_string(), format!("paid, and charged {amount:?}"));
    holds(is_paid || by != "checkout", format!("not paid, and its payment is {state:?} by a checkout"));

    let outcomes = || placed.told.iter().map(|told| &told.outcome);
    let definite = outcomes().all(|outcome| matches!(outcome, Outcome::Refused(_) | Outcome::Overloaded));
    holds(!is_paid || !definite, "paid, and every request was refused".to_owned());
    let first_paid = placed.told.iter().filter(|told| told.outcome == Outcome::Paid).map(|told| told.heard).min();
    holds(is_paid || first_paid.is_none(), "answered 200, and not paid".to_owned());
    for told in &placed.told {
        if let Outcome::Refused(code) = &told.outcome {
            let after = first_paid.is_some_and(|paid| told.sent > paid);
            holds(!after, format!("refused {code} after it had been answered 200"));
            holds(is_possible(world, placed, code), format!("refused {code}, which cannot be"));
        }
    }
    for outcome in &placed.paid_directly {
        match outcome {
            Outcome::Paid if !placed.given_back => {
                holds(
                    (state, by) == ("charged", "pay"),
                    format!("pay answered 200, and its payment is {state:?} by {by:?}"),
                );
            }
            Outcome::Refused(code) => holds(by != "pay", format!("pay was refused {code}, and it paid")),
            _ => {}
        }
    }
    lies
}

/// Whether a checkout of this order can be refused so, whatever others do and whatever is broken.
fn is_possible(world: &World, placed: &Placed, code: &str) -> bool {
    match code {
        "checkout_aborted" => true,
        "insufficient_stock" => {
            placed.lines.keys().any(|item| world.item(item).is_some_and(|(_, kind)| kind == Kind::Scarce))
        }
        "insufficient_credit" => world.users[world.rich..].iter().any(|(user, _)| *user == placed.user),
        "already_paid" => !placed.paid_directly.is_empty(),
        _ => false,
    }
}
