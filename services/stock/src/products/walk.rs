//! Walking an index over all shards: each shard gives its products in order, a part at a time, and they are merged.

use std::cmp::Ordering;
use std::collections::VecDeque;

use futures_util::future::join_all;
use redis::{FromRedisValue, Value};
use shardcart_schema::key::{self, Kind};
use shardcart_schema::limit::PAGE_LOOKS_MAX;
use shardcart_schema::product;
use shardcart_store::script::Call;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids::ItemId;

use crate::products::Product;
use crate::products::error::{ProductError, Result};
use crate::products::{lookup, records};
use crate::scripts::PRODUCT_PAGE;

/// How often a shard is asked for a page at most: a filter that few products pass ends a page early.
const ROUNDS_MAX: usize = 8;

/// Which index is walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Index {
    Names,
    /// The newest first.
    Creation,
    Tag(String),
    /// The words that begin so.
    Words(String),
}

impl Index {
    fn is_backwards(&self) -> bool {
        *self == Index::Creation
    }

    fn key(&self, shard: &Shard) -> String {
        let tag = shard.tag();
        match self {
            Index::Names => key::products(tag).to_string(),
            Index::Creation => key::products_by_creation(tag).to_string(),
            Index::Tag(name) => key::products_with_tag(tag, name).to_string(),
            Index::Words(_) => key::words_of_products(tag).to_string(),
        }
    }

    /// Where a walk begins that goes on behind an entry, and where it ends, as Redis takes it.
    fn bounds(&self, after: Option<&[u8]>) -> [Vec<u8>; 2] {
        let behind = after.map(|entry| [b"(", entry].concat());
        match self {
            Index::Words(start) => {
                // No text has this byte.
                let end = [b"(", start.as_bytes(), b"\xff"].concat();
                [behind.unwrap_or_else(|| [b"[", start.as_bytes()].concat()), end]
            }
            Index::Creation => [behind.unwrap_or_else(|| b"+".to_vec()), b"-".to_vec()],
            Index::Names | Index::Tag(_) => [behind.unwrap_or_else(|| b"-".to_vec()), b"+".to_vec()],
        }
    }

    fn compare(&self, one: &[u8], other: &[u8]) -> Ordering {
        if self.is_backwards() { other.cmp(one) } else { one.cmp(other) }
    }
}

/// What all products of a walk have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub tag: Option<String>,
    /// Words begin so.
    pub words: Vec<String>,
}

/// A part of a walk.
#[derive(Debug)]
pub(crate) struct Part {
    pub products: Vec<Product>,
    /// The entry behind which the walk goes on; `None`: it is over.
    pub next: Option<Vec<u8>>,
    /// Shards that did not answer, where that is allowed.
    pub missing: Vec<u16>,
}

/// One shard in a walk.
struct Walker<'a> {
    shard: &'a Shard,
    found: VecDeque<(Vec<u8>, Product)>,
    /// Everything up to here was looked at.
    looked: Option<Vec<u8>>,
    is_over: bool,
}

impl Walker<'_> {
    /// Whether it is not known what it has next.
    fn is_blind(&self) -> bool {
        self.found.is_empty() && !self.is_over
    }
}

