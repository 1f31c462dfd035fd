//! One pass over all shards: reads everything once, in an order that makes the bounds hold, and joins it.
//!
//! 1. Reservations, and whether their orders are paid: these units are sold, although stock does not say so yet.
//! 2. Items, and what is held of them: the least that orders must have bought.
//! 3. Orders: what they have bought.
//! 4. Users, payments, and users again.
//! 5. Reservations again: what is decided and not settled now. Then items again: the most that orders can have bought.
//!
//! Each of these may be read over some time, while the system works. `ARCHITECTURE.md` tells why the bounds hold.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;
use serde_json::json;
use shardcart_common::shard::{Shard, ShardError};
use shardcart_common::shards::Shards;
use shardcart_common::walk::{self, Key, Reservation};
use shardcart_order::audit::{self as orders, Found};
use shardcart_payment::audit::{self as payments, FoundPayment, FoundUser, Payment};
use shardcart_stock::audit::{self as stock, Found as FoundItem};

use super::findings::{Findings, Kind};
use super::ids::{Id, Names, Slice};
use super::items::Items;
use super::orders::{Orders, Suspect};
use super::progress::Progress;
use super::report::{ItemTotals, OrderTotals, PaymentTotals, UserTotals};
use super::reservations::{Held, Standings};
use super::source::Source;
use super::users::Users;
use super::{AuditError, shard_failed};

/// What all passes together have found.
#[derive(Debug, Default)]
pub struct Totals {
    /// Orders.
    pub orders: OrderTotals,
    /// Items.
    pub items: ItemTotals,
    /// Users.
    pub users: UserTotals,
    /// Payments.
    pub payments: PaymentTotals,
    /// What was held at the end.
    pub held: Vec<Held>,
}

/// A pass over the ids of one slice.
pub struct Pass<'a> {
    source: &'a Source,
    names: &'a Names,
    findings: &'a Findings,
    progress: &'a Progress,
    slice: Slice,
    totals: RefCell<&'a mut Totals>,
    items: RefCell<Items>,
    users: RefCell<Users>,
    orders: RefCell<Orders>,
}

type Done = Result<(), AuditError>;

impl<'a> Pass<'a> {
    /// A pass that has not begun.
    pub fn new(
        source: &'a Source,
        names: &'a Names,
        findings: &'a Findings,
        progress: &'a Progress,
        slice: Slice,
        totals: &'a mut Totals,
    ) -> Self {
        Pass {
            source,
            names,
            findings,
            progress,
            slice,
            totals: RefCell::new(totals),
            items: RefCell::default(),
            users: RefCell::default(),
            orders: RefCell::default(),
        }
    }

    /// Reads and joins everything; gives the orders and payments that have to be looked at again.
    ///
    /// # Errors
    /// A shard does not answer.
    pub async fn run(self) -> Result<Vec<Suspect>, AuditError> {
        self.progress.say("items");
        let first = self.stock_holdings(&[]).await?;
        let paid_first = Standings::ask(&self.source.order, &held_of(&first)).await?;
        let moving = self.open_items().await?;
        self.check_held_items(&paid_first, &moving).await?;
        if self.is_first() {
            self.check_records("stock", &self.source.stock).await?;
        }

        self.progress.say("orders");
        self.read_orders().await?;

        self.progress.say("payments");
        self.read_users(false).await?;
        let reserved = self.read_payments().await?;
        self.check_held_credit(&reserved).await?;
        if self.is_first() {
            self.check_records("payment", &self.source.payment).await?;
        }
        self.read_users(true).await?;
        self.missing_users().await?;

        self.progress.say("items again");
        let last = self.stock_holdings(&[]).await?;
        let held_last = held_of(&last);
        let paid_last = Standings::ask(&self.source.order, &held_last).await?;
        self.note_unsettled(&last, &paid_last);
        if self.is_first() {
            self.totals.borrow_mut().held.extend(held_last);
        }
        self.compare_items().await?;
        self.missing_items().await?;
        Ok(self.orders.into_inner().suspects())
    }

    /// What concerns no single id is done once.
    fn is_first(&self) -> bool {
        self.slice.part == 0
    }

