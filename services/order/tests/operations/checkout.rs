//! Checkout: the coordinator, with participants that answer as the test wants.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join, join_all};
use shardcart_harness::eventually;
use shardcart_http::gate::{Bodies, Contexts, Gate};
use shardcart_order::checkout::coordinator::Coordinator;
use shardcart_order::config::CheckoutSettings;
use shardcart_order::error::{OrderError, Result};
use shardcart_order::orders;
use shardcart_order::participants::Participants;
use shardcart_order::settling::Settlement;
use shardcart_order::settling::settler;
use shardcart_protocol::participant::{Answer, Batch, Participant, ParticipantError, Refusal, Step, Topology};
use shardcart_types::ids::{ItemId, OrderId, TxId, UserId};
use tokio::sync::mpsc;

use crate::support::{PATIENCE, Scripted, TestOrders, item, loads, order, willing};

struct Checkouts {
    coordinator: Rc<Coordinator>,
    decided: mpsc::Receiver<Settlement>,
}

/// Leases that do not end while a test runs.
fn settings() -> CheckoutSettings {
    CheckoutSettings {
        checkout_lease_ms: Duration::from_secs(60),
        checkout_deadline_ms: Duration::from_secs(120),
        checkout_wait_ms: Duration::from_secs(180),
        checkouts_max: 64,
        checkout_queue_ms: PATIENCE,
        busy_wait_ms: PATIENCE,
        settle_linger_ms: Duration::ZERO,
        slow_ms: Duration::from_secs(60),
        recovery_interval_ms: PATIENCE,
    }
}

impl Checkouts {
    fn new(settling: Rc<Participants>, settings: CheckoutSettings) -> Self {
        let (queue, decided) = settler::queue();
        Checkouts {
            coordinator: Coordinator::new(
                settling,
                settings,
                queue,
                Gate::new(100, Bodies::Read, Contexts::Named),
                Arc::default(),
            ),
            decided,
        }
    }

    async fn checkout(&self, order: &OrderId) -> Result<()> {
        self.coordinator.checkout(order.clone()).await
    }
}

fn refusal(result: Result<()>) -> Refusal {
    match result {
        Err(OrderError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn last_tx(orders: &TestOrders, order: &OrderId) -> TxId {
    TxId::parse(&orders.field(order, "tx").await).expect("an order keeps its last tx")
}

#[actix_web::test]
async fn checkout_of_what_everyone_holds_is_paid_and_left_to_be_settled() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let mut checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;

    checkouts.checkout(&order).await.unwrap();

    let tx = last_tx(&orders, &order).await;
    assert_eq!(orders.status(&order).await, "paid");
    assert!(orders.due_ms(&order).await.is_some());
    assert_eq!(stock.asked(), [("reserve", tx.clone())]);
    assert_eq!(payment.asked(), [("reserve", tx.clone())]);
    match (&stock.operations()[0].step, &payment.operations()[0].step) {
        (Step::ReserveStock { lines, .. }, Step::ReserveCredit { amount, .. }) => {
            let mut lines = lines.clone();
            lines.sort();
            assert_eq!(lines, [(item("a"), 2), (item("b"), 1)]);
            assert_eq!(*amount, 17);
        }
        other => panic!("{other:?}"),
    }
    let decided = checkouts.decided.try_recv().unwrap();
    assert_eq!((decided.order, decided.tx, decided.paid), (order, tx, true));
    assert_eq!(decided.parts.len(), 2);
}

#[actix_web::test]
async fn checkout_of_a_paid_order_is_paid_and_asks_nobody() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.decide(&attempt).await;
    for settled in [false, true] {
        if settled {
            orders.finish(&attempt).await;
        }
        checkouts.checkout(&attempt.order).await.unwrap();
    }
    assert!(stock.asked().is_empty() && payment.asked().is_empty());
}

#[actix_web::test]
async fn checkout_that_came_too_late_for_a_participant_is_cancelled_there() {
    let orders = TestOrders::start().await;
    // A clock that is set back would let a copy of the reserve hold: only a tombstone keeps it out.
    let stock = Scripted::new(|operation| match operation.step {
        Step::ReserveStock { .. } => Answer::Expired,
        _ => Answer::Cancelled,
    });
    let payment = Scripted::willing();
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;

    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::CheckoutAborted);

    let tx = last_tx(&orders, &order).await;
    assert_eq!(stock.asked_for(&tx), ["reserve", "cancel"]);
    assert!(payment.asked().is_empty());
    assert_eq!(orders.status(&order).await, "open");
}

