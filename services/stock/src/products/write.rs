//! Writing many products: claim the handles that they do not have yet, write, confirm.

use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{KeyReused, Once, TooManyKeys};
use shardcart_store::shards::Shards;
use shardcart_types::ids::{self, ItemId};

use crate::products::content::Content;
use crate::products::error::{ProductError, Result};
use crate::products::handles::{self, Wish, Wished};
use crate::products::lookup;
use crate::products::records::{self, Put, Stored};

/// A product as it is to be.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its id.
    pub id: ItemId,
    /// What was there when it was read.
    pub(crate) before: Stored,
    /// What is to describe it; checked.
    pub content: Content,
    /// What it is to cost; `None`: as before.
    pub price: Option<u64>,
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was written, now or (a replay) before.
    Done {
        /// Whether it was done before, for the same key.
        is_replay: bool,
        /// The id that it was written under.
        id: ItemId,
    },
    /// Another has the handle, or is about to get it; nothing was written.
    HandleTaken(String),
    /// The handle is claimed for this id, under which there is nothing yet; nothing was written.
    Unwritten(ItemId),
    /// It is not any more as it was read, or a claim ran out: nothing was written, and it may be tried again.
    Again,
}

impl Change {
    /// The handle that has to be claimed: one that the product does not carry yet.
    fn wish(&self) -> Option<Wish> {
        let handle = self.content.handle.as_ref().filter(|handle| !self.before.carries(handle))?;
        Some(Wish { id: self.id.clone(), handle: handle.clone() })
    }

    /// The handle that it gives up.
    fn given_up(&self) -> Option<&str> {
        let old = self.before.handle();
        (!old.is_empty() && self.content.handle.as_deref() != Some(old)).then_some(old)
    }

    fn put(&self, deadline_ms: Option<u64>) -> Result<Put> {
        let body = self.content.bytes().ok_or(ProductError::TooLarge)?;
        let minted = ids::minted_shard(self.id.as_str()).map(|_| ids::minted_ms(self.id.as_str()));
        // A legacy item becomes a product when it is described.
        let created_ms = minted.filter(|_| self.before.item.is_none());
        let (id, revision) = (self.id.clone(), self.before.revision());
        Ok(Put { id, revision, deadline_ms, price: self.price, created_ms, body })
    }
}

/// Where a change is between claim and confirm.
enum Stage {
    Over(Result<Written>),
    Ready { put: Put, claim: Option<(Wish, String)> },
}

/// Writes products, each id once.
///
/// Of an error of a shard the outcome is unknown: the same change may be asked for again.
pub async fn write(shards: &Shards, changes: &[Change]) -> Vec<Result<Written>> {
    let mut stages = claimed(shards, changes).await;
    let puts: Vec<Put> = stages.iter().filter_map(ready).cloned().collect();
    let mut replies = records::put(shards, &puts).await.into_iter();
    for (stage, change) in stages.iter_mut().zip(changes) {
        if let Stage::Ready { claim, .. } = stage {
            let claim = claim.take();
            let written = match replies.next() {
                Some(Ok(reply)) => ended(reply, change, false),
                Some(Err(error)) => Err(error),
                None => Ok(Written::Again),
            };
            *stage = Stage::Over(concluded(shards, change, claim, written).await);
        }
    }
    let over = stages.into_iter().map(|stage| match stage {
        Stage::Over(written) => written,
        Stage::Ready { .. } => Ok(Written::Again),
    });
    over.collect()
}

/// What [`write`] would come to, if nobody changes anything meanwhile. Nothing is written.
pub async fn try_out(shards: &Shards, changes: &[Change]) -> Vec<Result<Written>> {
    let wishes: Vec<Wish> = changes.iter().filter_map(Change::wish).collect();
    let handles: Vec<&str> = wishes.iter().map(|wish| wish.handle.as_str()).collect();
    let mut owners = lookup::by_handles(shards, &handles).await.into_iter();
    let outcome = |change: &Change| {
        let owner = match change.wish() {
            Some(_) => owners.next().unwrap_or(Ok(None))?,
            None => None,
        };
        match owner {
            Some((owner, stored)) if owner != change.id => Ok(Written::HandleTaken(stored.handle().to_owned())),
            _ => Ok(Written::Done { is_replay: false, id: change.id.clone() }),
        }
    };
    changes.iter().map(outcome).collect()
}

