//! The table of an order's attempt: what is on record, what is asked with whose tx, against the answer and what is then
//! on record.

use shardcart_common::ids::{OrderId, Partition, TxId, now_ms};
use shardcart_common::participant::Refusal;
use shardcart_order::attempt::{Attempt, Begun, Status, TakenOver, Truth};

use crate::support::{TestOrders, under, user};

/// What is on record of an order whose tx has been given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Missing,
    /// Its attempt was refused: the user is unknown.
    Open,
    /// Its lease is not over.
    Pending,
    /// Its lease is over.
    Late,
    /// It is being given up: the user is unknown.
    Aborting,
    Paid,
    /// Written by a later release.
    Newer,

    /// Begun for the tx that is asked with.
    BegunNow,
    /// Aborting, for the reason that is asked with.
    AbortedNow,
    /// Aborting, because nobody ended the attempt in time.
    TimedOut,
    /// Open, for the reason that is asked with.
    RefusedNow,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Begin,
    Decide,
    Abort,
    Refuse,
    Finish,
    Standing,
    TakeOver,
}

/// The tx that is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Earlier,
    Later,
    /// Take over names none.
    Any,
}

use Asked::{Abort, Begin, Decide, Finish, Refuse, Standing, TakeOver};
use Record::{AbortedNow, Aborting, BegunNow, Late, Missing, Newer, Open, Paid, Pending, RefusedNow, TimedOut};
use Whose::{Any, Earlier, Later, Own};

/// Why an attempt is given up that is given up now.
const REASON: Refusal = Refusal::InsufficientCredit;

