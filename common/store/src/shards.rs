//! All shards of a service as one worker thread sees them: routing to one, and minting on one.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use shardcart_schema::reply::Reply;
use shardcart_types::ids::{InvalidId, now_ms};
use shardcart_types::routing;

use crate::beyond::Beyond;
use crate::idempotency::{Done, IdempotencyKey, KeyReused, TooManyKeys};
use crate::membership::Membership;
use crate::script::{Call, words};
use crate::shard::Shard;
use crate::shard_error::ShardError;

/// How long shards that do not answer are passed over before a creation fails.
const MINT_MAX: Duration = Duration::from_secs(2);

/// Why nothing was created under a new id.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MintError {
    /// The idempotency key was used for another request. Nothing was created.
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// The key's shard has as many records as it may. Nothing was created.
    #[error(transparent)]
    TooManyKeys(#[from] TooManyKeys),
    /// The shard's; see there. With a key it may be repeated.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// The shards of one service, with connections of their own: each worker thread has one of these.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Shard>,
    membership: Arc<Membership>,
    minting: Vec<u16>,
    turn: AtomicUsize,
    beyond: Beyond,
}

/// Makes the shards of a data set for one worker thread after the other.
#[derive(Debug, Clone)]
pub struct ShardsFactory(Arc<Membership>);

impl ShardsFactory {
    /// Checks that shards can be made, by making some.
    ///
    /// # Errors
    /// A sentence: the settings cannot be turned into connections.
    pub fn new(membership: Arc<Membership>) -> Result<Self, String> {
        Shards::new(&membership)?;
        Ok(ShardsFactory(membership))
    }

    /// Shards with connections of their own, for one thread.
    pub fn shards(&self) -> Arc<Shards> {
        // Nothing but the membership's settings decides whether this succeeds, and they never change.
        Arc::new(Shards::new(&self.0).expect("`new` made shards from the same settings"))
    }
}

impl Shards {
    /// The shards of a data set that this machine has joined. Connects when they are first used.
    ///
    /// # Errors
    /// A sentence: the settings cannot be turned into connections.
    pub fn new(membership: &Arc<Membership>) -> Result<Self, String> {
        let minting = membership.minting_shards();
        // Workers begin at different places, so that together they spread evenly from the first id on.
        let turn = AtomicUsize::new(usize::try_from(now_ms() % 4096).unwrap_or(0));
        Ok(Shards {
            shards: membership.shards()?,
            membership: Arc::clone(membership),
            minting,
            turn,
            beyond: Beyond::default(),
        })
    }

    /// The number of the shard that owns an id.
    pub fn shard_of(&self, id: &str) -> u16 {
        routing::shard(id, self.membership.founding())
    }

    /// The shard that owns an id; `None` if nobody can have made the id, as the data set has no such shard.
    ///
    /// # Errors
    /// `BeyondList`: another machine may know the shard.
    pub async fn home(&self, id: &str) -> Result<Option<&Shard>, ShardError> {
        let number = self.shard_of(id);
        match self.shards.get(usize::from(number)) {
            Some(shard) => Ok(Some(shard)),
            // Boxed: ids that were made here never come this way, and pay nothing for it.
            None if Box::pin(self.may_have(number)).await => Err(ShardError::BeyondList { shard: number }),
            None => Ok(None),
        }
    }

    /// Whether the data set may have a shard of this number. Asks the shards of the list about one that is beyond it; logs,
    /// at a bounded rate, that they do not rule it out.
    pub async fn may_have(&self, number: u16) -> bool {
        let is_beyond = usize::from(number) >= self.shards.len();
        if is_beyond && self.beyond.is_complete(&self.shards).await {
            return false;
        }
        if is_beyond {
            self.beyond.note(self.membership.service(), number);
        }
        true
    }

    /// The shard that owns an id, as far as this machine knows.
    ///
    /// # Errors
    /// `BeyondList`: this machine does not know the shard (yet).
    pub fn route(&self, id: &str) -> Result<&Shard, ShardError> {
        self.shard(self.shard_of(id))
    }

    /// A shard by its number.
    ///
    /// # Errors
    /// `BeyondList`: this machine does not know it (yet).
    pub fn shard(&self, number: u16) -> Result<&Shard, ShardError> {
        self.shards.get(usize::from(number)).ok_or(ShardError::BeyondList { shard: number })
    }

