//! Every key of every shard, before anything is joined or taken for a repetition: whether it belongs where it lies, and
//! whether what lies under it can be there. Records are looked into by the pass.

use futures_util::future::try_join_all;
use shardcart_order::audit as orders;
use shardcart_schema::key::{self, Kind as KeyKind, Parts};
use shardcart_store::scan;
use shardcart_store::shard::Shard;
use shardcart_store::shard_error::ShardError;
use shardcart_store::shards::Shards;
use shardcart_types::ids;

use super::findings::{Findings, Kind};
use super::progress::Progress;
use super::source::Source;
use super::{AuditError, entries, shard_failed};

/// What lies on each shard of a service.
const ANYWHERE: [KeyKind; 3] = [KeyKind::Identity, KeyKind::Idempotency, KeyKind::Keyed];
const AT_ORDER: [KeyKind; 4] = [KeyKind::Order, KeyKind::Cart, KeyKind::Inflight, KeyKind::Overwritten];
const AT_STOCK: [KeyKind; 8] = [
    KeyKind::Item,
    KeyKind::Held,
    KeyKind::Ended,
    KeyKind::Product,
    KeyKind::Products,
    KeyKind::Tag,
    KeyKind::Words,
    KeyKind::Unique,
];
const AT_PAYMENT: [KeyKind; 4] = [KeyKind::User, KeyKind::Payment, KeyKind::Held, KeyKind::Ended];

/// Looks at all keys of all shards, and into tombstones and the records of idempotency keys.
///
/// # Errors
/// A shard does not answer.
pub async fn check(source: &Source, findings: &Findings, progress: &Progress) -> Result<(), AuditError> {
    progress.say("keys");
    let services = source.all().map(|shards| async move {
        let service = shards.membership().service();
        let own: &[KeyKind] = match service {
            "order" => &AT_ORDER,
            "stock" => &AT_STOCK,
            _ => &AT_PAYMENT,
        };
        let walks = shards.iter().map(|shard| async move {
            let place = Place { service, shards, shard, findings };
            let place = &place;
            let read = |keys: Vec<String>| async move {
                let mut parts: Vec<Parts<'_>> = keys.iter().filter_map(|key| place.part(key, own)).collect();
                parts.retain(|parts| place.is_home(parts));
                place.check_values(&parts).await?;
                progress.add(keys.len());
                Ok::<_, ShardError>(())
            };
            scan::scan(shard, "*", read).await
        });
        try_join_all(walks).await.map_err(shard_failed(service))
    });
    try_join_all(services).await.map(|_| ())
}

/// The id by which a record's key is routed, if it lies where that id belongs: what lies elsewhere is not the shop's.
pub fn home_id<'a>(shards: &Shards, shard: &Shard, key: &'a str) -> Option<&'a str> {
    let parts = key::parse(key)?;
    let is_home = parts.tag == shard.tag().as_str() && owner(shards, &parts).is_none_or(|home| home == shard.number());
    is_home.then(|| routed(&parts)).flatten()
}

/// The id by which a key is routed; `None` for what a shard has one of.
fn routed<'a>(parts: &Parts<'a>) -> Option<&'a str> {
    match parts.kind? {
        KeyKind::Order | KeyKind::Cart | KeyKind::Item | KeyKind::User | KeyKind::Product => Some(parts.name),
        KeyKind::Payment => key::two(parts.name).map(|(user, _)| user),
        // The name of a key's record is a digest, and a hint is where its own name is spread to.
        KeyKind::Idempotency | KeyKind::Unique => None,
        KeyKind::Inflight | KeyKind::Overwritten | KeyKind::Held | KeyKind::Ended | KeyKind::Identity => None,
        KeyKind::Keyed | KeyKind::Products | KeyKind::Tag | KeyKind::Words => None,
    }
}

/// The number of the shard that owns what lies under a key; `None`: any.
fn owner(shards: &Shards, parts: &Parts<'_>) -> Option<u16> {
    routed(parts).map(|id| shards.shard_of(id))
}