#[actix_web::test]
async fn checkout_of_an_empty_cart_asks_the_user_all_the_same() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let empty = orders.order().await;
    checkouts.checkout(&empty).await.unwrap();
    assert!(stock.asked().is_empty());
    assert_eq!(payment.asked().len(), 1);

    payment.answer(|_| Answer::Refused(Refusal::UnknownUser));
    let other = orders.order().await;
    assert_eq!(refusal(checkouts.checkout(&other).await), Refusal::UnknownUser);
}

#[actix_web::test]
async fn checkout_refused_by_stock_never_asks_for_credit() {
    let orders = TestOrders::start().await;
    let short = Refusal::InsufficientStock(item("a"));
    let told = short.clone();
    let stock = Scripted::new(move |_| Answer::Refused(told.clone()));
    let payment = Scripted::willing();
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;

    assert_eq!(refusal(checkouts.checkout(&order).await), short);

    assert_eq!(stock.asked().len(), 1, "a final refusal needs no cancel");
    assert!(payment.asked().is_empty());
    assert_eq!(orders.status(&order).await, "open");
    assert_eq!(orders.due_ms(&order).await, None);
}

#[actix_web::test]
async fn checkout_refused_by_payment_gives_the_stock_back_before_it_answers() {
    let orders = TestOrders::start().await;
    let stock = Scripted::willing();
    let payment = Scripted::new(|_| Answer::Refused(Refusal::InsufficientCredit));
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;

    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::InsufficientCredit);

    let tx = last_tx(&orders, &order).await;
    assert_eq!(stock.asked(), [("reserve", tx.clone()), ("cancel", tx)]);
    assert_eq!(payment.asked().len(), 1);
    assert_eq!(orders.status(&order).await, "open");
    assert_eq!(orders.field(&order, "refusal").await, "insufficient_credit");
}

#[actix_web::test]
async fn checkout_repeated_after_a_refusal_is_a_new_attempt() {
    let orders = TestOrders::start().await;
    let stock = Scripted::willing();
    let payment = Scripted::new(|_| Answer::Refused(Refusal::InsufficientCredit));
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;
    refusal(checkouts.checkout(&order).await);
    let first = last_tx(&orders, &order).await;
    payment.answer(willing);

    checkouts.checkout(&order).await.unwrap();

    let second = last_tx(&orders, &order).await;
    assert!(second.minted_ms() > first.minted_ms());
    assert_eq!(payment.asked_for(&second), ["reserve"]);
}

#[actix_web::test]
async fn checkout_reports_an_unknown_item_before_too_little_stock_over_shards() {
    let orders = TestOrders::start().await;
    for unknown_on in [0, 1] {
        let stock = Scripted::with_shards(2, move |shard, operation| match &operation.step {
            Step::ReserveStock { lines, .. } if shard == unknown_on => {
                Answer::Refused(Refusal::UnknownItem(lines[0].0.clone()))
            }
            Step::ReserveStock { lines, .. } => Answer::Refused(Refusal::InsufficientStock(lines[0].0.clone())),
            _ => Answer::Cancelled,
        });
        let checkouts = Checkouts::new(orders.settling(&stock, &Scripted::willing()), settings());
        let order = orders.order().await;
        for line in 0..10_u64 {
            orders.add(&order, &line.to_string(), 1, 1).await;
        }
        let refused = refusal(checkouts.checkout(&order).await);
        assert!(matches!(refused, Refusal::UnknownItem(_)), "{refused:?}");
    }
}

#[actix_web::test]
async fn checkout_reports_what_is_certain_before_what_may_pass() {
    let orders = TestOrders::start().await;
    for passing in [Answer::Busy(Refusal::InsufficientStock(item("held"))), Answer::Unanswered] {
        let stock = Scripted::with_shards(2, move |shard, operation| match &operation.step {
            Step::ReserveStock { .. } if shard == 0 => passing.clone(),
            Step::ReserveStock { .. } => Answer::Refused(Refusal::InsufficientStock(item("short"))),
            _ => Answer::Cancelled,
        });
        let checkouts = Checkouts::new(orders.settling(&stock, &Scripted::willing()), settings());
        let order = orders.order().await;
        for line in 0..10_u64 {
            orders.add(&order, &line.to_string(), 1, 1).await;
        }
        assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::InsufficientStock(item("short")));
    }
}