    /// All shards in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Shard> {
        self.shards.iter()
    }

    /// This machine's place in the data set.
    pub fn membership(&self) -> &Arc<Membership> {
        &self.membership
    }

    /// The shards on which something new may be created, in the order in which they are tried: this machine's in turn,
    /// then others; those that do not answer last.
    pub fn minting_order(&self) -> Vec<u16> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let own = (0..self.minting.len()).map(|step| self.minting[(turn + step) % self.minting.len()]);
        let others = (0..self.membership.open_shards()).filter(|shard| !self.minting.contains(shard));
        let mut candidates: Vec<u16> = own.chain(others).collect();
        // A stable sort: shards that answer come first, in their order.
        candidates.sort_by_key(|shard| self.shard(*shard).is_ok_and(Shard::is_silent));
        candidates
    }

    /// The shard on which something is created with a key: the same whichever machine is asked.
    pub fn shard_of_key(&self, key: &IdempotencyKey) -> u16 {
        routing::shard_of_key(key.as_str(), self.membership.founding())
    }

    /// Creates something under a new id: on this machine's shards in turn, on another where they do not answer.
    ///
    /// `create` makes the call for a new id (shard and Unix milliseconds given); it must change nothing and
    /// answer `EXISTS` if the id is taken. An attempt whose answer was lost may leave something behind under an
    /// id that nobody was told.
    ///
    /// # Errors
    /// The last shard's, when none takes it.
    pub async fn mint<Id>(&self, mut create: impl FnMut(&Shard, u64) -> (Id, Call)) -> Result<Id, ShardError> {
        let mut failure = None;
        let began = Instant::now();
        for number in self.minting_order() {
            if failure.is_some() && began.elapsed() > MINT_MAX {
                break;
            }
            let shard = self.shard(number)?;
            let (id, call) = create(shard, now_ms());
            match shard.run(&call).await {
                Ok(Value::SimpleString(word)) if word != Reply::Exists.as_str() => return Ok(id),
                Ok(Value::BulkString(word)) if word != Reply::Exists.as_str().as_bytes() => return Ok(id),
                Ok(other) => {
                    failure = Some(ShardError::Refused { shard: number, cause: format!("{}: {other:?}", call.name()) });
                }
                Err(error) => {
                    log::warn!(service = self.membership.service(), shard = number, error:%; "a shard takes no new id: trying the next");
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or(ShardError::BeyondList { shard: 0 }))
    }

    /// Creates something under a new id, as [`Shards::mint`] does, but with a key only once: on the one shard that the
    /// key names, whichever machine is asked. Then `create` makes a call with [`IdempotencyKey::creation`].
    ///
    /// # Errors
    /// - `KeyReused`, `TooManyKeys`: refused, nothing was created.
    /// - `Shard`: with a key no other shard is tried, as a repeat would not look there. It may be repeated.
    pub async fn mint_once<Id>(
        &self,
        key: Option<&IdempotencyKey>,
        create: impl FnMut(&Shard, u64) -> (Id, Call),
    ) -> Result<Done<Id>, MintError>
    where
        Id: FromStr<Err = InvalidId>,
    {
        match key {
            None => Ok(Done::now(self.mint(create).await?)),
            Some(key) => self.mint_for(key, create).await,
        }
    }

    async fn mint_for<Id>(
        &self,
        key: &IdempotencyKey,
        mut create: impl FnMut(&Shard, u64) -> (Id, Call),
    ) -> Result<Done<Id>, MintError>
    where
        Id: FromStr<Err = InvalidId>,
    {
        let shard = self.shard(self.shard_of_key(key))?;
        let (id, call) = create(shard, now_ms());
        let words = words(shard.run(&call).await?);
        match (words.first().and_then(|word| Reply::parse(word)), words.get(1..).unwrap_or_default()) {
            (Some(Reply::Done), []) => return Ok(Done::now(id)),
            (Some(Reply::Reused), []) => return Err(KeyReused.into()),
            (Some(Reply::TooManyKeys), []) => return Err(TooManyKeys.into()),
            (Some(Reply::Replayed), [id]) => {
                if let Ok(id) = Id::from_str(id) {
                    return Ok(Done::before(id));
                }
            }
            _ => {}
        }
        let cause = format!("{} answered {words:?}", call.name());
        Err(ShardError::Unanswered { shard: shard.number(), cause }.into())
    }

    /// The numbers of the shards that do not answer now.
    pub async fn silent(&self) -> Vec<u16> {
        let answers = futures_util::future::join_all(self.shards.iter().map(|shard| async move {
            let ping = Call::read(redis::cmd("PING"));
            (shard.number(), shard.ask(&ping).await.is_ok())
        }));
        answers.await.into_iter().filter(|(_, answers)| !answers).map(|(number, _)| number).collect()
    }
}
