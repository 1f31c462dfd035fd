//! Lists of products: all of them, those with a tag, those that are searched for; in pages.
//!
//! A page ends at an entry of the index, and the next one goes on behind it, at whichever machine it is asked for. So a
//! product that exists throughout a walk, and is not renamed, is seen exactly once, also while shards are added.

use futures_util::future::try_join_all;
use redis::FromRedisValue;
use shardcart_schema::key;
use shardcart_schema::limit::QUERY_WORDS_MAX;
use shardcart_store::script::Call;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use crate::products::Product;
use crate::products::error::Result;
use crate::products::text;
use crate::products::walk::{self, Filter, Index};

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// The newest first.
    New,
}

/// What is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// Beginnings of words of the name and the tags, all of which a product has; then the order is that of one of them.
    pub words: Vec<String>,
    /// A tag that they have.
    pub tag: Option<String>,
    /// The order, where nothing is searched for.
    pub order: Order,
}

impl Query {
    /// The words of a text that is searched for; of very many the first ones count.
    pub fn words_of(search: &str) -> Vec<String> {
        let mut words = text::words(search);
        words.truncate(QUERY_WORDS_MAX);
        words
    }
}

/// Where a walk goes on: what a cursor tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The beginning of words that is walked, where words are searched for: chosen by the first page.
    pub walked: Option<String>,
    /// The last entry that is behind it.
    pub after: Vec<u8>,
}

/// Some products of a list.
#[derive(Debug)]
pub struct Page {
    /// They may be fewer than were asked for although there are more.
    pub products: Vec<Product>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Position>,
    /// The numbers of shards that did not answer, where that is allowed: their products are missing.
    pub missing: Vec<u16>,
}

/// Gives a page of a list. `is_partial` allows shards not to answer; such a walk promises nothing of their products.
///
/// # Errors
/// - `Shard`: one does not answer.
/// - `NotUnderstood`: a product of a later release.
pub async fn page(
    shards: &Shards,
    query: &Query,
    position: Option<&Position>,
    limit: usize,
    is_partial: bool,
) -> Result<Page> {
    let walked = match position {
        Some(position) => position.walked.clone(),
        None => rarest(shards, &query.words, is_partial).await?,
    };
    let (index, tag) = match (&walked, &query.tag, query.order) {
        (Some(walked), tag, _) => (Index::Words(walked.clone()), tag.clone()),
        (None, tag, Order::New) => (Index::Creation, tag.clone()),
        (None, Some(tag), Order::Name) => (Index::Tag(tag.clone()), None),
        (None, None, Order::Name) => (Index::Names, None),
    };
    let words = query.words.iter().filter(|word| Some(*word) != walked.as_ref()).cloned().collect();
    let after = position.map(|position| position.after.as_slice());
    let part = walk::part(shards, &index, &Filter { tag, words }, after, limit, is_partial).await?;
    let next = part.next.map(|after| Position { walked, after });
    Ok(Page { products: part.products, next, missing: part.missing })
}

/// The word whose beginning fewest entries have: it is walked.
async fn rarest(shards: &Shards, words: &[String], is_partial: bool) -> Result<Option<String>> {
    let [_, _, ..] = words else { return Ok(words.first().cloned()) };
    let counts = try_join_all(shards.iter().map(async |shard| {
        let count = |word: &String| {
            let mut count = redis::cmd("ZLEXCOUNT");
            count.arg(key::words_of_products(shard.tag()).to_string());
            count.arg([b"[", word.as_bytes()].concat()).arg([b"(", word.as_bytes(), b"\xff"].concat());
            Call::read(count)
        };
        match shard.run_all(words.iter().map(count).collect()).await {
            Ok(replies) => {
                let counts = replies.into_iter().map(|reply| Ok(u64::from_redis_value(reply?).unwrap_or(0)));
                counts.collect::<std::result::Result<Vec<u64>, ShardError>>()
            }
            Err(_) if is_partial => Ok(vec![0; words.len()]),
            Err(error) => Err(error),
        }
    }));
    let counts = counts.await?;
    let count_of = |place: usize| counts.iter().filter_map(|counts| counts.get(place)).sum::<u64>();
    let rarest = (0..words.len()).min_by_key(|place| count_of(*place));
    Ok(rarest.map(|place| words[place].clone()))
}
