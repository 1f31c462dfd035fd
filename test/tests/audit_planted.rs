//! `shop audit` on a system that was killed in the middle of checkouts: clean as it is, and each unit, amount, record
//! or entry that is lost or doubled is named.

use std::collections::BTreeSet;
use std::time::Duration;

use shardcart_test::auditor::Audit;
use shardcart_test::shop::ShopOverRedis;
use shardcart_test::{Data, Service, Settings, eventually, ids, lease_is_short};

/// How soon what was decided must be settled.
const SETTLED: Duration = Duration::from_secs(20);
/// Units in each line of each order, and what each order costs.
const UNITS: u64 = 2;
const TOTAL: u64 = 20;

/// One order paid and settled, one paid and not settled, one pending, one open; nobody runs any more but Redis.
struct Frozen {
    system: ShopOverRedis,
    data: Data,
    user: String,
    /// One on each of the two shards; each order has a line of each.
    items: [String; 2],
    settled: String,
    unsettled: String,
    pending: String,
    open: String,
}

/// What is said of one place, in any order.
type Found = BTreeSet<(String, String)>;

impl Frozen {
    /// Nothing when the suite runs with a lease so short that nothing stays pending.
    async fn start() -> Option<Frozen> {
        if lease_is_short() {
            return None;
        }
        // Nobody settles but recovery, when the lease is over.
        let settings = Settings::none().with("SETTLE_LINGER_MS", 60_000).with("CHECKOUT_LEASE_MS", 4_000);
        let mut system = ShopOverRedis::start(2, &settings).await;
        let (front, data) = (system.front(), system.data());
        let user = front.user_with(1_000).await;
        let items: [String; 2] =
            front.items_on_all_shards(2, 1, 100, 5).await.try_into().expect("one item on each shard");
        let lines = items.each_ref().map(|item| (item.as_str(), UNITS));
        let settled = front.order_of(&user, &lines).await;
        front.checkout(&settled).await.ok();
        data.settled(SETTLED).await;

        let open = front.order_of(&user, &lines).await;
        let unsettled = front.order_of(&user, &lines).await;
        let pending = front.order_of(&user, &lines).await;
        front.checkout(&unsettled).await.ok();
        system.redis(Service::Payment, ids::shard(&user)).pause();
        let (client, name) = (front.clone(), pending.clone());
        let attempt = tokio::spawn(async move { client.try_checkout(&name).await });
        for item in &items {
            let both = 2 * UNITS;
            eventually("units are held", SETTLED, async || (data.units(item).await.held == both).then_some(())).await;
        }
        system.shop().process().kill9();
        system.redis(Service::Payment, ids::shard(&user)).resume();
        assert!(attempt.await.expect("the client does not panic").is_err(), "the shop was killed");
        Some(Frozen { data, user, items, settled, unsettled, pending, open, system })
    }

