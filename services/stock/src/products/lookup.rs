//! Finding products: by id, by handle.

use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

use crate::products::Product;
use crate::products::error::{ProductError, Result};
use crate::products::handles::{self, HANDLES};
use crate::products::records::{self, Stored};

/// Reads a product.
///
/// # Errors
/// - `Unknown`: there is none; of the legacy API there may be an item.
/// - `NotUnderstood`, `Shard`: no answer.
pub async fn by_id(shards: &Shards, id: &ItemId) -> Result<Product> {
    told(id, records::read_one(shards, id).await?)
}

/// What is stored as it is told.
pub(crate) fn told(id: &ItemId, stored: Stored) -> Result<Product> {
    if stored.document.is_none() {
        return Err(ProductError::Unknown(id.to_string()));
    }
    Product::of(id.clone(), stored).ok_or_else(|| ProductError::NotUnderstood(id.to_string()))
}

/// Reads the product that has a handle, archived ones, too; repairs the handle's hint.
///
/// # Errors
/// - `Unknown`: no product has it.
/// - `NotUnderstood`, `Shard`: no answer.
pub async fn by_handle(shards: &Shards, handle: &str) -> Result<Product> {
    let found = by_handles(shards, &[handle]).await.pop().unwrap_or(Ok(None))?;
    let (id, stored) = found.ok_or_else(|| ProductError::Unknown(handle.to_owned()))?;
    told(&id, stored)
}

/// Reads the products that have handles; repairs the hints of these.
pub(crate) async fn by_handles(shards: &Shards, wanted: &[&str]) -> Vec<Result<Option<(ItemId, Stored)>>> {
    // The hints first, the records after them: only so may a hint be told stale.
    let hints = HANDLES.read(shards, wanted).await;
    let owners: Vec<Result<Option<(String, ItemId)>>> = hints
        .into_iter()
        .zip(wanted)
        .map(|(hint, handle)| {
            let Some(hint) = hint? else { return Ok(None) };
            let (_, id) = handles::parts(handle, &hint)?;
            Ok(Some((hint, id)))
        })
        .collect();
    let ids: Vec<&ItemId> = owners.iter().flatten().flatten().map(|(_, id)| id).collect();
    let mut stored = records::read(shards, &ids).await.into_iter();
    let mut answers = Vec::with_capacity(wanted.len());
    let mut seen = Vec::new();
    for (owner, handle) in owners.into_iter().zip(wanted) {
        answers.push(match owner {
            Err(error) => Err(error),
            Ok(None) => Ok(None),
            Ok(Some((hint, id))) => match stored.next() {
                None => Ok(None),
                Some(Err(error)) => Err(error),
                Some(Ok(found)) => {
                    seen.push((*handle, hint, found.clone()));
                    Ok(found.carries(handle).then_some((id, found)))
                }
            },
        });
    }
    let seen: Vec<(&str, &str, &Stored)> =
        seen.iter().map(|(handle, hint, stored)| (*handle, hint.as_str(), stored)).collect();
    handles::settle(shards, &seen).await;
    answers
}

/// Has the hint of a handle that a product gave up deleted. What fails is left to the next reader.
pub(crate) async fn forget(shards: &Shards, handle: &str) {
    if let Some(Err(error)) = by_handles(shards, &[handle]).await.pop() {
        log::warn!(error:%; "the hint of a handle that was given up stays: the next reader deletes it");
    }
}
