//! The identity record that every shard carries, so that data is never mixed up: which data set it belongs to,
//! which service's, and which shard of it.

use std::collections::HashMap;

use redis::{FromRedisValue, Value};
use shardcart_schema::reply::Reply;
use shardcart_schema::tag::{Owner, Tag};
use shardcart_schema::{identity, key};
use uuid::Uuid;

use crate::script::Call;

crate::scripts! {
    IDENTITY = "identity.lua";
    MISPLACED = "misplaced.lua";
}

/// A record in the wrong place is recognised if its shard's number is below this, or below the length of the list.
const MISPLACED_MIN: u16 = 64;

/// What a shard's identity record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The data set: a random id made when its first shards were.
    pub data_set: String,
    /// `order`, `stock` or `payment`.
    pub service: String,
    /// The shard's number.
    pub shard: u16,
    /// The hash tag of the shard's keys; empty in a record of schema 2.
    pub tag: String,
    /// The number of shards when the data set was created: foreign ids are spread over these for ever.
    pub founding: u16,
    /// See [`identity::SCHEMA_VERSION`].
    pub schema: u32,
    /// Currency, ISO 4217.
    pub currency: String,
    /// How many shards the data set was last known to have.
    pub members: u16,
}

/// What was found where an identity record belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No keys at all.
    Empty,
    /// Keys, but none that says whose they are.
    NotOurs,
    /// A record.
    Identity(Identity),
}

impl Identity {
    /// The identity of the first shard of a new data set. Its other shards join it one by one.
    pub fn of_new_data_set(service: &str, tag: Tag, founding: u16, currency: &str) -> Self {
        Identity {
            data_set: Uuid::new_v4().hyphenated().to_string(),
            service: service.to_owned(),
            shard: 0,
            tag: tag.to_string(),
            founding,
            schema: identity::SCHEMA_VERSION,
            currency: currency.to_owned(),
            members: 1,
        }
    }

    /// The identity of another shard of the same data set.
    #[must_use]
    pub fn of_shard(&self, shard: u16, tag: Tag) -> Self {
        Identity { shard, tag: tag.to_string(), ..self.clone() }
    }

    /// The call that reads a shard's record.
    pub fn read(tag: Tag) -> Call {
        IDENTITY.keys(&[key::identity(tag).to_string()]).arg(identity::READ)
    }

    /// The call that looks for the record of any other shard on a server that has keys, but not the record that belongs
    /// there: of all services, with numbers up to `count`, or of an earlier schema.
    pub fn read_misplaced(count: u16) -> Call {
        let shards = 0..count.max(MISPLACED_MIN);
        let tags = Owner::ALL.into_iter().flat_map(|owner| shards.clone().map(move |shard| Tag::of(owner, shard)));
        let keys: Vec<String> =
            tags.map(|tag| key::identity(tag).to_string()).chain([key::OLD_IDENTITY.to_owned()]).collect();
        MISPLACED.keys(&keys)
    }

    /// The call that writes this record on an empty shard, or raises `members` on its own.
    pub fn write(&self) -> Call {
        IDENTITY
            .keys(&[key::identity(&self.tag).to_string()])
            .arg(identity::WRITE)
            .arg(&self.data_set)
            .arg(&self.service)
            .arg(self.shard)
            .arg(self.founding)
            .arg(self.schema)
            .arg(&self.currency)
            .arg(self.members)
            .arg(&self.tag)
    }

    /// Compares a record with this one, which the shard should carry. `members` may differ: it is a note on growth.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub fn admit(&self, found: &Found) -> Result<(), String> {
        let shard = self.shard;
        let found = match found {
            Found::Identity(found) => found,
            Found::Empty => {
                return Err(format!(
                    "shard {shard} came back empty: its data is lost; restore it from its append-only file or a replica"
                ));
            }
            Found::NotOurs => {
                return Err(format!(
                    "shard {shard} holds keys that are not ours: give it a Redis (or REDIS_DB) of its own"
                ));
            }
        };
        if found.service != self.service {
            return Err(format!(
                "shard {shard} belongs to the {} service, not to {}: each service needs Redis servers (or a REDIS_DB) of its own",
                found.service, self.service
            ));
        }
        if found.data_set != self.data_set {
            return Err(format!(
                "shard {shard} belongs to another data set ({}, expected {}): check the addresses",
                found.data_set, self.data_set
            ));
        }
        if found.shard != shard {
            return Err(format!(
                "the address list is out of order: at place {shard} stands shard {}; shards are only ever added at the end",
                found.shard
            ));
        }
        if found.schema != self.schema {
            return Err(format!(
                "shard {shard} has schema {}, this release knows {}: run a release that knows it",
                found.schema, self.schema
            ));
        }
        if found.currency != self.currency {
            return Err(format!(
                "shard {shard} is in {}, not in {}: set CURRENCY to what the data set was created with",
                found.currency, self.currency
            ));
        }
        if found.tag != self.tag {
            return Err(format!(
                "shard {shard} has the tag {}, and its keys have {}: its identity record was changed",
                found.tag, self.tag
            ));
        }
        if found.founding != self.founding {
            return Err(format!(
                "shard {shard} was founded with {} shards, its data set with {}",
                found.founding, self.founding
            ));
        }
        Ok(())
    }
}

impl Found {
    /// Understands the reply of the script.
    ///
    /// # Errors
    /// A sentence: the record cannot be read.
    pub fn parse(reply: Value) -> Result<Self, String> {
        let words: Vec<String> =
            Vec::from_redis_value(reply).map_err(|error| format!("the identity record cannot be read: {error}"))?;
        match words.as_slice() {
            [] => return Ok(Found::Empty),
            [word] if Reply::parse(word) == Some(Reply::NotEmpty) => return Ok(Found::NotOurs),
            _ => {}
        }
        let mut fields: HashMap<&str, &str> =
            words.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        let mut text = |name: &str| {
            fields.remove(name).map(str::to_owned).ok_or_else(|| format!("the identity record has no field {name}"))
        };
        let number =
            |text: String| text.parse::<u16>().map_err(|_| format!("the identity record has a bad number: {text}"));
        let schema = u32::from(number(text(identity::SCHEMA)?)?);
        let has_tag = schema >= identity::SCHEMA_VERSION;
        Ok(Found::Identity(Identity {
            data_set: text(identity::DATA_SET)?,
            service: text(identity::SERVICE)?,
            shard: number(text(identity::SHARD)?)?,
            founding: number(text(identity::FOUNDING)?)?,
            schema,
            tag: if has_tag { text(identity::TAG)? } else { String::new() },
            currency: text(identity::CURRENCY)?,
            members: number(text(identity::MEMBERS)?)?,
        }))
    }
}
