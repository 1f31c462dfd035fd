//! Creating and changing single products.

use shardcart_schema::product::Status;
use shardcart_schema::reply::Reply;
use shardcart_store::idempotency::{Done, IdempotencyKey, KeyReused, TooManyKeys};
use shardcart_store::script::words;
use shardcart_store::shards::Shards;
use shardcart_types::amount::Amount;
use shardcart_types::ids::{ItemId, minted_shard, now_ms};

use crate::products::Product;
use crate::products::content::Content;
use crate::products::error::{ProductError, Result};
use crate::products::records::{self, Stored};
use crate::products::write::{self, Change, Written};
use crate::products::{lookup, text};
use crate::scripts::PRODUCT_REPLAY;

/// How often a change is tried that others get in the way of.
const TRIES: usize = 8;

/// What a caller expects of a product that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Whatever there is.
    Any,
    /// No product.
    Absent,
    /// A product.
    Present,
    /// A product at one of these revisions.
    Revisions(Vec<u64>),
}

impl Expect {
    fn check(&self, id: &ItemId, stored: &Stored) -> Result<()> {
        let revision = stored.revision();
        match self {
            Expect::Absent if revision != 0 => Err(ProductError::Exists(id.clone())),
            Expect::Present if revision == 0 => Err(ProductError::Changed(id.clone())),
            Expect::Revisions(expected) if !expected.contains(&revision) => Err(ProductError::Changed(id.clone())),
            _ => Ok(()),
        }
    }
}

/// A request that is carried out once: its key, and what the client asks.
#[derive(Debug, Clone, Copy)]
pub struct Keyed<'a> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// What the client asks, in a form that is the same for a repeat.
    pub request: &'a str,
}

/// What a change of a product gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The product as it is now.
    pub product: Product,
    /// Whether there was none before.
    pub is_new: bool,
}

/// The handles that are tried for a product whose client names none: one made of its name or of its client's own id, then
/// one that nobody else is likely to have.
pub(crate) fn default_handles(id: &ItemId, name: &str) -> [String; 2] {
    let is_minted = minted_shard(id.as_str()).is_some();
    let base = text::slug(if is_minted { name } else { id.as_str() });
    let digits: String = id.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    let digits = digits.to_ascii_lowercase();
    let base = if base.is_empty() { digits.clone() } else { base };
    let end = &digits[digits.len().saturating_sub(12)..];
    let start = &base[..base.len().min(shardcart_schema::limit::HANDLE_MAX - 13)];
    [base.clone(), format!("{start}-{end}").trim_matches('-').to_owned()]
}

/// Creates a product under a new id. A repeat creates another, unless it has the same key (or the same handle).
///
/// # Errors
/// - `HandleTaken`, `TooLarge`, `KeyReused`: refused, nothing changed.
/// - `NotUnderstood`, `Shard`: unknown. It may have been created under an id that nobody was told; with a key it may be
///   repeated.
pub async fn create(
    shards: &Shards,
    content: &Content,
    price: Amount,
    keyed: Option<Keyed<'_>>,
) -> Result<Done<Product>> {
    let shard = match keyed {
        Some(keyed) => shards.shard_of_key(keyed.key),
        None => shards.minting_order().first().copied().unwrap_or(0),
    };
    let mut id = ItemId::mint(shard, now_ms());
    if let Some(first) = replayed_creation(shards, &id, keyed).await? {
        return Ok(Done::before(lookup::by_id(shards, &first).await?));
    }
    let mut defaults = default_handles(&id, &content.name).into_iter();
    let named = content.handle.clone();
    let mut handle = named.clone().or_else(|| defaults.next());
    for _ in 0..TRIES {
        let content = Content { handle: handle.clone(), ..content.clone() };
        let change = Change { id: id.clone(), before: Stored::default(), content, price: Some(price.get()) };
        let home = shards.route(id.as_str())?;
        let written = match keyed {
            Some(keyed) => {
                let once = keyed.key.creation(home, id.as_str(), keyed.request);
                write::write_once(shards, change, once).await?
            }
            None => write::write(shards, &[change]).await.pop().unwrap_or(Ok(Written::Again))?,
        };
        match written {
            Written::Done { is_replay, id } => {
                let product = lookup::by_id(shards, &id).await?;
                return Ok(Done { value: product, is_replay });
            }
            // Left by a creation that died, or not written yet by another: whichever is first gets the handle.
            Written::Unwritten(claimed) if keyed.is_none() || shards.shard_of(claimed.as_str()) == shard => {
                id = claimed;
            }
            Written::HandleTaken(_) | Written::Unwritten(_) if named.is_none() && handle.is_some() => {
                handle = defaults.next();
            }
            Written::HandleTaken(taken) => return Err(ProductError::HandleTaken(taken)),
            Written::Unwritten(_) => return Err(ProductError::HandleTaken(handle.unwrap_or_default())),
            // Another creation came first under a claimed id, or the claim ran out.
            Written::Again => {
                if records::read_one(shards, &id).await?.document.is_some() {
                    id = ItemId::mint(shard, now_ms());
                }
            }
        }
    }
    Err(ProductError::Contended(id))
}

