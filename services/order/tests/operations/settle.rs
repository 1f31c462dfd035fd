//! Settle: the participants are told what was decided, and the attempt ends when all of them have acknowledged it.

use std::collections::BTreeMap;

use shardcart_order::attempt::Attempt;
use shardcart_order::participants::{Part, Participants, Plan};
use shardcart_order::settling::Settlement;
use shardcart_protocol::participant::{Answer, Refusal, Step};
use shardcart_types::ids::{ItemId, TxId, now_ms};
use shardcart_types::routing;
use shardcart_types::service::Service;

use crate::support::{Scripted, TestOrders, order, user, willing};

async fn settlement(settling: &Participants, attempt: &Attempt, paid: bool) -> Settlement {
    let plan = settling.plan(attempt).await.expect("participants tell their topology");
    Settlement::of(attempt, paid, &plan)
}

async fn paid(orders: &TestOrders) -> Attempt {
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.decide(&attempt).await;
    attempt
}

async fn aborting(orders: &TestOrders) -> Attempt {
    let attempt = orders.begun(&orders.filled_order().await).await;
    orders.abort(&attempt, &Refusal::UnknownUser).await;
    attempt
}

#[actix_web::test]
async fn settle_confirms_a_paid_attempt_everywhere_and_ends_it() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let attempt = paid(&orders).await;

    settling.settle(&[settlement(&settling, &attempt, true).await]).await;

    for participant in [&stock, &payment] {
        assert_eq!(participant.asked(), [("confirm", attempt.tx.clone())]);
        assert_eq!(participant.operations()[0].deadline_ms, attempt.deadline_ms);
    }
    assert_eq!(orders.status(&attempt.order).await, "paid");
    assert_eq!(orders.due_ms(&attempt.order).await, None);
}

#[actix_web::test]
async fn settle_cancels_an_aborting_attempt_everywhere_and_opens_its_order() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let attempt = aborting(&orders).await;

    settling.settle(&[settlement(&settling, &attempt, false).await]).await;

    for participant in [&stock, &payment] {
        assert_eq!(participant.asked(), [("cancel", attempt.tx.clone())]);
    }
    assert_eq!(orders.status(&attempt.order).await, "open");
    assert_eq!(orders.due_ms(&attempt.order).await, None);
}

#[actix_web::test]
async fn settle_takes_gone_for_confirmed() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::new(|_| Answer::Gone), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let attempt = paid(&orders).await;
    settling.settle(&[settlement(&settling, &attempt, true).await]).await;
    assert_eq!(orders.due_ms(&attempt.order).await, None);
}

#[actix_web::test]
async fn settle_leaves_in_flight_what_one_participant_has_not_acknowledged() {
    let orders = TestOrders::start().await;
    for decided in [true, false] {
        let (answers, status) = if decided {
            let answers = [Answer::Unanswered, Answer::Lost, Answer::Conflict, Answer::Newer, Answer::Cancelled];
            (answers, "paid")
        } else {
            let answers = [Answer::Unanswered, Answer::Gone, Answer::Conflict, Answer::Newer, Answer::Confirmed];
            (answers, "aborting")
        };
        for answer in answers {
            for silent in [Service::Stock, Service::Payment] {
                let (told, other) = (answer.clone(), Scripted::willing());
                let unwilling = Scripted::new(move |_| told.clone());
                let settling = match silent {
                    Service::Stock => orders.settling(&unwilling, &other),
                    Service::Payment => orders.settling(&other, &unwilling),
                };
                let attempt = if decided { paid(&orders).await } else { aborting(&orders).await };

                let settled = settlement(&settling, &attempt, decided).await;
                settling.settle(std::slice::from_ref(&settled)).await;

                let told = format!("{status}: {silent} answers {answer:?}");
                assert_eq!(orders.status(&attempt.order).await, status, "{told}");
                assert!(orders.due_ms(&attempt.order).await.is_some(), "{told}");

                // Settled again, it is asked everywhere again.
                unwilling.answer(willing);
                settling.settle(&[settled]).await;
                assert_eq!(orders.due_ms(&attempt.order).await, None, "{told}");
                assert_eq!(other.asked_for(&attempt.tx).len(), 2, "{told}");
            }
        }
    }
}

