//! `shop audit` on a system that was killed in the middle of checkouts: clean as it is, and each unit, amount, record
//! or entry that is lost or doubled is named.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};
use shardcart_harness::redis::record;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Data, Service, Settings, eventually, ids, lease_is_short};
use shardcart_test::auditor::Audit;

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

    /// The shard of an id.
    async fn shard(&self, service: Service, id: &str) -> MultiplexedConnection {
        self.data.shard(service, ids::shard(id)).await
    }

    /// Audits with something planted on the shard of an id, puts these keys back as they were, and checks what was said.
    async fn planted(
        &self,
        (service, id): (Service, &str),
        keys: &[&str],
        plant: impl AsyncFnOnce(&mut MultiplexedConnection),
        wanted: &[(&str, &str)],
    ) {
        let mut shard = self.shard(service, id).await;
        let mut before: Vec<Option<Vec<u8>>> = Vec::new();
        for key in keys {
            before.push(cmd("DUMP").arg(key).query_async(&mut shard).await.expect("a running Redis gives what it has"));
        }
        plant(&mut shard).await;
        let audit = Audit::of(&self.data).await;
        for (key, before) in keys.iter().zip(before) {
            let back = match before {
                Some(bytes) => cmd("RESTORE").arg(key).arg(0).arg(bytes).arg("REPLACE").exec_async(&mut shard).await,
                None => cmd("DEL").arg(key).exec_async(&mut shard).await,
            };
            back.expect("a running Redis takes back what it gave");
        }
        assert_eq!(audit.code, 1, "{wanted:?} was not found in {keys:?}: {}{}", audit.stdout, audit.stderr);
        let found: Found = audit.disagreements().into_iter().collect();
        let wanted: Found = wanted.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect();
        assert_eq!(found, wanted, "{keys:?}: {}", audit.stdout);
    }

    /// The same with a field of a record.
    async fn planted_field(&self, service: Service, key: &str, field: &str, value: &str, wanted: &[(&str, &str)]) {
        let plant = async |shard: &mut _| record::set(shard, key, &[(field, value)]).await;
        self.planted((service, id_of(key)), &[key], plant, wanted).await;
    }

    /// The same with a record as a later release would have written it.
    async fn planted_newer(&self, service: Service, key: &str, wanted: &[(&str, &str)]) {
        let plant = async |shard: &mut _| record::set_version(shard, key, 2).await;
        self.planted((service, id_of(key)), &[key], plant, wanted).await;
    }

    /// The same with a record that ends in the middle of a number, or behind its version.
    async fn planted_cut(&self, service: Service, key: &str, wanted: &[(&str, &str)]) {
        for last in [20, 0] {
            let plant = async |shard: &mut _| {
                let left: Vec<u8> =
                    cmd("GETRANGE").arg(key).arg(0).arg(last).query_async(shard).await.expect("a record");
                tell(shard, cmd("SET").arg(key).arg(left)).await;
            };
            self.planted((service, id_of(key)), &[key], plant, wanted).await;
        }
    }

    async fn tx_of(&self, order: &str) -> String {
        self.data.record(Service::Order, "order", order).await["tx"].clone()
    }
}

async fn tell(shard: &mut MultiplexedConnection, command: &Cmd) {
    command.exec_async(shard).await.expect("a running Redis takes it");
}

async fn rename(shard: &mut MultiplexedConnection, from: &str, to: &str) {
    tell(shard, cmd("RENAME").arg(from).arg(to)).await;
}

/// Whose a record is: the id that is first in its key's last part.
fn id_of(key: &str) -> &str {
    key.split(':').nth(2).expect("a record's key has three parts")
}