async fn replayed_creation(shards: &Shards, id: &ItemId, keyed: Option<Keyed<'_>>) -> Result<Option<ItemId>> {
    let Some(keyed) = keyed else { return Ok(None) };
    let once = keyed.key.creation(shards.route(id.as_str())?, id.as_str(), keyed.request);
    let words = replay(shards, id, once).await?;
    Ok(words.and_then(|words| words.get(1).and_then(|id| ItemId::parse(id).ok())))
}

/// What was done for a key before: the words of the reply; `None`: nothing.
async fn replay(shards: &Shards, id: &ItemId, once: shardcart_store::idempotency::Once) -> Result<Option<Vec<String>>> {
    let shard = shards.route(id.as_str())?;
    let item = shardcart_schema::key::item(shard.tag(), id).to_string();
    let call = PRODUCT_REPLAY.once(Some(once), &[item]);
    let words = words(shard.run(&call).await?);
    match words.first().and_then(|word| Reply::parse(word)) {
        Some(Reply::None) => Ok(None),
        Some(Reply::Replayed) => Ok(Some(words)),
        Some(Reply::Reused) => Err(KeyReused.into()),
        Some(Reply::TooManyKeys) => Err(TooManyKeys.into()),
        Some(Reply::Newer) => Err(ProductError::NotUnderstood(id.to_string())),
        _ => Err(records::unexpected(shard.number(), &call, words.first().map_or("", String::as_str))),
    }
}

/// Writes a product under its client's own id, whole: what is not given is as for a new one, but for the handle, which
/// stays. May be repeated.
///
/// # Errors
/// - `Exists`, `Changed`: not what was expected. `HandleTaken`, `TooLarge`, `KeyReused`, `Contended`: refused. Nothing was
///   changed.
/// - `NotUnderstood`, `Shard`: unknown.
pub async fn replace(
    shards: &Shards,
    id: &ItemId,
    expect: &Expect,
    keyed: Option<Keyed<'_>>,
    content: &Content,
    price: Amount,
) -> Result<Done<Changed>> {
    change(shards, id, expect, keyed, |before| {
        let mut content = content.clone();
        if content.handle.is_none() {
            content.handle = before.and_then(|before| before.content.handle.clone());
        }
        Ok::<_, ProductError>((content, Some(price)))
    })
    .await
}

/// Archives a product: it is neither listed nor found any more, and keeps its handle. May be repeated.
///
/// # Errors
/// As [`replace`], and `Unknown`.
pub async fn archive(shards: &Shards, id: &ItemId, expect: &Expect, keyed: Option<Keyed<'_>>) -> Result<Done<Changed>> {
    change(shards, id, expect, keyed, |before| {
        let before = before.ok_or_else(|| ProductError::Unknown(id.to_string()))?;
        Ok::<_, ProductError>((Content { status: Status::Archived, ..before.content.clone() }, None))
    })
    .await
}

/// Changes a product: `edit` makes of what there is what is to be. It may be asked several times, where others change the
/// product meanwhile. What would change nothing is not written.
///
/// # Errors
/// Those of `edit`; otherwise as [`replace`].
pub async fn change<E: From<ProductError>>(
    shards: &Shards,
    id: &ItemId,
    expect: &Expect,
    keyed: Option<Keyed<'_>>,
    edit: impl Fn(Option<&Product>) -> std::result::Result<(Content, Option<Amount>), E>,
) -> std::result::Result<Done<Changed>, E> {
    let home = shards.home(id.as_str()).await.map_err(ProductError::from)?;
    let home = home.ok_or_else(|| ProductError::Unknown(id.to_string()))?;
    let once = || keyed.map(|keyed| keyed.key.change(home, id.as_str(), keyed.request));
    if let Some(once) = once()
        && replay(shards, id, once).await?.is_some()
    {
        let product = lookup::by_id(shards, id).await?;
        return Ok(Done::before(Changed { product, is_new: false }));
    }
    let mut alternatives = 0;
    for _ in 0..TRIES {
        let before = records::read_one(shards, id).await?;
        expect.check(id, &before)?;
        let is_new = before.document.is_none();
        let product = if is_new { None } else { Some(lookup::told(id, before.clone())?) };
        let (mut content, price) = edit(product.as_ref())?;
        let is_default = is_new && content.handle.is_none();
        if is_default {
            content.handle = default_handles(id, &content.name).into_iter().nth(alternatives);
        }
        let price = price.map(Amount::get);
        if let Some(product) = product.filter(|product| {
            keyed.is_none() && product.content == content && price.is_none_or(|price| price == product.price)
        }) {
            return Ok(Done::now(Changed { product, is_new }));
        }
        let wished = content.handle.clone().unwrap_or_default();
        let change = Change { id: id.clone(), before, content, price };
        let written = match once() {
            Some(once) => write::write_once(shards, change, once).await?,
            None => write::write(shards, &[change]).await.pop().unwrap_or(Ok(Written::Again))?,
        };
        match written {
            Written::Done { is_replay, .. } => {
                let product = lookup::by_id(shards, id).await?;
                return Ok(Done { value: Changed { product, is_new: is_new && !is_replay }, is_replay });
            }
            Written::HandleTaken(_) | Written::Unwritten(_) if is_default && alternatives == 0 => alternatives = 1,
            Written::HandleTaken(_) | Written::Unwritten(_) => return Err(ProductError::HandleTaken(wished).into()),
            Written::Again => {}
        }
    }
    Err(ProductError::Contended(id.clone()).into())
}
