//! Names that only one may have, such as handles: claim the name, write the record that carries it, confirm the claim.
//!
//! The hint under the name says at whose record to look; the record is the truth. `docs/decisions/` has the reasons. Who
//! keeps to this order finds that no two records carry a name:
//!
//! 1. Read the record. If it carries the name already, claim nothing.
//! 2. Claim the name. If another's hint stands there, look at its record *after* the hint: one that carries the name owns
//!    it; otherwise the hint is stale, and may be named in a second claim.
//! 3. Write the record, if it is still as it was read and the deadline has not passed by the clock of its shard.
//! 4. Confirm the claim. If it is gone, read the hint again: another's hint means that the name was lost.
//!
//! A reader takes the hint first and the record after it. Where the record carries the name it confirms a claim; otherwise
//! it releases the hint. Both compare the whole hint, which has a new nonce with each claim.

use redis::{FromRedisValue, Value};
use shardcart_schema::key;
use shardcart_schema::limit::PRODUCTS_A_CALL;
use shardcart_schema::reply::Reply;
use shardcart_types::routing;

use crate::script::{Call, Script};
use crate::shard::Shard;
use crate::shard_error::ShardError;
use crate::shards::Shards;
use crate::spread;

crate::scripts! {
    CLAIM = "unique_claim.lua";
    CONFIRM = "unique_confirm.lua";
    RELEASE = "unique_release.lua";
}

/// A kind of names, and the shards on which their hints lie: the word in the keys of the hints.
#[derive(Debug, Clone, Copy)]
pub struct Names(pub &'static str);

/// A name to be claimed.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The name.
    pub name: &'a str,
    /// The id of the record that is to carry it.
    pub id: &'a str,
    /// The hint of another that was found stale; empty if none was.
    pub stale: &'a str,
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The record may be written until the deadline (Unix ms). The hint confirms it.
    Mine {
        /// The hint that now lies there.
        hint: String,
        /// Until when the record may be written.
        deadline_ms: u64,
    },
    /// This hint of another lies there.
    Anothers(String),
    /// A hint of a later release lies there.
    Newer,
}

/// Whether what was to be done with a hint was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Now or before.
    Done,
    /// Another hint lies there, or none.
    Changed,
    /// A claim that is not surely over was not released.
    Pending,
}

impl Names {
    /// The number of the shard on which the hint of a name lies: by a hash over the founding shards, whatever the name
    /// looks like.
    pub fn shard_of(self, shards: &Shards, name: &str) -> u16 {
        routing::shard_of_key(name, shards.membership().founding())
    }

    fn key(self, shard: &Shard, name: &str) -> String {
        key::unique(shard.tag(), self.0, name).to_string()
    }

    fn places<'a>(self, shards: &Shards, names: impl Iterator<Item = &'a str>) -> Vec<u16> {
        names.map(|name| self.shard_of(shards, name)).collect()
    }

    /// Claims names. Of the same name twice the first gets it.
    ///
    /// A claim whose answer is lost may stand: it runs out by itself.
    pub async fn claim(self, shards: &Shards, claims: &[Claim<'_>]) -> Vec<Result<Claimed, ShardError>> {
        let places = self.places(shards, claims.iter().map(|claim| claim.name));
        let nonces: Vec<String> = claims.iter().map(|_| format!("{:016x}", fastrand::u64(..))).collect();
        let replies = spread::ask(shards, &places, PRODUCTS_A_CALL, |shard, chunk| {
            let keys: Vec<String> = chunk.iter().map(|place| self.key(shard, claims[*place].name)).collect();
            let mut call = CLAIM.keys(&keys);
            for place in chunk {
                call.push(claims[*place].id);
                call.push(&nonces[*place]);
                call.push(claims[*place].stale);
            }
            call
        });
        let replies = replies.await.into_iter().zip(&places).zip(claims.iter().zip(&nonces));
        replies.map(|((reply, shard), (claim, nonce))| claimed(reply?, *shard, claim.id, nonce)).collect()
    }

    /// Confirms claims by their hints. May be repeated.
    pub async fn confirm(self, shards: &Shards, hints: &[(&str, &str)]) -> Vec<Result<Settled, ShardError>> {
        self.settle(shards, &CONFIRM, hints).await
    }

    /// Deletes hints that are stale. May be repeated.
    pub async fn release(self, shards: &Shards, hints: &[(&str, &str)]) -> Vec<Result<Settled, ShardError>> {
        self.settle(shards, &RELEASE, hints).await
    }

    async fn settle(
        self,
        shards: &Shards,
        script: &'static Script,
        hints: &[(&str, &str)],
    ) -> Vec<Result<Settled, ShardError>> {
        let places = self.places(shards, hints.iter().map(|(name, _)| *name));
        let replies = spread::ask(shards, &places, PRODUCTS_A_CALL, |shard, chunk| {
            let keys: Vec<String> = chunk.iter().map(|place| self.key(shard, hints[*place].0)).collect();
            let mut call = script.keys(&keys).repeatable();
            chunk.iter().for_each(|place| call.push(hints[*place].1));
            call
        });
        let settled = |(reply, shard): (Result<Value, ShardError>, &u16)| {
            let word = word(reply?);
            match Reply::parse(&word) {
                Some(Reply::Done) => Ok(Settled::Done),
                Some(Reply::Changed) => Ok(Settled::Changed),
                Some(Reply::Pending) => Ok(Settled::Pending),
                _ => Err(unexpected(*shard, script.name(), &word)),
            }
        };
        replies.await.into_iter().zip(&places).map(settled).collect()
    }

    /// Reads hints as they lie there.
    pub async fn read(self, shards: &Shards, names: &[&str]) -> Vec<Result<Option<String>, ShardError>> {
        let places = self.places(shards, names.iter().copied());
        let replies = spread::ask(shards, &places, PRODUCTS_A_CALL, |shard, chunk| {
            let mut command = redis::cmd("MGET");
            chunk.iter().for_each(|place| {
                command.arg(self.key(shard, names[*place]));
            });
            Call::read(command)
        });
        let hint = |(reply, shard): (Result<Value, ShardError>, &u16)| {
            Option::<String>::from_redis_value(reply?).map_err(|error| unexpected(*shard, "MGET", &error.to_string()))
        };
        replies.await.into_iter().zip(&places).map(hint).collect()
    }
}

fn claimed(reply: Value, shard: u16, id: &str, nonce: &str) -> Result<Claimed, ShardError> {
    let line = word(reply);
    match Reply::split(&line) {
        Some((Reply::Claimed, deadline)) => {
            let deadline_ms = deadline.parse().map_err(|_| unexpected(shard, CLAIM.name(), &line))?;
            let hint = shardcart_schema::unique::claimed(nonce, deadline_ms, id);
            Ok(Claimed::Mine { hint, deadline_ms })
        }
        Some((Reply::Exists, hint)) => Ok(Claimed::Anothers(hint.to_owned())),
        Some((Reply::Newer, _)) => Ok(Claimed::Newer),
        _ => Err(unexpected(shard, CLAIM.name(), &line)),
    }
}

fn word(reply: Value) -> String {
    String::from_redis_value(reply).unwrap_or_default()
}

fn unexpected(shard: u16, call: &str, reply: &str) -> ShardError {
    ShardError::Unanswered { shard, cause: format!("{call} answered {reply:?}") }
}