    /// Whether a key lies where its id belongs; if not, that is noted.
    fn is_home(&self, shards: &Shards, shard: &Shard, key: Key<'_>, id: &str) -> bool {
        let home = shards.partition(id);
        if home == key.partition && home.shard() == shard.number() {
            return true;
        }
        let (service, found) = (shards.membership().service(), shard.number());
        let detail = format!("{key} lies on {service} shard {found}, and belongs on {}", home.shard());
        self.findings.add(Kind::Misplaced, id, format!("partition {}", home.0), key.to_string(), detail);
        false
    }

    fn odd_record(&self, kind: Kind, what: &str, id: &str, why: &str) {
        let expected = if kind == Kind::NotUnderstood { "version 1" } else { "a record" };
        self.findings.add(kind, id, expected, why, format!("{what}: {why}"));
    }

    // ---- stock

    async fn stock_holdings(&self, items: &[Vec<String>]) -> Result<Vec<StockHoldings>, AuditError> {
        try_join_all(self.source.stock.iter().map(|shard| async move {
            let number = shard.number();
            let items = items.get(usize::from(number)).map_or(&[][..], Vec::as_slice);
            let (reservations, items) = stock::holdings(shard, items).await.map_err(shard_failed("stock"))?;
            Ok(StockHoldings { shard: number, reservations, items })
        }))
        .await
    }

    /// First reading of the items; gives, by shard, the keys of those of which something is held.
    async fn open_items(&self) -> Result<Vec<Vec<String>>, AuditError> {
        let moving = RefCell::new(vec![Vec::new(); self.source.stock.iter().len()]);
        self.read_items(false, |shard, key, id, units| {
            self.items.borrow_mut().opened(id, units.gone());
            if units.held != 0 {
                moving.borrow_mut()[usize::from(shard)].push(key.to_owned());
            }
        })
        .await?;
        Ok(moving.into_inner())
    }

    async fn compare_items(&self) -> Done {
        self.read_items(true, |_, _, id, units| {
            let totals = &mut self.totals.borrow_mut().items;
            self.items.borrow_mut().compare(self.names, id, units, totals, self.findings);
        })
        .await
    }

