//! Looking at a data set without joining it: everything is checked as at a machine's start, and nothing is written.

use std::sync::Arc;

use shardcart_schema::identity::SCHEMA_VERSION;
use shardcart_types::address::Address;

use super::{Fatal, Membership};
use crate::identity::{Found, Identity};
use crate::settings::RedisSettings;

impl Membership {
    /// Connects to all shards of a data set and checks their identity records. Writes nothing: an empty shard, a
    /// missing one and a list that is too short are refused.
    ///
    /// The currency is the data set's own, whatever the settings say.
    ///
    /// # Errors
    /// One sentence for the operator: what is wrong with which shard, and what to do.
    pub async fn observe(
        service: &'static str,
        addresses: Vec<Address>,
        settings: &RedisSettings,
    ) -> Result<Arc<Self>, String> {
        let membership = Membership::of(service, addresses, None, settings, Fatal::default())?;
        membership.look(true).await.map_err(|refused| format!("{service}: {refused}"))?;
        Ok(membership)
    }

    /// The same, but shards that do not answer are let be, as long as one does: for a look at a system that is not
    /// whole.
    ///
    /// # Errors
    /// As [`Membership::observe`].
    pub async fn observe_what_answers(
        service: &'static str,
        addresses: Vec<Address>,
        settings: &RedisSettings,
    ) -> Result<Arc<Self>, String> {
        let membership = Membership::of(service, addresses, None, settings, Fatal::default())?;
        membership.look(false).await.map_err(|refused| format!("{service}: {refused}"))?;
        Ok(membership)
    }

    async fn look(self: &Arc<Self>, all: bool) -> Result<(), String> {
        let shards = self.shards()?;
        let found = self.read_identities(&shards).await?;
        if let Some(silent) = found.iter().position(Option::is_none).filter(|_| all) {
            return Err(format!("shard {silent} does not answer at {}", self.addresses[silent]));
        }
        let known = found.iter().flatten().filter_map(|found| match found {
            Found::Identity(identity) => Some(identity),
            Found::Empty | Found::NotOurs => None,
        });
        let known: Vec<&Identity> = known.collect();
        let Some(one) = known.first() else {
            return Err("no shard holds a data set: check the addresses".to_owned());
        };
        let first = Identity {
            service: self.service.to_owned(),
            schema: SCHEMA_VERSION,
            // Growth raises it on one shard after the other.
            members: known.iter().map(|identity| identity.members).max().unwrap_or(1),
            ..one.of_shard(0, self.tags[0])
        };
        for (shard, found) in (0..).zip(&found) {
            if let Some(found) = found {
                self.identity_of(&first, shard).admit(found)?;
            }
        }
        self.check_founding(&first)?;
        if self.count() < first.members {
            return Err(format!(
                "the data set has {} shards, but only {} addresses are given",
                first.members,
                self.count()
            ));
        }
        let _ = self.identity.set(first);
        Ok(())
    }
}
