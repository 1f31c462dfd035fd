//! Who buys in a world, and what there is to buy.

use std::collections::BTreeMap;
use std::time::Duration;

use shardcart_harness::front::Front;
use shardcart_harness::wait::eventually;

/// What one unit of anything costs: a total is a count of units.
pub const PRICE: u64 = 1;
/// Stock and credit that do not run out.
const PLENTY: u64 = 1_000_000;
/// Stock of a scarce item, and credit of a poor user, to begin with. Three seconds of load add a unit.
const SCARCE: u64 = 4;
const POOR: u64 = 2;

/// How long making one user or item may take, on a computer that has much else to do.
const MADE: Duration = Duration::from_secs(60);

/// What is special about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is enough of it.
    Plenty,
    /// There is too little of it for all.
    Scarce,
    /// Half of all orders want it.
    Hot,
}

/// Fresh users and items, each with what it was given once.
#[derive(Debug)]
pub struct World {
    /// Credit by user. Rich ones come first.
    pub users: Vec<(String, u64)>,
    /// Stock by item.
    pub items: Vec<(String, u64, Kind)>,
    /// So many of the users are rich.
    pub rich: usize,
}

impl World {
    /// Makes users and items for a load of about so long, in which scarce things run out. Nothing may be broken
    /// meanwhile.
    pub async fn prepare(front: &Front, lasts: Duration) -> World {
        let (scarce, poor_credit) = (SCARCE + lasts.as_secs() / 3, POOR + lasts.as_secs() / 3);
        let (rich, poor) = (24, 16);
        let credits = (0..rich + poor).map(|user| if user < rich { PLENTY } else { poor_credit });
        let users = front.each(credits, |credit| async move { (user(front, credit).await, credit) }).await;
        let kinds = [[Kind::Plenty; 8].as_slice(), &[Kind::Scarce; 4], &[Kind::Hot]].concat();
        let stock = |kind| if kind == Kind::Scarce { scarce } else { PLENTY };
        let items = front.each(kinds, |kind| async move { (item(front, stock(kind)).await, stock(kind), kind) });
        World { users, items: items.await, rich }
    }

    /// A cart of a user who comes by: the user's place, and units by item.
    pub fn cart(&self, random: &mut fastrand::Rng) -> (usize, BTreeMap<String, u64>) {
        let user = match random.u8(0..4) {
            0 => random.usize(self.rich..self.users.len()),
            _ => random.usize(0..self.rich),
        };
        let mut lines = BTreeMap::new();
        let mut add = |kind: Kind, units: u64, random: &mut fastrand::Rng| {
            let of_kind: Vec<_> = self.items.iter().filter(|(_, _, other)| *other == kind).collect();
            if let Some((item, ..)) = random.choice(of_kind) {
                *lines.entry(item.clone()).or_insert(0) += units;
            }
        };
        match random.u8(0..10) {
            0..5 => {
                add(Kind::Plenty, random.u64(1..4), random);
                add(Kind::Hot, 1, random);
            }
            5..8 => {
                for _ in 0..3 {
                    add(Kind::Plenty, 1, random);
                }
            }
            8 => add(Kind::Scarce, random.u64(1..3), random),
            _ => {
                add(Kind::Scarce, 1, random);
                add(Kind::Plenty, 1, random);
            }
        }
        (user, lines)
    }

    /// What an item was given at first, and what is special about it.
    pub fn item(&self, id: &str) -> Option<(u64, Kind)> {
        self.items.iter().find(|(item, ..)| item == id).map(|(_, stock, kind)| (*stock, *kind))
    }
}

/// A new user with credit. One of which it is not known what it has is left alone, and another made.
async fn user(front: &Front, credit: u64) -> String {
    eventually("a user is made", MADE, async || {
        let created = front.create_user().await;
        let user = created.body["user_id"].as_str()?.to_owned();
        (front.add_funds(&user, credit).await.status == 200).then_some(user)
    })
    .await
}

/// A new item with stock; likewise.
async fn item(front: &Front, stock: u64) -> String {
    eventually("an item is made", MADE, async || {
        let created = front.create_item(PRICE).await;
        let item = created.body["item_id"].as_str()?.to_owned();
        (front.add_stock(&item, stock).await.status == 200).then_some(item)
    })
    .await
}
