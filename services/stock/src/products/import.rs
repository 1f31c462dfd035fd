//! Imports: rows that create products or change them, in batches. A row names a product by its id, or by its handle; so
//! the same rows again find what is done, and go on.

mod row;

use std::collections::{HashMap, HashSet};

use shardcart_schema::product::Status;
use shardcart_store::shards::Shards;
use shardcart_types::ids::{ItemId, now_ms};

use crate::products::change::default_handles;
use crate::products::content::{Content, Invalid};
use crate::products::error::ProductError;
use crate::products::lookup;
use crate::products::records::{self, Stored};
use crate::products::write::{self, Change, Written};

pub use row::{Columns, Row};

/// Rows that are read and written together.
pub const BATCH: usize = 500;
/// How often rows are tried that others get in the way of.
const TRIES: usize = 5;

/// What a row came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// There was no such product.
    Created(ItemId),
    /// It was changed.
    Updated(ItemId),
    /// It was so before.
    Unchanged(ItemId),
    /// It says something that no product may say. Nothing was changed.
    Invalid(Vec<Invalid>),
    /// It was refused, or its outcome is unknown: see there.
    Failed(ProductError),
}

/// Imports a batch of rows, in the order of their lines for each product. With `is_dry` everything is done but the writing,
/// and the outcomes are those that it would have, unless others change something meanwhile.
///
/// May be repeated.
pub async fn batch(shards: &Shards, rows: &[Result<Row, Vec<Invalid>>], is_dry: bool) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; rows.len()];
    let mut open: Vec<(usize, &Row)> = Vec::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        match row {
            Ok(row) => open.push((place, row)),
            Err(wrong) => outcomes[place] = Some(Outcome::Invalid(wrong.clone())),
        }
    }
    let mut known = Known::default();
    for _ in 0..TRIES + rows.len() {
        if open.is_empty() {
            break;
        }
        // A product has one row at a time.
        let mut taken = HashSet::new();
        let (now, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|(_, row)| {
            let names = [row.id.as_ref().map(ItemId::as_str), row.handle.as_deref()];
            let is_free = names.iter().flatten().all(|name| !taken.contains(*name));
            taken.extend(names.into_iter().flatten().map(str::to_owned));
            is_free
        });
        open = later;
        for ((place, row), outcome) in now.iter().zip(once(shards, &now, &mut known, is_dry).await) {
            match outcome {
                Some(outcome) => outcomes[*place] = Some(outcome),
                None => open.push((*place, row)),
            }
        }
        open.sort_by_key(|(place, _)| *place);
    }
    let left = |row: &Result<Row, Vec<Invalid>>| {
        let id = row.as_ref().ok().and_then(|row| row.id.clone()).unwrap_or_else(|| ItemId::mint(0, 0));
        Outcome::Failed(ProductError::Contended(id))
    };
    outcomes.into_iter().zip(rows).map(|(outcome, row)| outcome.unwrap_or_else(|| left(row))).collect()
}

/// What a batch has learnt.
#[derive(Debug, Default)]
struct Known {
    /// Ids for which handles are claimed under which there is nothing yet.
    claimed: HashMap<String, ItemId>,
    /// How often a row was tried.
    tries: HashMap<usize, usize>,
    /// Rows whose product gets another handle than the usual one, which is taken.
    alternative: HashSet<usize>,
}