    async fn read_items(&self, is_second: bool, each: impl Fn(u16, &str, Id, stock::Units)) -> Done {
        let each = &each;
        let shards = &*self.source.stock;
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| Key::parse(key).is_some_and(|key| self.slice.has(self.names.id(key.name))));
                if !keys.is_empty() {
                    for (key, found) in keys.iter().zip(stock::read(shard, &keys).await?) {
                        let Some(parsed) = Key::parse(key) else { continue };
                        let id = self.names.id(parsed.name);
                        match found {
                            FoundItem::Item(units) => each(shard.number(), key, id, units),
                            FoundItem::Absent => {}
                            FoundItem::Newer | FoundItem::Unreadable => self.items.borrow_mut().left_out(id),
                        }
                        if is_second {
                            self.check_item(shard, parsed, found);
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            stock::walk(shard, read).await
        }))
        .await
        .map_err(shard_failed("stock"))?;
        Ok(())
    }

    fn check_item(&self, shard: &Shard, key: Key<'_>, found: FoundItem) {
        self.is_home(&self.source.stock, shard, key, key.name);
        match found {
            FoundItem::Newer => self.odd_record(Kind::NotUnderstood, "item", key.name, "another version"),
            FoundItem::Unreadable => self.odd_record(Kind::Unreadable, "item", key.name, "no amounts"),
            FoundItem::Item(_) | FoundItem::Absent => {}
        }
    }

    /// Within each shard, at one moment: `held` of each item is what reservations hold of it.
    async fn check_held_items(&self, paid: &Standings, moving: &[Vec<String>]) -> Done {
        for holdings in self.stock_holdings(moving).await? {
            let mut held: HashMap<&str, i64> = HashMap::new();
            for reservation in &holdings.reservations {
                self.check_listed("stock", holdings.shard, reservation);
                let Some((_, lines)) = stock::lines(reservation) else { continue };
                for (key, units) in lines {
                    *held.entry(key).or_default() += units;
                    if paid.is_paid(&reservation.tx)
                        && let Some(key) = Key::parse(key)
                    {
                        self.items.borrow_mut().opened_unsettled(self.names.id(key.name), units);
                    }
                }
            }
            for (key, found) in &holdings.items {
                let Some(id) = Key::parse(key).map(|key| key.name).filter(|id| self.slice.has(self.names.id(id)))
                else {
                    continue;
                };
                let wanted = held.get(key.as_str()).copied().unwrap_or(0);
                let found = match found {
                    FoundItem::Item(units) => units.held,
                    FoundItem::Absent => 0,
                    FoundItem::Newer | FoundItem::Unreadable => continue,
                };
                if wanted != found {
                    let detail = format!("held {found}, but reservations hold {wanted}");
                    self.findings.add(Kind::ItemHeld, id, wanted, found, detail);
                }
            }
        }
        Ok(())
    }

    fn note_unsettled(&self, holdings: &[StockHoldings], paid: &Standings) {
        for reservation in holdings.iter().flat_map(|holdings| &holdings.reservations) {
            if !paid.may_be_paid(&reservation.tx) {
                continue;
            }
            for (key, units) in stock::lines(reservation).map_or(Vec::new(), |(_, lines)| lines) {
                if let Some(key) = Key::parse(key) {
                    self.items.borrow_mut().unsettled(self.names.id(key.name), units);
                }
            }
        }
    }

    async fn missing_items(&self) -> Done {
        let missing = self.items.borrow().missing();
        for (id, bought) in missing {
            let id = self.names.text(id);
            let partition = self.source.stock.partition(&id);
            let found = match self.source.stock.shard(partition.shard()) {
                Err(_) => FoundItem::Absent,
                Ok(shard) => {
                    let found =
                        stock::read(shard, &[partition.key("item", &id)]).await.map_err(shard_failed("stock"))?;
                    found.first().copied().unwrap_or(FoundItem::Absent)
                }
            };
            // One that came after the second reading began has not been bought before it.
            if found == FoundItem::Absent {
                let detail = format!("{bought} sold, and there is no such item");
                self.findings.add(Kind::ItemUnknown, &id, "an item", json!(null), detail);
            }
        }
        Ok(())
    }

    // ---- both participants

    /// An entry of `held` stands for a reservation that is held.
    fn check_listed(&self, service: &str, shard: u16, reservation: &Reservation) {
        if !self.is_first() {
            return;
        }
        let tx = &reservation.tx;
        match reservation.record.as_deref() {
            Some(record) if walk::held(record).is_some() => {}
            Some(record) if !record.starts_with("1 ") => {
                self.odd_record(Kind::NotUnderstood, &format!("reservation at {service} shard {shard}"), tx, record);
            }
            other => {
                let found = other.unwrap_or("no record");
                let detail = format!("listed as held at {service} shard {shard}, but its record is: {found}");
                self.findings.add(Kind::StrayHeld, tx, "a reservation", found, detail);
            }
        }
    }

    /// Each reservation that is held is listed, so that recovery and review find it.
    async fn check_records(&self, service: &'static str, shards: &Shards) -> Done {
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| Key::parse(key).is_some());
                if !keys.is_empty() {
                    for (key, (record, is_listed)) in keys.iter().zip(walk::records(shard, &keys).await?) {
                        let Some((tx, record)) = Key::parse(key).map(|key| key.name).zip(record) else { continue };
                        let number = shard.number();
                        if walk::held(&record).is_some() && !is_listed {
                            let detail = format!("held at {service} shard {number}, and not listed: {record}");
                            self.findings.add(Kind::ReservationNotListed, tx, "an entry in held", "none", detail);
                        } else if !record.starts_with("1 ") && !is_listed {
                            // One that is listed is reported with the list.
                            let what = format!("reservation at {service} shard {number}");
                            self.odd_record(Kind::NotUnderstood, &what, tx, &record);
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            walk::walk(shard, "{*}:tx:*", read).await
        }))
        .await
        .map_err(shard_failed(service))?;
        Ok(())
    }

    // ---- orders

    async fn read_orders(&self) -> Done {
        self.read_overwritten(false).await?;
        // Each order must be counted once, though it may be listed twice: a slice of orders is remembered at a time.
        for part in self.slice.all() {
            let others = RefCell::new(HashSet::new());
            let (others, shards) = (&others, &*self.source.order);
            try_join_all(shards.iter().map(|shard| async move {
                let read = |mut keys: Vec<String>| async move {
                    let all = keys.len();
                    keys.retain(|key| orders::id(key).is_some_and(|(_, id)| part.has(self.names.id(id))));
                    if !keys.is_empty() {
                        let ids: Vec<_> = keys.iter().filter_map(|key| orders::id(key)).collect();
                        for ((key, (_, id)), found) in keys.iter().zip(&ids).zip(orders::read(shard, &ids).await?) {
                            self.read_order(shard, key, id, &found, part, &mut others.borrow_mut());
                        }
                    }
                    self.progress.add(all);
                    Ok::<_, ShardError>(())
                };
                orders::walk(shard, read).await
            }))
            .await
            .map_err(shard_failed("order"))?;
        }
        self.read_overwritten(true).await
    }

    fn read_order(&self, shard: &Shard, key: &str, id: &str, found: &Found, part: Slice, others: &mut HashSet<Id>) {
        let is_mine = part == self.slice;
        let short = self.names.id(id);
        let record = match found {
            Found::Absent => return,
            Found::Order(record) => Some(record),
            Found::Newer | Found::Unreadable(_) => None,
        };
        let is_new =
            if is_mine { self.orders.borrow_mut().add(self.names, short, record) } else { others.insert(short) };
        if !is_new {
            return;
        }
        if let Some(record) = record.filter(|record| record.is_paid()) {
            let mut items = self.items.borrow_mut();
            for (item, units, _) in &record.lines {
                let item = self.names.id(item);
                if self.slice.has(item) {
                    items.bought(item, *units);
                }
            }
        }
        if !is_mine {
            return;
        }
        if let Some(key) = Key::parse(key) {
            self.is_home(&self.source.order, shard, key, id);
        }
        match found {
            Found::Absent => {}
            Found::Newer => self.odd_record(Kind::NotUnderstood, "order", id, "another version"),
            Found::Unreadable(why) => self.odd_record(Kind::Unreadable, "order", id, why),
            Found::Order(record) => {
                self.totals.borrow_mut().orders.add(&record.status);
                let sum = record.sum();
                if i128::from(record.total) != sum {
                    let detail = format!("total {}, but its cart adds up to {sum}", record.total);
                    self.findings.add(Kind::OrderTotal, id, json!(sum), json!(record.total), detail);
                }
                if !record.in_flight && matches!(record.status.as_str(), "pending" | "aborting") {
                    let detail = format!("{} with attempt {}, and not listed as in flight", record.status, record.tx);
                    self.findings.add(Kind::OrderNotInFlight, id, "in flight", "not listed", detail);
                }
            }
        }
    }

    /// What overwritten orders had bought: once before and once after the orders are read. What is more the second time
    /// belongs to orders that were overwritten meanwhile, and may have been counted before that, or not.
    async fn read_overwritten(&self, is_second: bool) -> Done {
        let read = try_join_all(self.source.order.iter().map(orders::overwritten)).await;
        let overwritten = read.map_err(shard_failed("order"))?;
        let mut items = self.items.borrow_mut();
        for (item, units) in overwritten.into_iter().flatten() {
            let id = self.names.id(&item);
            if self.slice.has(id) {
                if is_second { items.overwritten_after(id, units) } else { items.overwritten_before(id, units) }
            }
        }
        Ok(())
    }

    // ---- payment

    async fn read_users(&self, is_second: bool) -> Done {
        let shards = &*self.source.payment;
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| Key::parse(key).is_some_and(|key| self.slice.has(self.names.id(key.name))));
                if !keys.is_empty() {
                    for (key, found) in keys.iter().zip(payments::read_users(shard, &keys).await?) {
                        self.read_user(shard, key, &found, is_second);
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            payments::walk_users(shard, read).await
        }))
        .await
        .map_err(shard_failed("payment"))?;
        Ok(())
    }

    fn read_user(&self, shard: &Shard, key: &str, found: &FoundUser, is_second: bool) {
        let Some(key) = Key::parse(key) else { return };
        let id = self.names.id(key.name);
        let mut users = self.users.borrow_mut();
        match found {
            FoundUser::User(purse) if is_second => {
                let totals = &mut self.totals.borrow_mut().users;
                users.compare(self.names, id, purse, totals, self.findings);
            }
            FoundUser::User(purse) => users.opened(self.names, id, purse),
            FoundUser::Absent => {}
            FoundUser::Newer | FoundUser::Unreadable => users.left_out(id),
        }
        if is_second {
            self.is_home(&self.source.payment, shard, key, key.name);
            match found {
                FoundUser::Newer => self.odd_record(Kind::NotUnderstood, "user", key.name, "another version"),
                FoundUser::Unreadable => self.odd_record(Kind::Unreadable, "user", key.name, "no amounts"),
                FoundUser::User(_) | FoundUser::Absent => {}
            }
        }
    }

    /// Reads all payments; gives, by shard, the keys of those that are reserved.
    async fn read_payments(&self) -> Result<Vec<Vec<String>>, AuditError> {
        let shards = &*self.source.payment;
        let reserved = RefCell::new(vec![Vec::new(); shards.iter().len()]);
        let reserved_here = &reserved;
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| {
                    payments::user_and_order(key).is_some_and(|(user, order)| self.concerns(user, order))
                });
                if !keys.is_empty() {
                    for (key, found) in keys.iter().zip(payments::read_payments(shard, &keys).await?) {
                        if self.read_payment(key, &found) {
                            reserved_here.borrow_mut()[usize::from(shard.number())].push(key.clone());
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            payments::walk_payments(shard, read).await
        }))
        .await
        .map_err(shard_failed("payment"))?;
        Ok(reserved.into_inner())
    }

    fn concerns(&self, user: &str, order: &str) -> bool {
        self.slice.has(self.names.id(user)) || self.slice.has(self.names.id(order))
    }

    /// Takes a payment in; true if it is reserved.
    fn read_payment(&self, key: &str, found: &FoundPayment) -> bool {
        let Some((user, order)) = payments::user_and_order(key) else { return false };
        let (user_id, order_id) = (self.names.id(user), self.names.id(order));
        if let FoundPayment::Payment(payment) = found
            && payment.is_charged_by_checkout()
            && self.slice.has(order_id)
        {
            self.orders.borrow_mut().charged(self.names, order_id, (user, user_id), payment);
        }
        if !self.slice.has(user_id) || !self.users.borrow_mut().is_new(order_id.with(user_id)) {
            return false;
        }
        match found {
            FoundPayment::Absent => false,
            FoundPayment::Newer => {
                self.odd_record(Kind::NotUnderstood, &format!("payment of user {user}"), order, "another version");
                false
            }
            FoundPayment::Unreadable => {
                self.odd_record(Kind::Unreadable, &format!("payment of user {user}"), order, "no payment");
                false
            }
            FoundPayment::Payment(payment) => self.count_payment(user_id, payment),
        }
    }

    fn count_payment(&self, user: Id, payment: &Payment) -> bool {
        let totals = &mut self.totals.borrow_mut().payments;
        if payment.is_reserved() {
            totals.reserved += 1;
        } else if payment.state == "cancelled" {
            totals.cancelled += 1;
        } else if payment.by_checkout {
            totals.checkout += 1;
            self.users.borrow_mut().charged(self.names, user, &payment.user_life, payment.charged);
        } else {
            totals.direct += 1;
        }
        payment.is_reserved()
    }

    /// Within each shard, at one moment: `held` of each user is what reservations hold of it, each of these has a
    /// reserved payment of its amount, and each reserved payment a reservation.
    async fn check_held_credit(&self, reserved: &[Vec<String>]) -> Done {
        let held = try_join_all(self.source.payment.iter().map(|shard| async move {
            let number = shard.number();
            let besides = reserved.get(usize::from(number)).map_or(&[][..], Vec::as_slice);
            let holdings = payments::holdings(shard, besides).await.map_err(shard_failed("payment"))?;
            Ok::<_, AuditError>((number, holdings))
        }));
        for (shard, holdings) in held.await? {
            if self.is_first() {
                let held =
                    holdings.reservations.iter().filter_map(|reservation| Held::of("payment", shard, reservation));
                self.totals.borrow_mut().held.extend(held);
            }
            self.check_holdings(shard, &holdings);
        }
        Ok(())
    }

    fn check_holdings(&self, shard: u16, holdings: &payments::Holdings) {
        let found: HashMap<&str, &FoundPayment> =
            holdings.payments.iter().map(|(key, payment)| (key.as_str(), payment)).collect();
        let (mut held, mut named): (HashMap<&str, i64>, HashSet<&str>) = (HashMap::new(), HashSet::new());
        for reservation in &holdings.reservations {
            self.check_listed("payment", shard, reservation);
            let Some(reservation_of) = payments::held(reservation) else { continue };
            *held.entry(reservation_of.user).or_default() += reservation_of.amount;
            named.insert(reservation_of.payment);
            let is_right = match found.get(reservation_of.payment) {
                Some(FoundPayment::Payment(payment)) => {
                    payment.is_reserved()
                        && payment.by_checkout
                        && payment.charged == reservation_of.amount
                        && format!("{}/{}", payment.user_life, payment.order_life) == reservation_of.life
                }
                Some(FoundPayment::Newer | FoundPayment::Unreadable) => true,
                Some(FoundPayment::Absent) | None => false,
            };
            if !is_right && self.is_first() {
                let detail = format!("holds {} for {}", reservation_of.amount, reservation_of.payment);
                let found = format!("{:?}", found.get(reservation_of.payment));
                let expected = format!("{} reserved", reservation_of.amount);
                self.findings.add(Kind::ReservationWithoutPayment, &reservation.tx, expected, found, detail);
            }
        }
        for (key, user) in &holdings.users {
            let Some(id) = Key::parse(key).map(|key| key.name).filter(|id| self.slice.has(self.names.id(id))) else {
                continue;
            };
            let wanted = held.get(key.as_str()).copied().unwrap_or(0);
            let found = match user {
                FoundUser::User(purse) => purse.held,
                FoundUser::Absent => 0,
                FoundUser::Newer | FoundUser::Unreadable => continue,
            };
            if wanted != found {
                let detail = format!("held {found}, but reservations hold {wanted}");
                self.findings.add(Kind::UserHeld, id, wanted, found, detail);
            }
        }
        for (key, payment) in &holdings.payments {
            if let FoundPayment::Payment(payment) = payment
                && payment.is_reserved()
                && !named.contains(key.as_str())
                && let Some((user, order)) = payments::user_and_order(key)
            {
                let detail = format!("{} reserved of user {user}, and no reservation", payment.charged);
                self.findings.add(Kind::PaymentWithoutReservation, order, "a reservation", "none", detail);
            }
        }
    }

    async fn missing_users(&self) -> Done {
        let missing = self.users.borrow().missing();
        for (id, charged) in missing {
            let id = self.names.text(id);
            let partition = self.source.payment.partition(&id);
            let found = match self.source.payment.shard(partition.shard()) {
                Err(_) => FoundUser::Absent,
                Ok(shard) => {
                    let keys = [partition.key("user", &id)];
                    let mut found = payments::read_users(shard, &keys).await.map_err(shard_failed("payment"))?;
                    found.pop().unwrap_or(FoundUser::Absent)
                }
            };
            if found == FoundUser::Absent {
                let detail = format!("{charged} charged, and there is no such user");
                self.findings.add(Kind::UserUnknown, &id, "a user", json!(null), detail);
            }
        }
        Ok(())
    }
}

/// What one stock shard holds, with the items that this concerns.
struct StockHoldings {
    shard: u16,
    reservations: Vec<Reservation>,
    items: Vec<(String, FoundItem)>,
}

fn held_of(holdings: &[StockHoldings]) -> Vec<Held> {
    let of_shard = |holdings: &StockHoldings| {
        let shard = holdings.shard;
        let held = holdings.reservations.iter().filter_map(move |reservation| Held::of("stock", shard, reservation));
        held.collect::<Vec<_>>()
    };
    holdings.iter().flat_map(of_shard).collect()
}
