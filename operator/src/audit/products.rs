//! Products: each has an item, all its entries in the lists of its shard, and its handle; no list has an entry of none.
//!
//! What is on one shard is compared by one script, at one moment. A handle's hint is on another: a product whose handle
//! seems to be another's is read once more, and is judged only if nothing wrote it meanwhile.

use futures_util::future::try_join_all;
use serde_json::json;
use shardcart_schema::key;
use shardcart_stock::audit::products::{self, Described, Found};
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;

use super::findings::{Findings, Kind};

type Done = Result<(), ShardError>;

/// Checks all products.
///
/// # Errors
/// A shard's.
pub(super) async fn check(shards: &Shards, findings: &Findings) -> Done {
    try_join_all(shards.iter().map(|shard| async move {
        products::scan(shard, |keys| of_keys(shards, shard, keys, findings)).await?;
        for (index, id) in products::strays(shard).await? {
            let detail = format!("{index} has an entry of {id}, which it should not have");
            findings.add(Kind::ProductListing, &id, json!(null), index, detail);
        }
        Ok::<(), ShardError>(())
    }))
    .await?;
    Ok(())
}

async fn of_keys(shards: &Shards, shard: &Shard, keys: Vec<String>, findings: &Findings) -> Done {
    let mut ids = Vec::with_capacity(keys.len());
    for key in &keys {
        let Some(parsed) = key::parse(key) else { continue };
        let home = shards.shard_of(parsed.name);
        if home != shard.number() || parsed.tag != shard.tag().as_str() {
            let detail = format!("{key} lies on stock shard {}, and belongs on {home}", shard.number());
            findings.add(Kind::Misplaced, parsed.name, format!("shard {home}"), key.clone(), detail);
            continue;
        }
        ids.push(parsed.name);
    }
    let mut carried = Vec::new();
    for (id, found) in ids.iter().zip(products::read(shard, &ids).await?) {
        match found {
            Found::Absent => {}
            Found::Newer => odd(findings, Kind::NotUnderstood, id, "another version"),
            Found::Unreadable => odd(findings, Kind::Unreadable, id, "no document"),
            Found::Product(product) => {
                described(findings, id, &product);
                if !product.handle.is_empty() {
                    carried.push((*id, product));
                }
            }
        }
    }
    handles(shards, shard, &carried, findings).await
}

fn odd(findings: &Findings, kind: Kind, id: &str, why: &str) {
    let expected = if kind == Kind::NotUnderstood { "version 1" } else { "a document" };
    findings.add(kind, id, expected, why, format!("product: {why}"));
}

fn described(findings: &Findings, id: &str, product: &Described) {
    if !product.has_item {
        findings.add(Kind::ProductWithoutItem, id, "an item", json!(null), "a product, and no such item".to_owned());
    }
    let Described { entries, listed, .. } = product;
    if entries != listed {
        let detail = format!("{listed} entries in lists, and it should have {entries}");
        findings.add(Kind::ProductListing, id, *entries, *listed, detail);
    }
}

async fn handles(shards: &Shards, shard: &Shard, carried: &[(&str, Described)], findings: &Findings) -> Done {
    let names: Vec<&str> = carried.iter().map(|(_, product)| product.handle.as_str()).collect();
    for ((id, product), owner) in carried.iter().zip(products::owners(shards, &names).await?) {
        if owner.as_deref() == Some(*id) {
            continue;
        }
        let again = products::read(shard, &[id]).await?;
        let is_same = matches!(again.as_slice(), [Found::Product(now)] if now.revision == product.revision);
        if is_same {
            let whose = owner.clone().unwrap_or_else(|| "nobody".to_owned());
            let detail = format!("it carries the handle {}, which belongs to {whose}", product.handle);
            findings.add(Kind::ProductHandle, id, *id, json!(owner), detail);
        }
    }
    Ok(())
}