/// One try for rows of different products; `None`: it has to be tried again.
async fn once(shards: &Shards, rows: &[(usize, &Row)], known: &mut Known, is_dry: bool) -> Vec<Option<Outcome>> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; rows.len()];
    let mut changes: Vec<(usize, Change, bool)> = Vec::with_capacity(rows.len());
    for ((at, (place, row)), found) in rows.iter().enumerate().zip(targets(shards, rows, known).await) {
        let alternative = usize::from(known.alternative.contains(place));
        match found.map_err(Outcome::Failed).and_then(|(id, before)| change(row, id, before, alternative)) {
            // Named by its id and by its handle: one after the other.
            Ok((change, _)) if changes.iter().any(|(_, other, _)| other.id == change.id) => {}
            Ok((change, is_new)) => changes.push((at, change, is_new)),
            Err(outcome) => outcomes[at] = Some(outcome),
        }
    }
    let asked: Vec<Change> = changes.iter().map(|(_, change, _)| change.clone()).collect();
    let written = if is_dry { write::try_out(shards, &asked).await } else { write::write(shards, &asked).await };
    for ((at, change, is_new), written) in changes.into_iter().zip(written) {
        let tries = known.tries.entry(rows[at].0).or_default();
        *tries += 1;
        let is_last = *tries >= TRIES;
        let wished = change.content.handle.clone().unwrap_or_default();
        outcomes[at] = match written {
            Ok(Written::Done { id, .. }) => Some(if is_new { Outcome::Created(id) } else { Outcome::Updated(id) }),
            Ok(Written::Unwritten(id)) if rows[at].1.id.is_none() && !is_last => {
                known.claimed.insert(wished, id);
                None
            }
            Ok(Written::Again) if !is_last => None,
            Ok(Written::Again) => Some(Outcome::Failed(ProductError::Contended(change.id))),
            Ok(Written::HandleTaken(_) | Written::Unwritten(_))
                if is_new && rows[at].1.handle.is_none() && known.alternative.insert(rows[at].0) =>
            {
                None
            }
            Ok(Written::HandleTaken(_) | Written::Unwritten(_)) => {
                Some(Outcome::Failed(ProductError::HandleTaken(wished)))
            }
            Err(error) => Some(Outcome::Failed(error)),
        };
    }
    outcomes
}

/// The product of each row, and what there is of it.
async fn targets(
    shards: &Shards,
    rows: &[(usize, &Row)],
    known: &Known,
) -> Vec<Result<(ItemId, Stored), ProductError>> {
    let ids: Vec<&ItemId> = rows.iter().filter_map(|(_, row)| row.id.as_ref()).collect();
    let handles: Vec<&str> =
        rows.iter().filter(|(_, row)| row.id.is_none()).filter_map(|(_, row)| row.handle.as_deref()).collect();
    let mut by_id = records::read(shards, &ids).await.into_iter();
    let mut by_handle = lookup::by_handles(shards, &handles).await.into_iter();
    let minting = shards.minting_order();
    let target = |(at, (_, row)): (usize, &(usize, &Row))| match (&row.id, &row.handle) {
        (Some(id), _) => {
            let stored = by_id.next().unwrap_or_else(|| Ok(Stored::default()))?;
            Ok((id.clone(), stored))
        }
        (None, handle) => match by_handle.next().unwrap_or(Ok(None))? {
            Some(found) => Ok(found),
            None => {
                let claimed = handle.as_ref().and_then(|handle| known.claimed.get(handle)).cloned();
                let shard = minting.get(at % minting.len().max(1)).copied().unwrap_or(0);
                Ok((claimed.unwrap_or_else(|| ItemId::mint(shard, now_ms())), Stored::default()))
            }
        },
    };
    rows.iter().enumerate().map(target).collect()
}

/// What a row makes of what there is, and whether that is new; an outcome where there is nothing to be written.
fn change(row: &Row, id: ItemId, before: Stored, alternative: usize) -> Result<(Change, bool), Outcome> {
    let is_new = before.document.is_none();
    let old = if is_new { None } else { Some(lookup::told(&id, before.clone()).map_err(Outcome::Failed)?) };
    let empty = || Content {
        status: Status::Active,
        name: String::new(),
        handle: default_handles(&id, "").into_iter().nth(alternative),
        description: None,
        tags: Vec::new(),
        attributes: serde_json::Map::new(),
    };
    let content = row.over(old.as_ref().map_or_else(empty, |old| old.content.clone()));
    let content = content.checked().map_err(Outcome::Invalid)?;
    let price = row.price.map(shardcart_types::amount::Amount::get);
    if let Some(old) = old.filter(|old| old.content == content && price.is_none_or(|price| price == old.price)) {
        return Err(Outcome::Unchanged(old.id));
    }
    if is_new && before.item.is_none() && price.is_none() {
        return Err(Outcome::Failed(ProductError::NoPrice(id)));
    }
    if content.bytes().is_none() {
        return Err(Outcome::Failed(ProductError::TooLarge));
    }
    Ok((Change { id, before, content, price }, is_new))
}