    /// Sends a command to the shard of an id. Its words are separated by `|`.
    async fn tell(&self, service: Service, id: &str, command: &str) {
        let mut words = command.split('|');
        let mut call = redis::cmd(words.next().unwrap_or_default());
        call.arg(words.collect::<Vec<_>>());
        let mut shard = self.data.shard(service, ids::shard(id)).await;
        let done: redis::RedisResult<redis::Value> = call.query_async(&mut shard).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// Audits with something planted on the shard of an id, undoes it, and checks what was said.
    async fn planted(&self, service: Service, id: &str, plant: &str, undo: &str, wanted: &[(&str, &str)]) {
        for command in plant.split(" && ") {
            self.tell(service, id, command).await;
        }
        let audit = Audit::of(&self.data).await;
        for command in undo.split(" && ") {
            self.tell(service, id, command).await;
        }
        assert_eq!(audit.code, 1, "{plant} was not found: {}{}", audit.stdout, audit.stderr);
        let found: Found = audit.disagreements().into_iter().collect();
        let wanted: Found = wanted.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect();
        assert_eq!(found, wanted, "{plant}: {}", audit.stdout);
    }

    /// The same with a field of a hash, which had another value or none.
    async fn planted_field(&self, service: Service, key: &str, field: &str, value: &str, wanted: &[(&str, &str)]) {
        let mut parts = key.splitn(3, ':').skip(1);
        let (kind, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let id = name.split(':').next().unwrap_or_default();
        let old = self.data.hash(service, kind, name).await.remove(field);
        let undo = old.map_or(format!("HDEL|{key}|{field}"), |old| format!("HSET|{key}|{field}|{old}"));
        self.planted(service, id, &format!("HSET|{key}|{field}|{value}"), &undo, wanted).await;
    }

    async fn tx_of(&self, order: &str) -> String {
        self.data.hash(Service::Order, "order", order).await["tx"].clone()
    }
}

/// The key of `<kind>:<id>`, by the partition in the minted id.
fn key(kind: &str, id: &str) -> String {
    format!("{{{}}}:{kind}:{id}", ids::partition(id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_was_frozen_in_the_middle_is_clean_and_exact() {
    let Some(mut frozen) = Frozen::start().await else { return };
    let report = Audit::of(&frozen.data).await.clean();
    assert_eq!(report["at_rest"], false, "{report}");
    for (path, value) in [
        ("/in_flight", 2),
        ("/orders/paid", 2),
        ("/orders/pending", 1),
        ("/orders/open", 1),
        ("/items/stock", 188),
        ("/items/held", 8),
        ("/items/sold", 4),
        ("/users/charged", 20),
        ("/width/units", 0),
        ("/width/credit", 0),
    ] {
        assert_eq!(report.pointer(path), Some(&value.into()), "{path} in {report}");
    }
    let passes = Audit::in_passes(&frozen.data).await.clean();
    assert!(passes["passes"].as_u64() > Some(1), "{passes}");
    for sums in ["items", "users", "orders", "payments", "held", "in_flight", "width"] {
        assert_eq!(passes[sums], report[sums], "{sums} in several passes");
    }
    // Two attempts at two stock shards; at payment the paid one, and perhaps the pending one.
    assert!(matches!(report["held"].as_u64(), Some(5 | 6)), "{report}");

    frozen.system.shop().start_again().await;
    frozen.data.settled(SETTLED).await;
    let report = Audit::of(&frozen.data).await.clean();
    assert_eq!((&report["at_rest"], &report["orders"]["paid"]), (&true.into(), &2.into()), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_or_an_amount_lost_or_doubled_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let (item, user) = (frozen.items[0].as_str(), frozen.user.as_str());
    for (service, id, key, free, sum, held) in [
        (Service::Stock, item, key("item", item), "stock", "item_units", "item_held"),
        (Service::Payment, user, key("user", user), "credit", "user_credit", "user_held"),
    ] {
        for (by, back) in [(1, -1), (-1, 1)] {
            for (field, wanted) in
                [(free, vec![(sum, id)]), ("net", vec![(sum, id)]), ("held", vec![(sum, id), (held, id)])]
            {
                let (plant, undo) = (format!("HINCRBY|{key}|{field}|{by}"), format!("HINCRBY|{key}|{field}|{back}"));
                frozen.planted(service, id, &plant, &undo, &wanted).await;
            }
        }
        frozen.planted_field(service, &key, "v", "2", &[("not_understood", id)]).await;
        frozen.planted_field(service, &key, "held", "many", &[("unreadable", id)]).await;
    }
    // In several passes each is found once, wherever it belongs.
    let (item_key, user_key, order) = (key("item", item), key("user", user), &frozen.settled);
    frozen.tell(Service::Stock, item, &format!("HINCRBY|{item_key}|stock|1")).await;
    frozen.tell(Service::Payment, user, &format!("HINCRBY|{user_key}|held|1")).await;
    frozen.tell(Service::Order, order, &format!("HINCRBY|{}|total|1", key("order", order))).await;
    let (once, passes) = (Audit::of(&frozen.data).await, Audit::in_passes(&frozen.data).await);
    assert_eq!(once.disagreements().len(), 5, "{}", once.stdout);
    assert_eq!(passes.json()["disagreements"], once.json()["disagreements"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_changed_by_hand_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { settled, open, pending, items, .. } = &frozen;
    let field = async |order: &str, field: &str, value: &str, wanted: &[(&str, &str)]| {
        frozen.planted_field(Service::Order, &key("order", order), field, value, wanted).await;
    };
    let units = items.each_ref().map(|item| ("item_units", item.as_str()));
    field(settled, "total", "21", &[("order_total", settled), ("order_uncharged", settled)]).await;
    field(settled, "status", "open", &[units[0], units[1], ("charge_without_order", settled)]).await;
    field(open, "status", "paid", &[units[0], units[1], ("order_uncharged", open)]).await;
    field(open, "status", "pending", &[("order_not_in_flight", open)]).await;
    field(open, "status", "sold", &[("unreadable", open)]).await;
    field(open, "v", "2", &[("not_understood", open)]).await;

    let line = async |item: &str, value: &str, wanted: &[(&str, &str)]| {
        frozen.planted_field(Service::Order, &key("cart", settled), item, value, wanted).await;
    };
    line(&items[0], "3 10", &[units[0]]).await;
    line(&items[0], "1 10", &[units[0]]).await;
    line(&items[0], "2 11", &[("order_total", settled)]).await;
    line("ghost", "1 0", &[("item_unknown", "ghost")]).await;

    let (record, cart) = (key("order", settled), key("cart", settled));
    let wanted = [units[0], units[1], ("charge_without_order", settled)];
    let plant = format!("RENAME|{record}|one && RENAME|{cart}|two");
    let undo = format!("RENAME|one|{record} && RENAME|two|{cart}");
    frozen.planted(Service::Order, settled, &plant, &undo, &wanted).await;

    // What recovery works from.
    let inflight = format!("{{{}}}:inflight", ids::partition(pending));
    let (plant, undo) = (format!("ZREM|{inflight}|{pending}"), format!("ZADD|{inflight}|1|{pending}"));
    let tx = frozen.tx_of(pending).await;
    let wanted = [("order_not_in_flight", pending.as_str()), ("reservation_without_order", &tx)];
    frozen.planted(Service::Order, pending, &plant, &undo, &wanted).await;
    let (plant, undo) = (format!("ZADD|{inflight}|1|stray"), format!("ZREM|{inflight}|stray"));
    frozen.planted(Service::Order, pending, &plant, &undo, &[("stray_in_flight", "stray")]).await;
    Audit::of(&frozen.data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_lost_doubled_or_of_another_amount_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { user, settled, unsettled, open, .. } = &frozen;
    let payment = |order: &str| format!("{}:{order}", key("payment", user));
    let wrong = [("user_credit", user.as_str()), ("order_uncharged", settled)];

    let (plant, undo) = (format!("RENAME|{}|aside", payment(settled)), format!("RENAME|aside|{}", payment(settled)));
    frozen.planted(Service::Payment, user, &plant, &undo, &wrong).await;
    for amount in [TOTAL - 1, TOTAL + 1, 2 * TOTAL] {
        let amount = amount.to_string();
        frozen.planted_field(Service::Payment, &payment(settled), "charged", &amount, &wrong).await;
    }
    let nowhere = format!("{}0000", &settled[..settled.len() - 4]);
    for order in [open, &nowhere] {
        let (plant, undo) =
            (format!("COPY|{}|{}", payment(settled), payment(order)), format!("DEL|{}", payment(order)));
        let wanted = [("user_credit", user.as_str()), ("charge_without_order", order)];
        frozen.planted(Service::Payment, user, &plant, &undo, &wanted).await;
    }
    frozen.planted_field(Service::Payment, &payment(settled), "by", "pay", &wrong).await;
    let mut wanted = wrong.to_vec();
    wanted.push(("payment_without_reservation", settled));
    frozen.planted_field(Service::Payment, &payment(settled), "state", "reserved", &wanted).await;
    let tx = frozen.tx_of(unsettled).await;
    let wanted = [("user_credit", user.as_str()), ("reservation_without_payment", &tx)];
    frozen.planted_field(Service::Payment, &payment(unsettled), "state", "charged", &wanted).await;
    let wanted = [("not_understood", settled.as_str()), ("user_credit", user)];
    frozen.planted_field(Service::Payment, &payment(settled), "v", "2", &wanted).await;
    Audit::of(&frozen.data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_lost_added_or_not_listed_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { data, items, unsettled, pending, open, .. } = &frozen;
    let item = items[0].as_str();
    for order in [unsettled, pending] {
        let tx = frozen.tx_of(order).await;
        let at = ids::partition(item);
        let (record, held) = (format!("{{{at}}}:tx:{tx}"), format!("{{{at}}}:held"));
        let text = format!("1 HELD {order} {} {UNITS}", key("item", item));
        let mut stock = data.shard(Service::Stock, ids::shard(item)).await;
        let stored: String = redis::cmd("GET").arg(&record).query_async(&mut stock).await.expect("a reservation");
        assert_eq!(stored, text);
        let planted = async |plant: &str, undo: &str, wanted: &[(&str, &str)]| {
            frozen.planted(Service::Stock, item, plant, undo, wanted).await;
        };
        // Of a paid order the units are neither held nor sold any more; a pending one has not taken them for good.
        let lost = |kind| {
            let mut wanted = vec![("item_held", item), (kind, tx.as_str())];
            if order == unsettled {
                wanted.push(("item_units", item));
            }
            wanted
        };
        let back = format!("SET|{record}|{text}");
        planted(&format!("DEL|{record}"), &back, &lost("stray_held")).await;
        planted(&format!("SET|{record}|1 CONFIRMED"), &back, &lost("stray_held")).await;
        planted(&format!("SET|{record}|2{}", &text[1..]), &back, &lost("not_understood")).await;
        let unlisted = lost("reservation_not_listed");
        planted(&format!("ZREM|{held}|{tx}"), &format!("ZADD|{held}|1|{tx}"), &unlisted).await;
        planted(&format!("ZADD|{held}|1|none"), &format!("ZREM|{held}|none"), &[("stray_held", "none")]).await;

        let added = format!("{{{at}}}:tx:added");
        let plant = format!("SET|{added}|{} && ZADD|{held}|1|added", text.replace(order.as_str(), open));
        let wanted = [("item_held", item), ("reservation_without_order", "added")];
        planted(&plant, &format!("DEL|{added} && ZREM|{held}|added"), &wanted).await;
    }
    Audit::of(data).await.clean();
}