/// Walks on behind an entry, for so many products.
///
/// # Errors
/// A shard's, unless `is_partial`; `NotUnderstood`.
pub(crate) async fn part(
    shards: &Shards,
    index: &Index,
    filter: &Filter,
    after: Option<&[u8]>,
    limit: usize,
    is_partial: bool,
) -> Result<Part> {
    let after = after.map(<[u8]>::to_vec);
    let walker = |shard| Walker { shard, found: VecDeque::new(), looked: after.clone(), is_over: false };
    let mut walkers: Vec<Walker<'_>> = shards.iter().map(walker).collect();
    let (mut products, mut last, mut missing) = (Vec::new(), None, Vec::new());
    for _ in 0..ROUNDS_MAX {
        let wanted = limit - products.len();
        let asked = walkers.iter_mut().filter(|walker| walker.is_blind());
        let answers = join_all(asked.map(async |walker| {
            let answer = look(walker.shard, index, filter, walker.looked.as_deref(), wanted).await;
            (walker, answer)
        }));
        for (walker, answer) in answers.await {
            match answer {
                Ok(Look { found, looked, is_over }) => {
                    walker.found.extend(found);
                    walker.looked = looked.or(walker.looked.take());
                    walker.is_over = is_over;
                }
                Err(ProductError::Shard(error)) if is_partial => {
                    log::warn!(shard = walker.shard.number(), error:%; "a page lacks the products of a shard");
                    missing.push(walker.shard.number());
                    walker.is_over = true;
                }
                Err(error) => return Err(error),
            }
        }
        while products.len() < limit {
            let Some((entry, product)) = next(index, &mut walkers) else { break };
            products.push(product);
            last = Some(entry);
        }
        if products.len() == limit || !walkers.iter().any(Walker::is_blind) {
            break;
        }
    }
    let blind = walkers.iter().filter(|walker| walker.is_blind()).filter_map(|walker| walker.looked.clone());
    let is_over = walkers.iter().all(|walker| walker.is_over && walker.found.is_empty());
    let next = if is_over {
        None
    } else if products.len() == limit {
        last
    } else {
        // The rounds were up: everything before the first that is not known is on the page.
        blind.min_by(|one, other| index.compare(one, other)).or(last)
    };
    missing.sort_unstable();
    Ok(Part { products, next, missing })
}

/// Takes the next product of all shards; `None`: it is not known, or there is none.
fn next(index: &Index, walkers: &mut [Walker<'_>]) -> Option<(Vec<u8>, Product)> {
    let heads = walkers.iter().enumerate().filter_map(|(place, walker)| Some((place, &walker.found.front()?.0)));
    let (place, entry) = heads.min_by(|(_, one), (_, other)| index.compare(one, other))?;
    let is_known = walkers
        .iter()
        .filter(|walker| walker.is_blind())
        .all(|walker| walker.looked.as_ref().is_some_and(|looked| index.compare(looked, entry) != Ordering::Less));
    if is_known { walkers[place].found.pop_front() } else { None }
}

struct Look {
    found: Vec<(Vec<u8>, Product)>,
    looked: Option<Vec<u8>>,
    is_over: bool,
}

async fn look(shard: &Shard, index: &Index, filter: &Filter, after: Option<&[u8]>, limit: usize) -> Result<Look> {
    let tag = filter.tag.as_deref().unwrap_or_default();
    let is_filtered = !tag.is_empty() || !filter.words.is_empty() || matches!(index, Index::Words(_));
    let [from, to] = index.bounds(after);
    let keys = [
        index.key(shard),
        key::own(shard.tag(), Kind::Product).to_string(),
        key::own(shard.tag(), Kind::Item).to_string(),
    ];
    let command = if index.is_backwards() { "ZREVRANGEBYLEX" } else { "ZRANGEBYLEX" };
    let walked = if let Index::Words(start) = index { start.as_str() } else { "" };
    let mut call = PRODUCT_PAGE.keys(&keys).arg(command).arg(from).arg(to).arg(limit);
    call.push(if is_filtered { PAGE_LOOKS_MAX } else { limit });
    call.push(walked);
    call.push(tag);
    filter.words.iter().for_each(|word| call.push(word));
    understood(shard, &call, shard.run(&call).await?)
}

fn understood(shard: &Shard, call: &Call, reply: Value) -> Result<Look> {
    let unexpected = |cause: String| ShardError::Unanswered { shard: shard.number(), cause };
    let values = Vec::<Option<Vec<u8>>>::from_redis_value(reply).map_err(|error| unexpected(error.to_string()))?;
    let [Some(more), Some(looked), rest @ ..] = values.as_slice() else {
        return Err(unexpected(format!("{} answered {} values", call.name(), values.len())).into());
    };
    let mut found = Vec::with_capacity(rest.len() / 3);
    for product in rest.chunks_exact(3) {
        let [Some(entry), document, item] = product else { continue };
        let (_, id) = product::member(entry).ok_or_else(|| unexpected("an entry names no product".to_owned()))?;
        let id = ItemId::parse(id).map_err(|error| unexpected(error.to_string()))?;
        let stored = records::parse(id.as_str(), document.as_deref(), item.as_deref())?;
        found.push((entry.clone(), lookup::told(&id, stored)?));
    }
    let looked = Some(looked.clone()).filter(|looked| !looked.is_empty());
    Ok(Look { found, looked, is_over: more.as_slice() != b"more" })
}
