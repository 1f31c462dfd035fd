//! Reading the stock shards: items, and what is held of them.

use std::cell::RefCell;
use std::collections::HashMap;

use futures_util::future::try_join_all;
use serde_json::json;
use shardcart_schema::key;
use shardcart_stock::audit::{self as stock, Found};
use shardcart_store::scan::Reservation;

use super::super::findings::Kind;
use super::super::ids::Id;
use super::super::keys::home_id;
use super::super::reservations::{Held, Statuses};
use super::super::{AuditError, shard_failed};
use super::{Done, Pass};

impl Pass<'_> {
    pub(super) async fn stock_holdings(&self, items: &[Vec<String>]) -> Result<Vec<StockHoldings>, AuditError> {
        try_join_all(self.source.stock.iter().map(|shard| async move {
            let number = shard.number();
            let items = items.get(usize::from(number)).map_or(&[][..], Vec::as_slice);
            let (reservations, items) = stock::holdings(shard, items).await.map_err(shard_failed("stock"))?;
            Ok(StockHoldings { shard: number, reservations, items })
        }))
        .await
    }

    /// First reading of the items; gives, by shard, the keys of those of which something is held.
    pub(super) async fn open_items(&self) -> Result<Vec<Vec<String>>, AuditError> {
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

    pub(super) async fn compare_items(&self) -> Done {
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
                keys.retain(|key| home_id(shards, shard, key).is_some_and(|id| self.slice.has(self.names.id(id))));
                if !keys.is_empty() {
                    for (key, bytes) in keys.iter().zip(stock::read(shard, &keys).await?) {
                        let Some(name) = key::parse(key).map(|key| key.name) else { continue };
                        let (id, found) = (self.names.id(name), Found::read(bytes.as_deref()));
                        match found {
                            Found::Item(units) => each(shard.number(), key, id, units),
                            Found::Absent => {}
                            Found::Newer | Found::Unreadable => self.items.borrow_mut().left_out(id),
                        }
                        if is_second {
                            self.check_item(name, found, bytes.as_deref());
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            stock::scan(shard, read).await
        }))
        .await
        .map_err(shard_failed("stock"))?;
        Ok(())
    }

    fn check_item(&self, name: &str, found: Found, bytes: Option<&[u8]>) {
        match found {
            Found::Newer => self.odd_record(Kind::NotUnderstood, "item", name, "another version"),
            Found::Unreadable => self.odd_record(Kind::Unreadable, "item", name, "no amounts"),
            Found::Item(_) => self.findings.faults("item", name, stock::faults(name, bytes)),
            Found::Absent => {}
        }
    }

    /// Within each shard, at one moment: `held` of each item is what reservations hold of it.
    pub(super) async fn check_held_items(&self, paid: &Statuses, moving: &[Vec<String>]) -> Done {
        for holdings in self.stock_holdings(moving).await? {
            let mut held: HashMap<&str, i64> = HashMap::new();
            for reservation in &holdings.reservations {
                self.check_reservation(&self.source.stock, holdings.shard, reservation);
                let Some(lines) = stock::lines(reservation) else { continue };
                for (key, units) in lines {
                    *held.entry(key).or_default() += units;
                    if paid.is_paid(&reservation.tx)
                        && let Some(key) = key::parse(key)
                    {
                        self.items.borrow_mut().opened_unsettled(self.names.id(key.name), units);
                    }
                }
            }
            for (key, found) in &holdings.items {
                let Some(id) = key::parse(key).map(|key| key.name).filter(|id| self.slice.has(self.names.id(id)))
                else {
                    continue;
                };
                let wanted = held.get(key.as_str()).copied().unwrap_or(0);
                let found = match found {
                    Found::Item(units) => units.held,
                    Found::Absent => 0,
                    Found::Newer | Found::Unreadable => continue,
                };
                if wanted != found {
                    let detail = format!("held {found}, but reservations hold {wanted}");
                    self.findings.add(Kind::ItemHeld, id, wanted, found, detail);
                }
            }
        }
        Ok(())
    }

    pub(super) fn note_unsettled(&self, holdings: &[StockHoldings], paid: &Statuses) {
        for reservation in holdings.iter().flat_map(|holdings| &holdings.reservations) {
            if !paid.may_be_paid(&reservation.tx) {
                continue;
            }
            for (key, units) in stock::lines(reservation).unwrap_or_default() {
                if let Some(key) = key::parse(key) {
                    self.items.borrow_mut().unsettled(self.names.id(key.name), units);
                }
            }
        }
    }

    pub(super) async fn missing_items(&self) -> Done {
        let missing = self.items.borrow().missing();
        for (id, bought) in missing {
            let id = self.names.text(id);
            let found = match self.source.stock.route(&id) {
                Err(_) => Found::Absent,
                Ok(shard) => {
                    let keys = [key::item(shard.tag(), &id).to_string()];
                    let found = stock::read(shard, &keys).await.map_err(shard_failed("stock"))?;
                    Found::read(found.first().and_then(Option::as_deref))
                }
            };
            // One that came after the second reading began has not been bought before it.
            if found == Found::Absent {
                let detail = format!("{bought} sold, and there is no such item");
                self.findings.add(Kind::ItemUnknown, &id, "an item", json!(null), detail);
            }
        }
        Ok(())
    }
}

/// What one stock shard holds, with the items that this concerns.
pub(super) struct StockHoldings {
    shard: u16,
    reservations: Vec<Reservation>,
    items: Vec<(String, Found)>,
}

pub(super) fn held_of(holdings: &[StockHoldings]) -> Vec<Held> {
    let of_shard = |holdings: &StockHoldings| {
        let shard = holdings.shard;
        let held = holdings.reservations.iter().filter_map(move |reservation| Held::of("stock", shard, reservation));
        held.collect::<Vec<_>>()
    };
    holdings.iter().flat_map(of_shard).collect()
}