/// A shard whose keys are looked at.
struct Place<'a> {
    service: &'static str,
    shards: &'a Shards,
    shard: &'a Shard,
    findings: &'a Findings,
}

impl Place<'_> {
    /// A key in its parts, if the service has keys like it.
    fn part<'a>(&self, key: &'a str, own: &[KeyKind]) -> Option<Parts<'a>> {
        let parts = key::parse(key).filter(|parts| {
            parts.kind.is_some_and(|kind| ANYWHERE.contains(&kind) || own.contains(&kind)) && is_named(parts)
        });
        if parts.is_none() {
            let (service, shard) = (self.service, self.shard.number());
            let detail = format!("lies on {service} shard {shard}, where no release writes such a key");
            self.findings.add(Kind::UnknownKey, key, format!("a key of {service}"), key, detail);
        }
        parts
    }

    /// Whether a key lies where its id belongs, under the tag of its shard; if not, that is noted.
    fn is_home(&self, parts: &Parts<'_>) -> bool {
        let (service, found) = (self.service, self.shard.number());
        let home = owner(self.shards, parts);
        let (belongs, wrong) = match home {
            Some(home) if home != found => (format!("shard {home}"), format!("belongs on shard {home}")),
            _ if parts.tag != self.shard.tag().as_str() => {
                let tag = self.shard.tag();
                (format!("{{{tag}}}"), format!("has the tag of another shard, expected {{{tag}}}"))
            }
            _ => return true,
        };
        let detail = format!("{parts} lies on {service} shard {found}, and {wrong}");
        let id = routed(parts).map_or_else(|| parts.to_string(), str::to_owned);
        self.findings.add(Kind::Misplaced, &id, belongs, parts.to_string(), detail);
        false
    }

    /// Looks into what is no record of a pass: carts without an order, tombstones, the records of idempotency keys.
    async fn check_values(&self, parts: &[Parts<'_>]) -> Result<(), ShardError> {
        let of = |kind: KeyKind| parts.iter().filter(move |parts| parts.kind == Some(kind));
        let carts: Vec<&str> = of(KeyKind::Cart).map(|parts| parts.name).collect();
        if !carts.is_empty() {
            for id in orders::orphans(self.shard, &carts).await? {
                let detail = format!("a cart on order shard {}, and no order", self.shard.number());
                self.findings.add(Kind::CartWithoutOrder, &id, "an order", "none", detail);
            }
        }
        let keys: Vec<String> = of(KeyKind::Idempotency).map(ToString::to_string).collect();
        if !keys.is_empty() {
            entries::check_idempotency(self.shard, &keys, self.findings).await?;
        }
        for second in of(KeyKind::Ended).filter_map(|parts| parts.name.parse().ok()) {
            entries::check_tombstones(self.service, self.shard, second, self.findings).await?;
        }
        Ok(())
    }
}

/// Whether a key's name has the form that keys of its kind have.
fn is_named(parts: &Parts<'_>) -> bool {
    let is_id = |id: &str| ids::check(id).is_ok();
    match parts.kind {
        Some(KeyKind::Order | KeyKind::Cart | KeyKind::Item | KeyKind::User | KeyKind::Product) => is_id(parts.name),
        Some(KeyKind::Payment) => key::two(parts.name).is_some_and(|(user, order)| is_id(user) && is_id(order)),
        Some(KeyKind::Ended) => entries::is_whole(parts.name),
        Some(KeyKind::Idempotency | KeyKind::Tag | KeyKind::Unique) => !parts.name.is_empty(),
        Some(KeyKind::Inflight | KeyKind::Overwritten | KeyKind::Held | KeyKind::Identity) => parts.name.is_empty(),
        Some(KeyKind::Keyed | KeyKind::Words) => parts.name.is_empty(),
        // By name, and by a second order.
        Some(KeyKind::Products) => true,
        None => false,
    }
}