#[actix_web::test]
async fn settle_together_goes_in_one_batch_and_one_failure_holds_up_no_other() {
    let orders = TestOrders::start().await;
    let mut attempts = Vec::new();
    for number in 0..20 {
        attempts.push(if number % 2 == 0 { paid(&orders).await } else { aborting(&orders).await });
    }
    let failing: Vec<TxId> = [4, 7].map(|number: usize| attempts[number].tx.clone()).to_vec();
    let stock = Scripted::new(
        move |operation| {
            if failing.contains(&operation.tx) { Answer::Unanswered } else { willing(operation) }
        },
    );
    let payment = Scripted::willing();
    let settling = orders.settling(&stock, &payment);
    let mut settlements = Vec::new();
    for (number, attempt) in attempts.iter().enumerate() {
        settlements.push(settlement(&settling, attempt, number % 2 == 0).await);
    }

    settling.settle(&settlements).await;

    assert_eq!((stock.batches(), payment.batches()), (1, 1));
    for (number, attempt) in attempts.iter().enumerate() {
        let in_flight = orders.due_ms(&attempt.order).await.is_some();
        assert_eq!(in_flight, [4, 7].contains(&number), "attempt {number}");
    }
}

#[actix_web::test]
async fn settle_of_an_attempt_that_is_over_does_not_end_the_next() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let old = aborting(&orders).await;
    let settled = [settlement(&settling, &old, false).await];
    settling.settle(&settled).await;
    let next = orders.begun(&old.order).await;
    orders.abort(&next, &Refusal::UnknownUser).await;

    settling.settle(&settled).await;

    assert_eq!(orders.status(&old.order).await, "aborting");
    assert!(orders.due_ms(&old.order).await.is_some());
}

#[actix_web::test]
async fn settle_asks_each_shard_that_the_cart_touches_and_the_users() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (
        Scripted::with_shards(3, |_, operation| willing(operation)),
        Scripted::with_shards(2, |_, operation| willing(operation)),
    );
    let settling = orders.settling(&stock, &payment);
    let order = orders.order().await;
    for line in 0..30_u64 {
        orders.add(&order, &line.to_string(), line + 1, 1).await;
    }
    let attempt = orders.begun(&order).await;

    let plan = settling.plan(&attempt).await.unwrap();

    let mut lines = BTreeMap::new();
    for part in &plan.stock {
        let reserve = Part::Stock(part).reserve(&attempt);
        let Step::ReserveStock { order: of, lines: some } = reserve else {
            panic!("{reserve:?}");
        };
        assert_eq!(of, order);
        let home = |item: &ItemId| routing::shard(item.as_str(), 3);
        assert!(some.iter().all(|(item, _)| home(item) == part.shard));
        lines.extend(some);
    }
    assert_eq!(plan.stock.len(), 3, "thirty items lie on all three shards");
    assert_eq!(lines.len(), 30);
    assert!(lines.iter().all(|(item, units)| item.as_str() == (units - 1).to_string()));
    assert_eq!(plan.payment.shard, routing::shard("u", 2));
    match Part::Payment(&plan.payment).reserve(&attempt) {
        Step::ReserveCredit { amount, user: of, .. } => assert_eq!((amount, of), (465, user("u"))),
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn settle_has_the_same_parts_in_whatever_order_the_lines_come() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::with_shards(3, |_, operation| willing(operation)), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let mut attempt = Attempt {
        order: order("o"),
        shard: 0,
        tx: TxId::mint(0, now_ms()),
        deadline_ms: 1,
        user: user("u"),
        total: 1,
        incarnation: String::new(),
        lines: (0..30).map(|line| (ItemId::parse(&line.to_string()).unwrap(), 1)).collect(),
    };
    let places = |plan: Plan| -> Vec<u16> { plan.parts().map(Part::shard).collect() };
    let first = places(settling.plan(&attempt).await.unwrap());
    for _ in 0..attempt.lines.len() {
        attempt.lines.rotate_left(1);
        assert_eq!(places(settling.plan(&attempt).await.unwrap()), first);
    }
}

#[actix_web::test]
async fn resolve_settles_what_its_coordinator_left_and_respects_its_lease() {
    let orders = TestOrders::start().await;
    let (stock, payment) = (Scripted::willing(), Scripted::willing());
    let settling = orders.settling(&stock, &payment);
    let live = orders.begun(&orders.filled_order().await).await;
    let late = orders.begun_late(&orders.filled_order().await).await;
    let committed = paid(&orders).await;
    orders.raw.wait_until_after(late.deadline_ms).await;

    for attempt in [&live, &late, &committed] {
        settling.resolve(&attempt.order).await.unwrap();
    }

    for participant in [&stock, &payment] {
        assert_eq!(participant.asked(), [("cancel", late.tx.clone()), ("confirm", committed.tx.clone())]);
    }
    assert_eq!(orders.status(&live.order).await, "pending");
    assert_eq!(orders.status(&late.order).await, "open");
    for attempt in [&late, &committed] {
        assert_eq!(orders.due_ms(&attempt.order).await, None);
    }
}