#[actix_web::test]
async fn checkout_cancels_at_the_shard_that_held_when_another_refused() {
    let orders = TestOrders::start().await;
    let stock = Scripted::with_shards(2, |shard, operation| match &operation.step {
        Step::ReserveStock { lines, .. } if shard == 1 => {
            Answer::Refused(Refusal::InsufficientStock(lines[0].0.clone()))
        }
        _ => willing(operation),
    });
    let payment = Scripted::willing();
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.order().await;
    for line in 0..10_u64 {
        orders.add(&order, &line.to_string(), 1, 1).await;
    }

    refusal(checkouts.checkout(&order).await);

    assert_eq!(stock.cancelled_on(), [0]);
    assert!(payment.asked().is_empty());
    assert_eq!(orders.status(&order).await, "open");
}

#[actix_web::test]
async fn checkout_asks_again_where_only_others_stand_in_its_way_or_nobody_answers() {
    let orders = TestOrders::start().await;
    for answer in [Answer::Busy(Refusal::InsufficientStock(item("a"))), Answer::Unanswered] {
        let times = Cell::new(0);
        let stock = Scripted::new(move |operation| {
            times.set(times.get() + 1);
            if times.get() < 4 { answer.clone() } else { willing(operation) }
        });
        let payment = Scripted::willing();
        let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
        let order = orders.filled_order().await;

        checkouts.checkout(&order).await.unwrap();

        let tx = last_tx(&orders, &order).await;
        assert_eq!(stock.asked(), vec![("reserve", tx); 4]);
    }
}

#[actix_web::test]
async fn checkout_that_stays_busy_is_refused_and_cancelled_where_a_copy_may_come_late() {
    let orders = TestOrders::start().await;
    let short = Refusal::InsufficientStock(item("a"));
    let told = short.clone();
    let stock = Scripted::new(move |operation| match operation.step {
        Step::ReserveStock { .. } => Answer::Busy(told.clone()),
        _ => willing(operation),
    });
    let payment = Scripted::willing();
    let impatient = CheckoutSettings { busy_wait_ms: Duration::from_millis(20), ..settings() };
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), impatient);
    let order = orders.filled_order().await;

    assert_eq!(refusal(checkouts.checkout(&order).await), short);

    assert_eq!(stock.asked().last().map(|(word, _)| *word), Some("cancel"));
    assert!(payment.asked().is_empty());
    assert_eq!(orders.status(&order).await, "open");
}

#[actix_web::test]
async fn checkout_whose_cancels_are_not_acknowledged_is_aborted_and_left_to_recovery() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::new(|_| Answer::Unanswered));
    let impatient = CheckoutSettings { checkout_lease_ms: Duration::from_millis(100), ..settings() };
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), impatient);
    let order = orders.filled_order().await;

    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::CheckoutAborted);

    assert_eq!(orders.status(&order).await, "aborting");
    assert!(orders.due_ms(&order).await.is_some());
    let tx = last_tx(&orders, &order).await;
    assert_eq!(stock.asked_for(&tx), ["reserve", "cancel"]);
    assert!(payment.asked_for(&tx).contains(&"cancel"));
}

