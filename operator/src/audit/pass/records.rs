//! What participants hold for attempts, by itself.

use std::collections::HashSet;

use shardcart_schema::key::{self, Kind as KeyKind};
use shardcart_schema::reservation_record::{self, Taken};
use shardcart_store::faults::Faults;
use shardcart_store::scan::Reservation;
use shardcart_store::shards::Shards;

use super::super::findings::Kind;
use super::super::keys::home_id;
use super::Pass;

impl Pass<'_> {
    /// What is held can be read, and is what an attempt can hold on this shard.
    pub(super) fn check_reservation(&self, shards: &Shards, shard: u16, reservation: &Reservation) {
        if !self.is_first() {
            return;
        }
        let (service, tx) = (shards.membership().service(), &reservation.tx);
        let what = format!("reservation at {service} shard {shard}");
        match reservation.held() {
            Some(held) => {
                let mut faults = Faults::default();
                faults.minted("tx", self.source.order.shard_of(held.order), tx);
                faults.expect(held.deadline_ms > 0, "deadline", "a moment", held.deadline_ms);
                faults.id("order", held.order);
                taken(&mut faults, shards, shard, held.order, &held.taken);
                self.findings.faults(&what, tx, faults.into_list());
            }
            None if reservation_record::is_newer(&reservation.bytes) => {
                self.odd_record(Kind::NotUnderstood, &what, tx, "another version");
            }
            None => self.odd_record(Kind::Unreadable, &what, tx, "no reservation"),
        }
    }
}

/// The keys that a reservation names are those of records of its shard, each once, and something of each is held.
fn taken(faults: &mut Faults, shards: &Shards, shard: u16, order: &str, taken: &Taken<'_>) {
    let is_here = |key: &str, kind: KeyKind| {
        let is_kind = key::parse(key).is_some_and(|parts| parts.kind == Some(kind));
        is_kind && shards.shard(shard).is_ok_and(|shard| home_id(shards, shard, key).is_some())
    };
    let is_stock = shards.membership().service() == "stock";
    match taken {
        Taken::Units(lines) => {
            faults.expect(is_stock, "kind", "credit", "units");
            faults.expect(!lines.is_empty(), "lines", "one or more", "none");
            let mut seen = HashSet::new();
            for (item, units) in lines {
                let is_right = is_here(item, KeyKind::Item) && seen.insert(*item);
                faults.expect(is_right, "item", "an item of this shard, once", item);
                faults.expect(*units > 0, "units", "1 or more", units);
            }
        }
        Taken::Credit { user, payment, amount, incarnation } => {
            faults.expect(!is_stock, "kind", "units", "credit");
            faults.expect(is_here(user, KeyKind::User), "user", "a user of this shard", user);
            let id = key::parse(user).map_or("", |parts| parts.name);
            let tag = shards.shard(shard).map(|shard| key::payment(shard.tag(), id, order).to_string());
            let of_both = tag.unwrap_or_default();
            faults.expect(of_both == *payment, "payment", &of_both, payment);
            faults.expect(*amount >= 0, "amount", "0 or more", amount);
            faults.expect(incarnation.contains('/'), "incarnation", "that of user and order", incarnation);
        }
    }
}