#[rustfmt::skip]
const TABLE: [(Record, Asked, Whose, &str, Record, bool); 98] = [
    // on record asked   whose    answer      then on record in flight
    (Missing,  Begin,    Own,     "unknown",  Missing,    false),
    (Missing,  Begin,    Earlier, "unknown",  Missing,    false),
    (Missing,  Begin,    Later,   "unknown",  Missing,    false),
    (Missing,  Decide,   Own,     "unknown",  Missing,    false),
    (Missing,  Decide,   Later,   "unknown",  Missing,    false),
    (Missing,  Abort,    Own,     "unknown",  Missing,    false),
    (Missing,  Abort,    Later,   "unknown",  Missing,    false),
    (Missing,  Refuse,   Own,     "unknown",  Missing,    false),
    (Missing,  Refuse,   Later,   "unknown",  Missing,    false),
    (Missing,  Finish,   Own,     "unknown",  Missing,    false),
    (Missing,  Finish,   Later,   "unknown",  Missing,    false),
    (Missing,  Standing, Own,     "unknown",  Missing,    false),
    (Missing,  Standing, Later,   "unknown",  Missing,    false),
    (Missing,  TakeOver, Any,     "nothing",  Missing,    false),

    (Open,     Begin,    Own,     "open",     Open,       false),
    (Open,     Begin,    Earlier, "moved",    Open,       false),
    (Open,     Begin,    Later,   "begun",    BegunNow,   true),
    (Open,     Decide,   Own,     "open",     Open,       false),
    (Open,     Decide,   Later,   "open",     Open,       false),
    (Open,     Abort,    Own,     "open",     Open,       false),
    (Open,     Abort,    Later,   "open",     Open,       false),
    (Open,     Refuse,   Own,     "open",     Open,       false),
    (Open,     Refuse,   Later,   "open",     Open,       false),
    (Open,     Finish,   Own,     "open",     Open,       false),
    (Open,     Finish,   Later,   "open",     Open,       false),
    (Open,     Standing, Own,     "open",     Open,       false),
    (Open,     Standing, Later,   "open",     Open,       false),
    (Open,     TakeOver, Any,     "nothing",  Open,       false),

    (Pending,  Begin,    Own,     "begun",    Pending,    true),
    (Pending,  Begin,    Earlier, "pending",  Pending,    true),
    (Pending,  Begin,    Later,   "pending",  Pending,    true),
    (Pending,  Decide,   Own,     "paid",     Paid,       true),
    (Pending,  Decide,   Later,   "pending",  Pending,    true),
    (Pending,  Abort,    Own,     "aborting", AbortedNow, true),
    (Pending,  Abort,    Later,   "pending",  Pending,    true),
    (Pending,  Refuse,   Own,     "open",     RefusedNow, false),
    (Pending,  Refuse,   Later,   "pending",  Pending,    true),
    (Pending,  Finish,   Own,     "pending",  Pending,    true),
    (Pending,  Finish,   Later,   "pending",  Pending,    true),
    (Pending,  Standing, Own,     "pending",  Pending,    true),
    (Pending,  Standing, Later,   "pending",  Pending,    true),
    (Pending,  TakeOver, Any,     "nothing",  Pending,    true),

    (Late,     Begin,    Own,     "begun",    Late,       true),
    (Late,     Begin,    Earlier, "pending",  Late,       true),
    (Late,     Begin,    Later,   "pending",  Late,       true),
    (Late,     Decide,   Own,     "paid",     Paid,       true),
    (Late,     Decide,   Later,   "pending",  Late,       true),
    (Late,     Abort,    Own,     "aborting", AbortedNow, true),
    (Late,     Abort,    Later,   "pending",  Late,       true),
    (Late,     Refuse,   Own,     "open",     RefusedNow, false),
    (Late,     Refuse,   Later,   "pending",  Late,       true),
    (Late,     Finish,   Own,     "pending",  Late,       true),
    (Late,     Finish,   Later,   "pending",  Late,       true),
    (Late,     Standing, Own,     "pending",  Late,       true),
    (Late,     Standing, Later,   "pending",  Late,       true),
    (Late,     TakeOver, Any,     "aborting", TimedOut,   true),

    (Aborting, Begin,    Own,     "aborting", Aborting,   true),
    (Aborting, Begin,    Earlier, "aborting", Aborting,   true),
    (Aborting, Begin,    Later,   "aborting", Aborting,   true),
    (Aborting, Decide,   Own,     "aborting", Aborting,   true),
    (Aborting, Decide,   Later,   "aborting", Aborting,   true),
    (Aborting, Abort,    Own,     "aborting", Aborting,   true),
    (Aborting, Abort,    Later,   "aborting", Aborting,   true),
    (Aborting, Refuse,   Own,     "aborting", Aborting,   true),
    (Aborting, Refuse,   Later,   "aborting", Aborting,   true),
    (Aborting, Finish,   Own,     "open",     Open,       false),
    (Aborting, Finish,   Later,   "aborting", Aborting,   true),
    (Aborting, Standing, Own,     "aborting", Aborting,   true),
    (Aborting, Standing, Later,   "aborting", Aborting,   true),
    (Aborting, TakeOver, Any,     "aborting", Aborting,   true),

    (Paid,     Begin,    Own,     "paid",     Paid,       true),
    (Paid,     Begin,    Earlier, "paid",     Paid,       true),
    (Paid,     Begin,    Later,   "paid",     Paid,       true),
    (Paid,     Decide,   Own,     "paid",     Paid,       true),
    (Paid,     Decide,   Later,   "paid",     Paid,       true),
    (Paid,     Abort,    Own,     "paid",     Paid,       true),
    (Paid,     Abort,    Later,   "paid",     Paid,       true),
    (Paid,     Refuse,   Own,     "paid",     Paid,       true),
    (Paid,     Refuse,   Later,   "paid",     Paid,       true),
    (Paid,     Finish,   Own,     "paid",     Paid,       false),
    (Paid,     Finish,   Later,   "paid",     Paid,       true),
    (Paid,     Standing, Own,     "paid",     Paid,       true),
    (Paid,     Standing, Later,   "paid",     Paid,       true),
    (Paid,     TakeOver, Any,     "paid",     Paid,       true),

    (Newer,    Begin,    Own,     "newer",    Newer,      true),
    (Newer,    Begin,    Earlier, "newer",    Newer,      true),
    (Newer,    Begin,    Later,   "newer",    Newer,      true),
    (Newer,    Decide,   Own,     "newer",    Newer,      true),
    (Newer,    Decide,   Later,   "newer",    Newer,      true),
    (Newer,    Abort,    Own,     "newer",    Newer,      true),
    (Newer,    Abort,    Later,   "newer",    Newer,      true),
    (Newer,    Refuse,   Own,     "newer",    Newer,      true),
    (Newer,    Refuse,   Later,   "newer",    Newer,      true),
    (Newer,    Finish,   Own,     "newer",    Newer,      true),
    (Newer,    Finish,   Later,   "newer",    Newer,      true),
    (Newer,    Standing, Own,     "newer",    Newer,      true),
    (Newer,    Standing, Later,   "newer",    Newer,      true),
    (Newer,    TakeOver, Any,     "nothing",  Newer,      true),
];

