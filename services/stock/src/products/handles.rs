//! Unique handles: the steps of a claim (see `unique.rs` of the store). A crash between any two of them leaves what the
//! next reader or claimer repairs.

use shardcart_schema::reply::Reply;
use shardcart_schema::unique::{Hint, State};
use shardcart_store::shards::Shards;
use shardcart_store::unique::{Claim, Claimed, Names, Settled};
use shardcart_types::ids::ItemId;

use crate::products::error::{ProductError, Result};
use crate::products::records::{self, Put, Stored};

/// The names that this is about.
pub(crate) const HANDLES: Names = Names("handle");

/// A handle that a product is to carry.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The product.
    pub id: ItemId,
    /// The handle.
    pub handle: String,
}

/// What a wish came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wished {
    /// The product may be written with the handle until the deadline (Unix ms). The hint confirms it.
    Mine {
        /// The hint that now lies there.
        hint: String,
        /// Until when it may be written.
        deadline_ms: u64,
    },
    /// This product has it, or is about to get it.
    Taken(ItemId),
    /// It was claimed a moment ago for this id, under which there is nothing yet.
    Unwritten(ItemId),
}

fn not_understood(handle: &str) -> ProductError {
    ProductError::NotUnderstood(format!("with the handle {handle}"))
}

/// A hint, taken apart.
pub(crate) fn parts<'a>(handle: &str, hint: &'a str) -> Result<(Hint<'a>, ItemId)> {
    let parsed = Hint::read(hint).ok_or_else(|| not_understood(handle))?;
    let id = ItemId::parse(parsed.id).map_err(|_| not_understood(handle))?;
    Ok((parsed, id))
}

/// Claims handles. Hints of others that are stale are replaced.
pub async fn claim(shards: &Shards, wishes: &[Wish]) -> Vec<Result<Wished>> {
    let claims: Vec<Claim<'_>> =
        wishes.iter().map(|wish| Claim { name: &wish.handle, id: wish.id.as_str(), stale: "" }).collect();
    let mut answers: Vec<Result<Wished>> = Vec::with_capacity(wishes.len());
    for (claimed, wish) in HANDLES.claim(shards, &claims).await.into_iter().zip(wishes) {
        answers.push(match claimed {
            Ok(Claimed::Anothers(hint)) => look_behind(shards, wish, &hint).await,
            Ok(other) => wished(other, wish),
            Err(error) => Err(error.into()),
        });
    }
    answers
}

fn wished(claimed: Claimed, wish: &Wish) -> Result<Wished> {
    match claimed {
        Claimed::Mine { hint, deadline_ms } => Ok(Wished::Mine { hint, deadline_ms }),
        Claimed::Anothers(hint) => Ok(Wished::Taken(parts(&wish.handle, &hint)?.1)),
        Claimed::Newer => Err(not_understood(&wish.handle)),
    }
}

/// Looks at the record of another's hint, and claims the handle again where it is stale.
async fn look_behind(shards: &Shards, wish: &Wish, hint: &str) -> Result<Wished> {
    let (parsed, owner) = parts(&wish.handle, hint)?;
    let stored = records::read_one(shards, &owner).await?;
    if stored.carries(&wish.handle) {
        settle(shards, &[(&wish.handle, hint, &stored)]).await;
        return Ok(Wished::Taken(owner));
    }
    let claim = Claim { name: &wish.handle, id: wish.id.as_str(), stale: hint };
    let Some(again) = HANDLES.claim(shards, &[claim]).await.pop() else { return Ok(Wished::Taken(owner)) };
    match wished(again?, wish)? {
        Wished::Taken(id) if id == owner && stored.document.is_none() && parsed.state == State::Claimed => {
            Ok(Wished::Unwritten(owner))
        }
        other => Ok(other),
    }
}

/// Repairs hints by what was found at their records, which were read after them: a claim whose record carries the handle
/// is confirmed, a hint whose record does not is deleted. What fails is left to the next reader.
pub(crate) async fn settle(shards: &Shards, seen: &[(&str, &str, &Stored)]) {
    let (mut claims, mut stale) = (Vec::new(), Vec::new());
    for (handle, hint, stored) in seen {
        match Hint::read(hint) {
            Some(Hint { state: State::Claimed, .. }) if stored.carries(handle) => claims.push((*handle, *hint)),
            Some(_) if !stored.carries(handle) => stale.push((*handle, *hint)),
            _ => {}
        }
    }
    let answers = [HANDLES.confirm(shards, &claims).await, HANDLES.release(shards, &stale).await];
    for error in answers.into_iter().flatten().filter_map(std::result::Result::err) {
        log::warn!(error:%; "the hint of a handle is not repaired: the next reader does it");
    }
}

/// Confirms the claim of a handle whose product was written. `false`: another has the handle, and it was taken from the
/// product again.
///
/// # Errors
/// It may be confirmed or not: the next reader sees to it.
pub async fn confirm(shards: &Shards, wish: &Wish, hint: &str) -> Result<bool> {
    let confirmed = HANDLES.confirm(shards, &[(&wish.handle, hint)]).await.pop();
    if confirmed.transpose()? == Some(Settled::Done) {
        return Ok(true);
    }
    let now = HANDLES.read(shards, &[&wish.handle]).await.pop().transpose()?.flatten();
    let owner = now.as_deref().map(|hint| parts(&wish.handle, hint)).transpose()?.map(|(_, id)| id);
    if let Some(hint) = now.filter(|_| owner.as_ref() == Some(&wish.id)) {
        // Another request claimed it for the same product.
        let stored = records::read_one(shards, &wish.id).await?;
        settle(shards, &[(&wish.handle, &hint, &stored)]).await;
        return Ok(true);
    }
    take_away(shards, wish).await?;
    Ok(false)
}

/// How often a product that others change meanwhile is tried again.
const TRIES: usize = 5;

/// Takes a handle from a product that has lost it.
async fn take_away(shards: &Shards, wish: &Wish) -> Result<()> {
    for _ in 0..TRIES {
        let stored = records::read_one(shards, &wish.id).await?;
        let revision = stored.revision();
        let Some(mut document) = stored.document.filter(|document| document.body.handle == wish.handle) else {
            return Ok(());
        };
        document.body.handle.clear();
        let body = document.body.bytes().ok_or(ProductError::TooLarge)?;
        let put = Put { id: wish.id.clone(), revision, deadline_ms: None, price: None, created_ms: None, body };
        if records::put(shards, &[put]).await.pop().transpose()? == Some(Reply::Done) {
            return Ok(());
        }
    }
    Err(ProductError::Contended(wish.id.clone()))
}