/// Writes one product, with a key only once.
///
/// # Errors
/// - `KeyReused` and other refusals: nothing was changed.
/// - `Shard`: the outcome is unknown. It may be repeated.
pub async fn write_once(shards: &Shards, change: Change, once: Once) -> Result<Written> {
    let changes = [change];
    let [change] = &changes;
    match claimed(shards, &changes).await.pop() {
        Some(Stage::Ready { put, claim }) => {
            let words = records::put_once(shards, &put, once).await?;
            let word = words.first().map_or("", String::as_str);
            let written = match Reply::parse(word) {
                Some(Reply::Reused) => Err(KeyReused.into()),
                Some(Reply::TooManyKeys) => Err(TooManyKeys.into()),
                Some(Reply::Replayed) => {
                    let first = words.get(1).and_then(|id| ItemId::parse(id).ok());
                    return Ok(Written::Done { is_replay: true, id: first.unwrap_or_else(|| change.id.clone()) });
                }
                Some(reply) => ended(reply, change, false),
                None => {
                    let shard = shards.shard_of(put.id.as_str());
                    Err(records::unexpected(shard, &crate::scripts::PRODUCT_PUT.keys::<&str>(&[]), word))
                }
            };
            concluded(shards, change, claim, written).await
        }
        Some(Stage::Over(written)) => written,
        None => Ok(Written::Again),
    }
}

fn ready(stage: &Stage) -> Option<&Put> {
    match stage {
        Stage::Ready { put, .. } => Some(put),
        Stage::Over(_) => None,
    }
}

/// Claims the handles that these products do not carry yet.
async fn claimed(shards: &Shards, changes: &[Change]) -> Vec<Stage> {
    let wishes: Vec<Wish> = changes.iter().filter_map(Change::wish).collect();
    let mut answers = handles::claim(shards, &wishes).await.into_iter();
    let stage = |change: &Change| {
        let Some(wish) = change.wish() else { return Ok((change.put(None)?, None)) };
        match answers.next() {
            Some(Ok(Wished::Mine { hint, deadline_ms })) => Ok((change.put(Some(deadline_ms))?, Some((wish, hint)))),
            Some(Ok(Wished::Unwritten(id))) => Err(Ok(Written::Unwritten(id))),
            Some(Ok(Wished::Taken(_))) | None => Err(Ok(Written::HandleTaken(wish.handle))),
            Some(Err(error)) => Err(Err(error)),
        }
    };
    changes
        .iter()
        .map(stage)
        .map(|stage: std::result::Result<_, Result<Written>>| match stage {
            Ok((put, claim)) => Stage::Ready { put, claim },
            Err(over) => Stage::Over(over),
        })
        .collect()
}

impl From<ProductError> for Result<Written> {
    fn from(error: ProductError) -> Self {
        Err(error)
    }
}

fn ended(reply: Reply, change: &Change, is_replay: bool) -> Result<Written> {
    match reply {
        Reply::Done => Ok(Written::Done { is_replay, id: change.id.clone() }),
        Reply::Exists | Reply::Changed | Reply::Expired => Ok(Written::Again),
        Reply::Unknown => Err(ProductError::NoPrice(change.id.clone())),
        _ => Err(ProductError::NotUnderstood(change.id.to_string())),
    }
}

/// Confirms the claim of a product that was written, and has the hint deleted of the handle that it gave up.
async fn concluded(
    shards: &Shards,
    change: &Change,
    claim: Option<(Wish, String)>,
    written: Result<Written>,
) -> Result<Written> {
    if !matches!(written, Ok(Written::Done { .. })) {
        return written;
    }
    if let Some((wish, hint)) = claim {
        match handles::confirm(shards, &wish, &hint).await {
            Ok(true) => {}
            Ok(false) => return Ok(Written::HandleTaken(wish.handle)),
            Err(error) => log::warn!(error:%; "the claim of a handle is not confirmed: the next reader does it"),
        }
    }
    if let Some(old) = change.given_up() {
        lookup::forget(shards, old).await;
    }
    written
}