#[actix_web::test]
async fn checkout_of_what_nobody_can_have_made_is_refused_as_unknown_and_holds_nothing() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let (order, far) = (orders.filled_order().await, ItemId::mint(9, 1));
    orders.add(&order, far.as_str(), 1, 1).await;

    stock.knows(1, false);
    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::UnknownItem(far));
    // Another machine of stock may know the shard: that is no reason to say so.
    stock.knows(1, true);
    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::CheckoutAborted);
    assert!(stock.asked().is_empty() && payment.asked().is_empty());
    assert_eq!((orders.status(&order).await.as_str(), orders.due_ms(&order).await), ("open", None));

    let user = UserId::mint(9, 1);
    let order = orders::create(&orders.shards, &user, None).await.expect("an order is made").value;
    payment.knows(1, false);
    // One that has not asked payment yet.
    let checkouts = Checkouts::new(orders.settling(&Scripted::willing(), &payment), settings());
    assert_eq!(refusal(checkouts.checkout(&order).await), Refusal::UnknownUser);
    assert_eq!(refusal(checkouts.coordinator.check_user(&user).await), Refusal::UnknownUser);
    payment.knows(1, true);
    let unknown = checkouts.coordinator.check_user(&user).await;
    assert!(matches!(unknown, Err(OrderError::Participant(ParticipantError::BeyondList { .. }))), "{unknown:?}");

    let missing = checkouts.checkout(&OrderId::mint(9, 1)).await;
    assert!(matches!(missing, Err(OrderError::UnknownOrder(_))), "{missing:?}");
}

/// What becomes of an order while payment reserves, before its coordinator hears of a decision.
#[derive(Clone, Copy)]
enum Meanwhile {
    /// Recovery gives the attempt up.
    GivenUp,
    /// Recovery gives the attempt up, and another begins.
    Followed,
    /// A decide whose answer is lost pays it, it is settled, and a bulk load overwrites it.
    PaidAndLoaded,
    /// The same, and then it is removed.
    PaidLoadedAndRemoved,
}

/// A payment service that holds everything, while something becomes of the order.
struct Overtaken {
    orders: Rc<TestOrders>,
    order: OrderId,
    meanwhile: Meanwhile,
}

impl Overtaken {
    async fn happen(&self) {
        let (orders, order) = (&self.orders, &self.order);
        match self.meanwhile {
            Meanwhile::GivenUp => {
                orders.set(order, &[("status", "aborting"), ("refusal", "checkout_aborted")]).await;
            }
            Meanwhile::Followed => {
                let next = orders.later_tx(order).await;
                orders.set(order, &[("status", "pending"), ("tx", next.as_str())]).await;
            }
            Meanwhile::PaidAndLoaded | Meanwhile::PaidLoadedAndRemoved => {
                orders.set(order, &[("status", "paid")]).await;
                orders.set_due(order, None).await;
                orders::load(&orders.shards, &loads(), 1, 1, 1, 5).await.expect("nothing is in flight");
                if matches!(self.meanwhile, Meanwhile::PaidLoadedAndRemoved) {
                    orders::remove(&orders.shards, order, None).await.expect("the order is open");
                }
            }
        }
    }
}

impl Participant for Overtaken {
    fn run(&self, batch: Batch) -> LocalBoxFuture<'_, std::result::Result<Vec<Answer>, ParticipantError>> {
        async move {
            self.happen().await;
            Ok(batch.operations.iter().map(willing).collect())
        }
        .boxed_local()
    }

    fn topology(&self) -> LocalBoxFuture<'_, std::result::Result<Topology, ParticipantError>> {
        async { Ok(Topology { founding: 1, shards: 1 }) }.boxed_local()
    }

    fn may_have(&self, _: u16) -> LocalBoxFuture<'_, std::result::Result<bool, ParticipantError>> {
        async { Ok(true) }.boxed_local()
    }
}

/// A checkout of order `0`, which a bulk load wrote; and whether anything is left to be settled.
async fn overtaken_checkout(meanwhile: Meanwhile) -> (Rc<TestOrders>, Result<()>, bool) {
    let orders = Rc::new(TestOrders::start().await);
    orders::load(&orders.shards, &loads(), 1, 1, 1, 5).await.expect("nothing is in flight");
    let order = order("0");
    let payment = Overtaken { orders: Rc::clone(&orders), order: order.clone(), meanwhile };
    let settling = Participants::new(Arc::clone(&orders.shards), Scripted::willing(), Rc::new(payment));
    let mut checkouts = Checkouts::new(settling, settings());
    let outcome = checkouts.checkout(&order).await;
    let decided = checkouts.decided.try_recv().is_ok();
    (orders, outcome, decided)
}

#[actix_web::test]
async fn checkout_that_was_given_up_before_its_decision_is_never_paid() {
    let (orders, outcome, decided) = overtaken_checkout(Meanwhile::GivenUp).await;
    assert_eq!(refusal(outcome), Refusal::CheckoutAborted);
    let status = orders.status(&order("0")).await;
    assert!(["aborting", "open"].contains(&status.as_str()), "{status}");
    assert!(!decided, "nothing to confirm");
}