impl Record {
    /// Status and refusal.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Missing => ("", ""),
            Open => ("open", "unknown_user"),
            Pending | Late | BegunNow | Newer => ("pending", ""),
            Aborting => ("aborting", "unknown_user"),
            Paid => ("paid", ""),
            AbortedNow => ("aborting", "insufficient_credit"),
            TimedOut => ("aborting", "checkout_aborted"),
            RefusedNow => ("open", "insufficient_credit"),
        }
    }

    fn is_in_flight(self) -> bool {
        matches!(self, Pending | Late | Aborting | Paid | Newer)
    }

    async fn write(self, orders: &TestOrders, attempt: &Attempt) {
        if self == Missing {
            return;
        }
        let (status, refusal) = self.fields();
        let lease = if self == Late { 1 } else { attempt.deadline_ms };
        let fields = [
            ("user", "u"),
            ("total", "0"),
            ("tx", attempt.tx.as_str()),
            ("deadline", &attempt.deadline_ms.to_string()),
            ("lease", &lease.to_string()),
            ("status", status),
            ("refusal", refusal),
        ];
        let key = orders.key(&attempt.order);
        for (field, value) in fields {
            orders.raw.tell(&["HSET", &key, field, value]).await;
        }
        if self == Newer {
            orders.make_newer(&attempt.order).await;
        }
        if self.is_in_flight() {
            orders.set_due(&attempt.order, Some(lease)).await;
        }
    }
}

fn status(truth: &Truth) -> &'static str {
    match truth.status {
        Status::Open => "open",
        Status::Pending => "pending",
        Status::Aborting => "aborting",
        Status::Paid => "paid",
        Status::Unknown => "unknown",
        Status::Newer => "newer",
    }
}

/// Asks, and gives the answer in a word.
async fn ask(orders: &TestOrders, asked: Asked, attempt: &Attempt) -> String {
    let truth = match asked {
        Begin => match orders.begin(&attempt.order, &attempt.tx).await.expect("the shard answers") {
            Begun::Attempt(begun) => {
                assert_eq!(begun.tx, attempt.tx);
                return "begun".to_owned();
            }
            Begun::Moved { .. } => return "moved".to_owned(),
            Begun::Standing(truth) => truth,
        },
        Decide => orders.decide(attempt).await,
        Abort => orders.abort(attempt, &REASON).await,
        Refuse => orders.refuse(attempt, &REASON).await,
        Finish => return orders.finish(attempt).await[0].to_lowercase(),
        Standing => orders.standing(&attempt.order, Some(&attempt.tx)).await.0,
        TakeOver => match orders.take_over(&attempt.order).await {
            TakenOver::Aborting(_) => return "aborting".to_owned(),
            TakenOver::Paid(_) => return "paid".to_owned(),
            TakenOver::Nothing => return "nothing".to_owned(),
        },
    };
    status(&truth).to_owned()
}

#[actix_web::test]
async fn every_row_of_the_table_holds() {
    let orders = TestOrders::start().await;
    let partition = Partition(7);
    for row in TABLE {
        let (record, asked, whose, expected, then, in_flight) = row;
        let mint = |ms| TxId::mint(partition, ms);
        let attempt = Attempt {
            order: OrderId::mint(partition, now_ms()),
            partition,
            tx: mint(1_000_000),
            deadline_ms: orders.raw.now_ms().await + 250_000,
            user: user("u"),
            total: 0,
            life: String::new(),
            lines: Vec::new(),
        };
        record.write(&orders, &attempt).await;
        let before = orders.raw.everything().await;
        let asking = match whose {
            Own | Any => attempt.clone(),
            Earlier => under(&attempt, &mint(999_999)),
            Later => under(&attempt, &mint(1_000_001)),
        };

        let answer = ask(&orders, asked, &asking).await;

        assert_eq!(answer, expected, "{row:?}");
        let found = orders.raw.hash(&orders.key(&attempt.order)).await;
        let field = |name: &str| found.get(name).map_or("", String::as_str);
        assert_eq!((field("status"), field("refusal")), then.fields(), "{row:?}");
        let tx = if then == BegunNow { &asking.tx } else { &attempt.tx };
        assert!(found.is_empty() || field("tx") == tx.as_str(), "{row:?}: {found:?}");
        let due = orders.due_ms(&attempt.order).await;
        assert_eq!(due.is_some(), in_flight, "{row:?}");
        if then == record && in_flight == record.is_in_flight() {
            assert_eq!(orders.raw.everything().await, before, "{row:?}");
        }
        orders.raw.tell(&["FLUSHDB"]).await;
    }
}
