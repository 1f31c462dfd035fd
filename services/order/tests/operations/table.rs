//! The table of an order's attempt, as the model makes it: what is on record, what is asked with whose tx, against the
//! answer and what is then on record.

use shardcart_model::order::{Ask, Order, Refusal as Refused, Reply, Status};
use shardcart_model::table::{self, Whose};
use shardcart_order::attempt::{self, Attempt, Begun, OrderState, TakenOver};
use shardcart_protocol::participant::Refusal;
use shardcart_types::ids::{OrderId, TxId, now_ms};

use crate::support::{TestOrders, under, user};

/// Why an attempt is given up that is given up now.
const REASON: Refusal = Refusal::InsufficientCredit;

fn refusal(refused: Refused) -> &'static str {
    match refused {
        Refused::None => "",
        Refused::Earlier => "unknown_user",
        Refused::StatusQuery => "insufficient_credit",
        Refused::TimedOut => "checkout_aborted",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Missing => "",
        Status::Open => "open",
        Status::Pending | Status::Newer => "pending",
        Status::Aborting => "aborting",
        Status::Paid => "paid",
    }
}

/// What an answer tells: the reply, and where it tells them, status, tx and refusal.
#[derive(Debug, PartialEq)]
struct Told {
    reply: Reply,
    stands: Option<(String, String, String)>,
}

impl Told {
    fn only(reply: Reply) -> Self {
        Told { reply, stands: None }
    }

    fn truth(truth: &OrderState) -> Self {
        let status = match truth.status {
            attempt::Status::Open => Status::Open,
            attempt::Status::Pending => Status::Pending,
            attempt::Status::Aborting => Status::Aborting,
            attempt::Status::Paid => Status::Paid,
            attempt::Status::Unknown => return Told::only(Reply::Unknown),
            attempt::Status::Newer => return Told::only(Reply::Newer),
        };
        let stands = (self::status(status).to_owned(), truth.tx.clone(), truth.refusal.clone());
        Told { reply: Reply::Stands, stands: Some(stands) }
    }
}

async fn write(orders: &TestOrders, record: Order, attempt: &Attempt, lease_over: bool) {
    let lease = if lease_over { 1 } else { attempt.deadline_ms };
    if record.in_flight {
        orders.set_due(&attempt.order, Some(lease)).await;
    }
    if record.status == Status::Missing {
        return;
    }
    let fields = [
        ("user", "u"),
        ("total", "0"),
        ("tx", attempt.tx.as_str()),
        ("deadline", &attempt.deadline_ms.to_string()),
        ("lease", &lease.to_string()),
        ("status", status(record.status)),
        ("refusal", refusal(record.refusal)),
    ];
    orders.set(&attempt.order, &fields).await;
    if record.status == Status::Newer {
        orders.make_newer(&attempt.order).await;
    }
}

async fn ask(orders: &TestOrders, ask: Ask, attempt: &Attempt) -> Told {
    let truth = match ask {
        Ask::Begin => match orders.begin(&attempt.order, &attempt.tx).await.expect("the shard answers") {
            Begun::Attempt(begun) => {
                assert_eq!(begun.tx, attempt.tx);
                return Told::only(Reply::Begun);
            }
            Begun::Moved { .. } => return Told::only(Reply::Moved),
            Begun::NotBegun(truth) => truth,
        },
        Ask::Decide => orders.decide(attempt).await,
        Ask::Abort => orders.abort(attempt, &REASON).await,
        Ask::Refuse => orders.refuse(attempt, &REASON).await,
        Ask::OrderStatus => orders.order_status(&attempt.order, Some(&attempt.tx)).await.0,
        Ask::Finish => orders.finish(attempt).await,
        // What is not handed out is told as nothing to do, whatever the reason.
        Ask::TakeOver { .. } => {
            return match orders.take_over(&attempt.order).await {
                TakenOver::Nothing => Told::only(Reply::Stands),
                TakenOver::Taken(taken) | TakenOver::Aborting(taken) => handed_out("aborting", &taken),
                TakenOver::Paid(taken) => handed_out("paid", &taken),
            };
        }
    };
    Told::truth(&truth)
}

fn handed_out(status: &str, taken: &Attempt) -> Told {
    Told { reply: Reply::HandedOut, stands: Some((status.to_owned(), taken.tx.to_string(), String::new())) }
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let orders = TestOrders::start().await;
    let shard = 0;
    for row in table::order() {
        let attempt = Attempt {
            order: OrderId::mint(shard, now_ms()),
            shard,
            tx: TxId::mint(shard, 1_000_000),
            deadline_ms: orders.raw.now_ms().await + 250_000,
            user: user("u"),
            total: 0,
            incarnation: String::new(),
            lines: Vec::new(),
        };
        let lease_over = row.ask == Ask::TakeOver { lease_over: true };
        write(&orders, row.order, &attempt, lease_over).await;
        let before = (orders.raw.everything().await, orders.bytes(&attempt.order).await);
        let asking = match row.whose {
            Whose::Own => attempt.clone(),
            Whose::Earlier => under(&attempt, &TxId::mint(shard, 999_999)),
            Whose::Later => under(&attempt, &TxId::mint(shard, 1_000_001)),
        };

        let told = ask(&orders, row.ask, &asking).await;

        let tx = if row.then.tx == row.order.tx { &attempt.tx } else { &asking.tx };
        let stands = |why: &str| Some((status(row.then.status).to_owned(), tx.to_string(), why.to_owned()));
        let is_take_over = matches!(row.ask, Ask::TakeOver { .. });
        let expected = match row.reply {
            Reply::HandedOut => Told { reply: row.reply, stands: stands("") },
            _ if is_take_over => Told::only(Reply::Stands),
            Reply::Stands => Told { reply: row.reply, stands: stands(refusal(row.then.refusal)) },
            reply => Told::only(reply),
        };
        assert_eq!(told, expected, "{row:?}");
        if row.then == row.order {
            assert_eq!((orders.raw.everything().await, orders.bytes(&attempt.order).await), before, "{row:?}");
        }
        let key = orders.key(&attempt.order);
        if row.then.status == Status::Newer {
            // So that its fields can be read.
            orders.raw.tell(&["SETRANGE", &key, "0", "\u{1}"]).await;
        }
        let found = orders.raw.record(&key).await;
        let field = |name: &str| found.get(name).map_or("", String::as_str);
        assert_eq!(field("status"), status(row.then.status), "{row:?}");
        assert_eq!(field("refusal"), refusal(row.then.refusal), "{row:?}");
        assert!(found.is_empty() || field("tx") == tx.as_str(), "{row:?}: {found:?}");
        assert_eq!(orders.due_ms(&attempt.order).await.is_some(), row.then.in_flight, "{row:?}");
        orders.raw.tell(&["FLUSHDB"]).await;
    }
}