/// The key of `<kind>:<id>`, on the shard that the minted id names.
fn key(kind: &str, id: &str) -> String {
    let service = match kind {
        "item" => Service::Stock,
        "user" | "payment" => Service::Payment,
        _ => Service::Order,
    };
    ids::key(service, id, kind, id)
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
        for by in [1, -1] {
            for (field, wanted) in
                [(free, vec![(sum, id)]), ("net", vec![(sum, id)]), ("held", vec![(sum, id), (held, id)])]
            {
                let plant = async |shard: &mut _| record::add(shard, &key, field, by).await;
                frozen.planted((service, id), &[&key], plant, &wanted).await;
            }
        }
        // Only what is held says that something of it is.
        frozen.planted_field(service, &key, "held", "0", &[(sum, id), (held, id)]).await;
        frozen.planted_newer(service, &key, &[("not_understood", id)]).await;
        frozen.planted_field(service, &key, "held", "", &[("unreadable", id)]).await;
        frozen.planted_cut(service, &key, &[("unreadable", id)]).await;
    }
    // In several passes each is found once, wherever it belongs.
    for (service, id, kind, field) in [
        (Service::Stock, item, "item", "stock"),
        (Service::Payment, user, "user", "held"),
        (Service::Order, frozen.settled.as_str(), "order", "total"),
    ] {
        record::add(&mut frozen.shard(service, id).await, &key(kind, id), field, 1).await;
    }
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
    // Nothing says why the attempt of an open order was given up; and no attempt of the other ever began.
    let invalid = [settled, open].map(|order| ("invalid_field", order.as_str()));
    field(settled, "status", "open", &[units[0], units[1], ("charge_without_order", settled), invalid[0]]).await;
    field(open, "status", "paid", &[units[0], units[1], ("order_uncharged", open), invalid[1]]).await;
    field(open, "status", "pending", &[("order_not_in_flight", open), invalid[1]]).await;
    field(open, "status", "sold", &[("unreadable", open)]).await;
    frozen.planted_newer(Service::Order, &key("order", open), &[("not_understood", open)]).await;
    for order in [open, pending] {
        frozen.planted_cut(Service::Order, &key("order", order), &[("unreadable", order)]).await;
    }

    let (record, cart) = (key("order", settled), key("cart", settled));
    let line = async |item: &str, value: &str, wanted: &[(&str, &str)]| {
        let plant = async |shard: &mut _| tell(shard, cmd("HSET").arg(&cart).arg(item).arg(value)).await;
        frozen.planted((Service::Order, settled), &[&cart], plant, wanted).await;
    };
    line(&items[0], "3 10", &[units[0]]).await;
    line(&items[0], "1 10", &[units[0]]).await;
    line(&items[0], "2 11", &[("order_total", settled)]).await;
    line("ghost", "1 0", &[("item_unknown", "ghost")]).await;

    let aside = ["one", "two"].map(|key| ("unknown_key", key));
    let wanted = [units[0], units[1], ("charge_without_order", settled), aside[0], aside[1]];
    let plant = async |shard: &mut _| {
        rename(shard, &record, "one").await;
        rename(shard, &cart, "two").await;
    };
    frozen.planted((Service::Order, settled), &[&record, &cart, "one", "two"], plant, &wanted).await;

    // What recovery works from.
    let inflight = ids::own_key(Service::Order, ids::shard(pending), "inflight");
    let tx = frozen.tx_of(pending).await;
    let wanted = [("order_not_in_flight", pending.as_str()), ("reservation_without_order", &tx)];
    let plant = async |shard: &mut _| tell(shard, cmd("ZREM").arg(&inflight).arg(key("order", pending))).await;
    frozen.planted((Service::Order, pending), &[&inflight], plant, &wanted).await;
    let stray = ids::key(Service::Order, pending, "order", "stray");
    let plant = async |shard: &mut _| tell(shard, cmd("ZADD").arg(&inflight).arg(1).arg(&stray)).await;
    frozen.planted((Service::Order, pending), &[&inflight], plant, &[("stray_in_flight", "stray")]).await;
    Audit::of(&frozen.data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_lost_doubled_or_of_another_amount_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { user, settled, unsettled, open, .. } = &frozen;
    let payment = |order: &str| format!("{}:{order}", key("payment", user));
    let wrong = [("user_credit", user.as_str()), ("order_uncharged", settled)];

    let plant = async |shard: &mut _| rename(shard, &payment(settled), "aside").await;
    let wanted = [wrong[0], wrong[1], ("unknown_key", "aside")];
    frozen.planted((Service::Payment, user), &[&payment(settled), "aside"], plant, &wanted).await;
    for amount in [TOTAL - 1, TOTAL + 1, 2 * TOTAL] {
        let amount = amount.to_string();
        frozen.planted_field(Service::Payment, &payment(settled), "charged", &amount, &wrong).await;
    }
    let nowhere = format!("{}0000", &settled[..settled.len() - 4]);
    for order in [open, &nowhere] {
        let plant = async |shard: &mut _| tell(shard, cmd("COPY").arg(payment(settled)).arg(payment(order))).await;
        let wanted = [("user_credit", user.as_str()), ("charge_without_order", order)];
        frozen.planted((Service::Payment, user), &[&payment(order)], plant, &wanted).await;
    }
    frozen.planted_field(Service::Payment, &payment(settled), "by", "pay", &wrong).await;
    let mut wanted = wrong.to_vec();
    wanted.push(("payment_without_reservation", settled));
    frozen.planted_field(Service::Payment, &payment(settled), "state", "reserved", &wanted).await;
    let tx = frozen.tx_of(unsettled).await;
    let wanted = [("user_credit", user.as_str()), ("reservation_without_payment", &tx)];
    frozen.planted_field(Service::Payment, &payment(unsettled), "state", "charged", &wanted).await;
    let wanted = [("not_understood", settled.as_str()), ("user_credit", user)];
    frozen.planted_newer(Service::Payment, &payment(settled), &wanted).await;
    let wanted = [("unreadable", settled.as_str()), ("user_credit", user)];
    frozen.planted_cut(Service::Payment, &payment(settled), &wanted).await;
    Audit::of(&frozen.data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_lost_added_or_not_readable_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { data, items, unsettled, pending, open, .. } = &frozen;
    let item = items[0].as_str();
    let held = ids::own_key(Service::Stock, ids::shard(item), "held");
    let ended = ids::own_key(Service::Stock, ids::shard(item), "ended:1");
    for order in [unsettled, pending] {
        let tx = frozen.tx_of(order).await;
        let mut stock = frozen.shard(Service::Stock, item).await;
        let stored: Vec<u8> = cmd("HGET").arg(&held).arg(&tx).query_async(&mut stock).await.expect("a reservation");
        let item_key = key("item", item);
        let length = u8::try_from(item_key.len()).expect("keys are short");
        let units = (UNITS as f64).to_le_bytes();
        let (start, rest) = stored.split_at(10);
        assert_eq!(
            (&start[..2], rest),
            (&b"\x01u"[..], &[&[1, 0, length], item_key.as_bytes(), &units, order.as_bytes()].concat()[..])
        );
        let planted = async |commands: &[&Cmd], wanted: &[(&str, &str)]| {
            let plant = async |shard: &mut _| {
                for command in commands {
                    tell(shard, command).await;
                }
            };
            frozen.planted((Service::Stock, item), &[&held, &ended], plant, wanted).await;
        };
        // Of a paid order the units are neither held nor sold any more; a pending one has not taken them for good.
        let lost = |kind: Option<&'static str>| {
            let mut wanted = vec![("item_held", item)];
            wanted.extend(kind.map(|kind| (kind, tx.as_str())));
            if order == unsettled {
                wanted.push(("item_units", item));
            }
            wanted
        };
        let (gone, confirmed) = (Cmd::hdel(&held, &tx), Cmd::hset(&ended, &tx, "CONFIRMED"));
        planted(&[&gone], &lost(None)).await;
        // And a tombstone that would never end.
        let wanted = [lost(None), vec![("invalid_field", ended.as_str())]].concat();
        planted(&[&gone, &confirmed], &wanted).await;
        let newer = [&[2], &stored[1..]].concat();
        planted(&[&Cmd::hset(&held, &tx, newer)], &lost(Some("not_understood"))).await;
        for cut in [&stored[..30], &stored[..1], &[]] {
            planted(&[&Cmd::hset(&held, &tx, cut)], &lost(Some("unreadable"))).await;
        }
        planted(&[&Cmd::hset(&held, "none", "")], &[("unreadable", "none")]).await;

        let added = [&stored[..stored.len() - order.len()], open.as_bytes()].concat();
        let wanted = [("item_held", item), ("invalid_field", "added"), ("reservation_without_order", "added")];
        planted(&[&Cmd::hset(&held, "added", added)], &wanted).await;
    }
    Audit::of(data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_on_a_shard_that_does_not_own_its_id_is_named_with_its_key_and_shard() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { data, user, settled, .. } = &frozen;
    let payment_key = format!("{}:{settled}", key("payment", user));
    for (service, id, here, is_copy, wanted) in [
        (Service::Payment, user, &payment_key, false, vec![("order_uncharged", settled), ("user_credit", user)]),
        (Service::Payment, user, &payment_key, true, vec![]),
        (Service::Order, settled, &key("order", settled), true, vec![]),
        (Service::Order, settled, &key("cart", settled), true, vec![]),
    ] {
        let (home, other) = (ids::shard(id), 1 - ids::shard(id));
        let name = here.split_once("}:").expect("a key has a tag").1;
        let (mut from, mut to) = (data.shard(service, home).await, data.shard(service, other).await);
        let bytes: Vec<u8> = cmd("DUMP").arg(here).query_async(&mut from).await.expect("it is there");
        // On the other server under its own tag, or under the tag that it had.
        for there in [format!("{{{}}}:{name}", ids::tag(service, other)), here.clone()] {
            tell(&mut to, cmd("RESTORE").arg(&there).arg(0).arg(&bytes)).await;
            if !is_copy {
                tell(&mut from, cmd("DEL").arg(here)).await;
            }
            let audit = Audit::of(data).await;
            tell(&mut from, cmd("RESTORE").arg(here).arg(0).arg(&bytes).arg("REPLACE")).await;
            tell(&mut to, cmd("DEL").arg(&there)).await;

            let found: Found = audit.disagreements().into_iter().collect();
            let misplaced = [("misplaced", id)].into_iter().chain(wanted.iter().copied());
            let wanted: Found = misplaced.map(|(kind, id)| (kind.to_owned(), id.clone())).collect();
            assert_eq!(found, wanted, "{there}: {}", audit.stdout);
            let place = format!("{there} lies on {} shard {other}, ", service.program());
            assert!(audit.stdout.contains(&place), "{place}: {}", audit.stdout);
        }
    }
    Audit::of(data).await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_release_writes_in_a_field_is_named() {
    let Some(frozen) = Frozen::start().await else { return };
    let Frozen { data, user, items, settled, open, .. } = &frozen;
    let item = items[0].as_str();
    let payment = format!("{}:{settled}", key("payment", user));
    frozen.planted_field(Service::Stock, &key("item", item), "price", "", &[("invalid_field", item)]).await;
    frozen.planted_field(Service::Order, &key("order", open), "status", "", &[("unreadable", open)]).await;
    frozen.planted_field(Service::Payment, &payment, "refunded", "1", &[("invalid_field", settled)]).await;
    for (service, of) in [(Service::Stock, key("item", item)), (Service::Order, key("order", open))] {
        let plant = async |shard: &mut _| tell(shard, cmd("SETRANGE").arg(&of).arg(1).arg(&b"\x07"[..])).await;
        frozen.planted((service, id_of(&of)), &[&of], plant, &[("invalid_field", id_of(&of))]).await;
    }
    let record = key("order", open);
    let plant = async |shard: &mut _| tell(shard, cmd("DEL").arg(&record)).await;
    frozen.planted((Service::Order, open), &[&record], plant, &[("cart_without_order", open)]).await;
    let record = key("user", user);
    let plant = async |shard: &mut _| tell(shard, cmd("DEL").arg(&record)).await;
    let wanted = [("user_held", user.as_str()), ("user_unknown", user)];
    frozen.planted((Service::Payment, user), &[&record], plant, &wanted).await;
    Audit::of(data).await.clean();
}
