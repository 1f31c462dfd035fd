//! Reading the payment shards: users, payments, and what is held of their credit.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use futures_util::future::try_join_all;
use serde_json::json;
use shardcart_payment::audit::{self as payments, FoundPayment, FoundUser, Owner, Payment};
use shardcart_schema::key;
use shardcart_schema::payment::PaymentState;
use shardcart_store::shard::Shard;

use super::super::findings::Kind;
use super::super::ids::Id;
use super::super::keys::home_id;
use super::super::reservations::Held;
use super::super::{AuditError, shard_failed};
use super::{Done, Pass};

impl Pass<'_> {
    pub(super) async fn read_users(&self, is_second: bool) -> Done {
        let shards = &*self.source.payment;
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| home_id(shards, shard, key).is_some_and(|id| self.slice.has(self.names.id(id))));
                if !keys.is_empty() {
                    for (key, bytes) in keys.iter().zip(payments::read(shard, &keys).await?) {
                        self.read_user(shard, key, bytes.as_deref(), is_second);
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            payments::scan_users(shard, read).await
        }))
        .await
        .map_err(shard_failed("payment"))?;
        Ok(())
    }

    fn read_user(&self, shard: &Shard, key: &str, bytes: Option<&[u8]>, is_second: bool) {
        let Some(name) = key::parse(key).map(|key| key.name) else { return };
        let (id, found) = (self.names.id(name), FoundUser::read(bytes));
        let mut users = self.users.borrow_mut();
        match &found {
            FoundUser::User(purse) if is_second => {
                let totals = &mut self.totals.borrow_mut().users;
                users.compare(self.names, id, purse, totals, self.findings);
                let user = Owner { id: name, shard: shard.number() };
                self.findings.faults("user", name, payments::user_faults(user, bytes));
            }
            FoundUser::User(purse) => users.opened(self.names, id, purse),
            FoundUser::Absent => {}
            FoundUser::Newer | FoundUser::Unreadable => users.left_out(id),
        }
        match found {
            FoundUser::Newer if is_second => self.odd_record(Kind::NotUnderstood, "user", name, "another version"),
            FoundUser::Unreadable if is_second => self.odd_record(Kind::Unreadable, "user", name, "no amounts"),
            _ => {}
        }
    }

    /// Reads all payments; gives, by shard, the keys of those that are reserved.
    pub(super) async fn read_payments(&self) -> Result<Vec<Vec<String>>, AuditError> {
        let shards = &*self.source.payment;
        let reserved = RefCell::new(vec![Vec::new(); shards.iter().len()]);
        let reserved_here = &reserved;
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| {
                    home_id(shards, shard, key).is_some()
                        && payments::user_and_order(key).is_some_and(|(user, order)| self.concerns(user, order))
                });
                if !keys.is_empty() {
                    for (key, bytes) in keys.iter().zip(payments::read(shard, &keys).await?) {
                        if self.read_payment(shard, key, bytes.as_deref()) {
                            reserved_here.borrow_mut()[usize::from(shard.number())].push(key.clone());
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            payments::scan_payments(shard, read).await
        }))
        .await
        .map_err(shard_failed("payment"))?;
        Ok(reserved.into_inner())
    }

    fn concerns(&self, user: &str, order: &str) -> bool {
        self.slice.has(self.names.id(user)) || self.slice.has(self.names.id(order))
    }

    /// Takes a payment in; true if it is reserved.
    fn read_payment(&self, shard: &Shard, key: &str, bytes: Option<&[u8]>) -> bool {
        let Some((user, order)) = payments::user_and_order(key) else { return false };
        let found = &FoundPayment::read(bytes);
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
            FoundPayment::Payment(payment) => {
                let what = format!("payment of user {user}");
                let owners = [(user, shard.number()), (order, self.source.order.shard_of(order))];
                let [user, of_order] = owners.map(|(id, shard)| Owner { id, shard });
                self.findings.faults(&what, order, payments::payment_faults(user, of_order, bytes));
                self.count_payment(user_id, payment)
            }
        }
    }

    fn count_payment(&self, user: Id, payment: &Payment) -> bool {
        let totals = &mut self.totals.borrow_mut().payments;
        if payment.is_reserved() {
            totals.reserved += 1;
        } else if payment.state == PaymentState::Cancelled {
            totals.cancelled += 1;
        } else if payment.by_checkout {
            totals.checkout += 1;
            self.users.borrow_mut().charged(self.names, user, &payment.user_incarnation, payment.charged);
        } else {
            totals.direct += 1;
        }
        payment.is_reserved()
    }

    /// Within each shard, at one moment: `held` of each user is what reservations hold of it, each of these has a
    /// reserved payment of its amount, and each reserved payment a reservation.
    pub(super) async fn check_held_credit(&self, reserved: &[Vec<String>]) -> Done {
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
            self.check_reservation(&self.source.payment, shard, reservation);
            let Some(reservation_of) = payments::held(reservation) else { continue };
            *held.entry(reservation_of.user).or_default() += reservation_of.amount;
            named.insert(reservation_of.payment);
            let is_right = match found.get(reservation_of.payment) {
                Some(FoundPayment::Payment(payment)) => {
                    payment.is_reserved()
                        && payment.by_checkout
                        && payment.charged == reservation_of.amount
                        && format!("{}/{}", payment.user_incarnation, payment.order_incarnation)
                            == reservation_of.incarnation
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
            let Some(id) = key::parse(key).map(|key| key.name).filter(|id| self.slice.has(self.names.id(id))) else {
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

    pub(super) async fn missing_users(&self) -> Done {
        let missing = self.users.borrow().missing();
        for (id, charged) in missing {
            let id = self.names.text(id);
            let found = match self.source.payment.route(&id) {
                Err(_) => FoundUser::Absent,
                Ok(shard) => {
                    let keys = [key::user(shard.tag(), &id).to_string()];
                    let found = payments::read(shard, &keys).await.map_err(shard_failed("payment"))?;
                    FoundUser::read(found.first().and_then(Option::as_deref))
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
