//! Keys: the name of everything that lies in Redis.
//!
//! A key is `{tag}:kind` or `{tag}:kind:name`. The tag is the number of a partition, and Redis Cluster's hash tag. What a
//! shard has one of lies in its first partition. In what is given out here to be written, `tag` may also be `*`, to match
//! keys of all partitions.

use std::fmt::{self, Display};

use crate::words::words;

words! {
    /// What kind of thing lies under a key.
    Kind {
        /// An order: a record.
        Order = "order",
        /// An order's cart: a hash, item -> line.
        Cart = "cart",
        /// The orders of a shard that are in flight: a sorted set, key -> when recovery looks at it (Unix ms).
        Inflight = "inflight",
        /// What paid orders of a partition had bought before a bulk load overwrote them: a hash, item -> units.
        Overwritten = "overwritten",
        /// An item: a record.
        Item = "item",
        /// A user: a record.
        User = "user",
        /// A user's payment for an order: a record.
        Payment = "payment",
        /// What a shard holds: a hash, tx -> reservation.
        Held = "held",
        /// Tombstones of attempts with a deadline in one second: a hash, tx -> the answer that it has got for good.
        Ended = "ended",
        /// What was done with an idempotency key: a text.
        Idempotency = "key",
    }
}

/// The identity record of a shard. It is the same key on every shard, so that one in the wrong place is recognised.
pub const IDENTITY: &str = "{shard}:identity";

/// The channel to which a shard publishes to mark a place in its stream to replicas. Nobody has to listen.
pub const MARK: &str = "{shard}:mark";

/// A key that is yet to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<T, N> {
    tag: T,
    kind: Kind,
    name: Option<N>,
}

impl<T: Display, N: Display> Display for Key<T, N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{}}}:{}", self.tag, self.kind.as_str())?;
        self.name.as_ref().map_or(Ok(()), |name| write!(formatter, ":{name}"))
    }
}

/// Something with a name.
pub fn named<T: Display, N: Display>(tag: T, kind: Kind, name: N) -> Key<T, N> {
    Key { tag, kind, name: Some(name) }
}

/// What a partition has one of.
pub fn own<T: Display>(tag: T, kind: Kind) -> Key<T, &'static str> {
    Key { tag, kind, name: None }
}

/// `{p}:order:<id>`
pub fn order<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Order, id)
}

/// `{p}:cart:<id>`
pub fn cart<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Cart, id)
}

/// `{p}:inflight`
pub fn inflight<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Inflight)
}

/// `{p}:overwritten`
pub fn overwritten<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Overwritten)
}

/// `{p}:item:<id>`
pub fn item<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Item, id)
}

/// `{p}:user:<id>`
pub fn user<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::User, id)
}

/// `{p}:payment:<user>:<order>`
pub fn payment<T: Display, U: Display, O: Display>(tag: T, user: U, order: O) -> Key<T, impl Display> {
    named(tag, Kind::Payment, Two(user, order))
}

/// `{p}:held`
pub fn held<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Held)
}

/// `{p}:ended:<second>`: tombstones of attempts with a deadline in this second (Unix time).
pub fn ended<T: Display>(tag: T, second: u64) -> Key<T, u64> {
    named(tag, Kind::Ended, second)
}

/// `{p}:key:<target>:<key>`: what was done to `target` with an idempotency key.
pub fn idempotency<T: Display, N: Display, K: Display>(tag: T, target: N, key: K) -> Key<T, impl Display> {
    named(tag, Kind::Idempotency, Two(target, key))
}

/// `{p}:key:<key>`: what was created with an idempotency key.
pub fn idempotent_creation<T: Display, K: Display>(tag: T, key: K) -> Key<T, K> {
    named(tag, Kind::Idempotency, key)
}

/// Takes a name of two parts apart: a payment's is the user's and the order's id.
pub fn two(name: &str) -> Option<(&str, &str)> {
    name.split_once(':')
}

struct Two<A, B>(A, B);

impl<A: Display, B: Display> Display for Two<A, B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.0, self.1)
    }
}

/// A key in its parts: `{113}:item:42` has tag 113, kind `item`, name `42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The partition.
    pub tag: u16,
    /// What kind of thing it is; `None`: none that this release knows.
    pub kind: Option<Kind>,
    /// Which one; empty for what a partition has one of.
    pub name: &'a str,
}

/// Takes a key apart; `None` if it is not built like ours.
pub fn parse(key: &str) -> Option<Parts<'_>> {
    let (tag, rest) = key.strip_prefix('{')?.split_once("}:")?;
    let (kind, name) = rest.split_once(':').unwrap_or((rest, ""));
    Some(Parts { tag: tag.parse().ok()?, kind: Kind::parse(kind), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_they_lie_in_redis() {
        assert_eq!(order(113, "7").to_string(), "{113}:order:7");
        assert_eq!(cart(113, "7").to_string(), "{113}:cart:7");
        assert_eq!(inflight(112).to_string(), "{112}:inflight");
        assert_eq!(overwritten(113).to_string(), "{113}:overwritten");
        assert_eq!(item(3, "a").to_string(), "{3}:item:a");
        assert_eq!(user(3, "ann").to_string(), "{3}:user:ann");
        assert_eq!(payment(3, "ann", "7").to_string(), "{3}:payment:ann:7");
        assert_eq!(held(0).to_string(), "{0}:held");
        assert_eq!(ended(0, 1_795_000_000).to_string(), "{0}:ended:1795000000");
        assert_eq!(idempotency(3, "7", "k").to_string(), "{3}:key:7:k");
        assert_eq!(idempotent_creation(3, "k").to_string(), "{3}:key:k");
        assert_eq!(order("*", "*").to_string(), "{*}:order:*");
    }

    #[test]
    fn a_key_is_taken_apart() {
        assert_eq!(parse("{113}:payment:ann:7"), Some(Parts { tag: 113, kind: Some(Kind::Payment), name: "ann:7" }));
        assert_eq!(two("ann:7"), Some(("ann", "7")));
        assert_eq!(parse("{3}:held"), Some(Parts { tag: 3, kind: Some(Kind::Held), name: "" }));
        assert_eq!(parse("{3}:later:7"), Some(Parts { tag: 3, kind: None, name: "7" }));
        for other in [IDENTITY, "item:1", "{1}item:1", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