#[actix_web::test]
async fn checkout_that_was_given_up_and_followed_by_another_before_its_decision_is_refused() {
    let (orders, outcome, decided) = overtaken_checkout(Meanwhile::Followed).await;
    assert_eq!(refusal(outcome), Refusal::CheckoutAborted);
    assert_eq!(orders.status(&order("0")).await, "pending", "the other attempt is left alone");
    assert!(!decided, "nothing to confirm");
}

#[actix_web::test]
async fn checkout_whose_order_was_paid_and_overwritten_before_it_heard_of_it_is_unknown() {
    for meanwhile in [Meanwhile::PaidAndLoaded, Meanwhile::PaidLoadedAndRemoved] {
        let (_, outcome, decided) = overtaken_checkout(meanwhile).await;
        assert!(matches!(outcome, Err(OrderError::OutcomeUnknown)), "{outcome:?}");
        assert!(!decided, "nothing to confirm");
    }
}

#[actix_web::test]
async fn checkout_that_waits_for_an_order_that_is_removed_is_unknown() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let attempt = orders.begun(&orders.filled_order().await).await;
    let (key, before) = (orders.key(&attempt.order), calls(&orders).await);
    let end = async {
        // Its begin, and then each look of its wait.
        eventually("a checkout waits", PATIENCE, async || (calls(&orders).await >= before + 3).then_some(())).await;
        orders.raw.tell(&["DEL", &key]).await;
    };

    let (outcome, ()) = join(checkouts.checkout(&attempt.order), end).await;

    assert!(matches!(outcome, Err(OrderError::OutcomeUnknown)), "{outcome:?}");
}

/// How many scripts have run.
async fn calls(orders: &TestOrders) -> u64 {
    let stats: String = orders.raw.ask(&["INFO", "commandstats"]).await;
    let calls = stats.split("cmdstat_evalsha:calls=").nth(1);
    let calls = calls.and_then(|rest| rest.split(',').next()?.parse().ok());
    calls.expect("scripts have run")
}

#[actix_web::test]
async fn checkout_of_an_unknown_order_or_one_of_a_later_release_asks_nobody() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let newer = orders.filled_order().await;
    orders.make_newer(&newer).await;
    let before = orders.raw.everything().await;

    let unknown = checkouts.checkout(&order("17")).await;
    assert!(matches!(unknown, Err(OrderError::UnknownOrder(_))), "{unknown:?}");
    let unread = checkouts.checkout(&newer).await;
    assert!(matches!(unread, Err(OrderError::Newer(_))), "{unread:?}");

    assert!(stock.asked().is_empty() && payment.asked().is_empty());
    assert_eq!(orders.raw.everything().await, before);
}

#[actix_web::test]
async fn checkout_by_many_at_once_is_one_attempt_with_one_outcome() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    let order = orders.filled_order().await;

    let outcomes = join_all((0..20).map(|_| checkouts.checkout(&order))).await;

    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let tx = last_tx(&orders, &order).await;
    assert_eq!(stock.asked(), [("reserve", tx.clone())]);
    assert_eq!(payment.asked(), [("reserve", tx)]);
}

#[actix_web::test]
async fn checkout_waits_for_anothers_attempt_and_gives_its_outcome() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let checkouts = Checkouts::new(orders.settling(&stock, &payment), settings());
    for paid in [true, false] {
        let attempt = orders.begun(&orders.filled_order().await).await;
        let before = calls(&orders).await;
        let end = async {
            // Its begin, and then each look of its wait.
            eventually("a checkout waits", PATIENCE, async || (calls(&orders).await >= before + 3).then_some(())).await;
            if paid {
                orders.decide(&attempt).await;
            } else {
                orders.refuse(&attempt, &Refusal::UnknownUser).await;
            }
        };

        let (outcome, ()) = join(checkouts.checkout(&attempt.order), end).await;

        if paid {
            outcome.unwrap();
        } else {
            assert_eq!(refusal(outcome), Refusal::UnknownUser);
        }
    }
    assert!(stock.asked().is_empty() && payment.asked().is_empty());
}
