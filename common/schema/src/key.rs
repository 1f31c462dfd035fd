//! Keys: the name of everything that lies in Redis.
//!
//! A key is `{tag}:kind` or `{tag}:kind:name`. The tag is its shard's: see [`crate::tag`].

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
        /// What paid orders of a shard had bought before a bulk load overwrote or removed them: a hash, item -> units.
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
        /// How many records of idempotency keys a shard has made, hour by hour: a hash.
        Keyed = "keyed",
        /// Which shard this is: a hash.
        Identity = "identity",
        /// What describes an item to buyers: a document.
        Product = "product",
        /// The products of a shard in an order: a sorted set of members (see `crate::product`).
        Products = "products",
        /// The products of a shard that have a tag: a sorted set.
        Tag = "tag",
        /// The words of the products of a shard: a sorted set.
        Words = "words",
        /// Whose a name is that only one may have: a hint (see `crate::unique`).
        Unique = "unique",
    }
}

/// Where a shard of schema 2 and earlier has its identity record.
pub const OLD_IDENTITY: &str = "{shard}:identity";

/// The channel to which a server publishes to mark a place in its stream to replicas. Nobody has to listen.
pub const MARK: &str = "{shard}:mark";

/// Stands in place of a name in the key of the products of a shard by their creation.
pub const BY_CREATION: &str = "new";

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

/// What a shard has one of.
pub fn own<T: Display>(tag: T, kind: Kind) -> Key<T, &'static str> {
    Key { tag, kind, name: None }
}

/// `{tag}:order:<id>`
pub fn order<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Order, id)
}

/// `{tag}:cart:<id>`
pub fn cart<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Cart, id)
}

/// `{tag}:inflight`
pub fn inflight<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Inflight)
}

/// `{tag}:overwritten`
pub fn overwritten<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Overwritten)
}

/// `{tag}:item:<id>`
pub fn item<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Item, id)
}

/// `{tag}:user:<id>`
pub fn user<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::User, id)
}

/// `{tag}:payment:<user>:<order>`
pub fn payment<T: Display, U: Display, O: Display>(tag: T, user: U, order: O) -> Key<T, impl Display> {
    named(tag, Kind::Payment, Two(user, order))
}

/// `{tag}:held`
pub fn held<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Held)
}

/// `{tag}:ended:<second>`: tombstones of attempts with a deadline in this second (Unix time).
pub fn ended<T: Display>(tag: T, second: u64) -> Key<T, u64> {
    named(tag, Kind::Ended, second)
}

/// `{tag}:key:<digest>`: what was done with an idempotency key.
pub fn idempotency<T: Display, D: Display>(tag: T, digest: D) -> Key<T, D> {
    named(tag, Kind::Idempotency, digest)
}

/// `{tag}:keyed`
pub fn keyed<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Keyed)
}

/// `{tag}:identity`
pub fn identity<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Identity)
}

/// `{tag}:product:<id>`
pub fn product<T: Display, N: Display>(tag: T, id: N) -> Key<T, N> {
    named(tag, Kind::Product, id)
}

/// `{tag}:products`: by name.
pub fn products<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Products)
}

/// `{tag}:products:new`: by the moment of their creation.
pub fn products_by_creation<T: Display>(tag: T) -> Key<T, &'static str> {
    named(tag, Kind::Products, BY_CREATION)
}

/// `{tag}:tag:<name>`
pub fn products_with_tag<T: Display, N: Display>(tag: T, name: N) -> Key<T, N> {
    named(tag, Kind::Tag, name)
}

/// `{tag}:words`
pub fn words_of_products<T: Display>(tag: T) -> Key<T, &'static str> {
    own(tag, Kind::Words)
}

/// `{tag}:unique:<of>:<name>`, such as `{s0ei}:unique:handle:tux`.
pub fn unique<T: Display, O: Display, N: Display>(tag: T, of: O, name: N) -> Key<T, impl Display> {
    named(tag, Kind::Unique, Two(of, name))
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

/// A key in its parts: `{s0…}:item:42` has tag `s0…`, kind `item`, name `42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What stands between the braces.
    pub tag: &'a str,
    /// What kind of thing it is; `None`: none that this release knows.
    pub kind: Option<Kind>,
    /// Which one; empty for what a shard has one of.
    pub name: &'a str,
}

/// Takes a key apart; `None` if it is not built like ours.
pub fn parse(key: &str) -> Option<Parts<'_>> {
    let (tag, rest) = key.strip_prefix('{')?.split_once("}:")?;
    let (kind, name) = rest.split_once(':').unwrap_or((rest, ""));
    Some(Parts { tag, kind: Kind::parse(kind), name })
}

impl Display for Parts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.map_or("?", Kind::as_str);
        let separator = if self.name.is_empty() { "" } else { ":" };
        write!(formatter, "{{{}}}:{kind}{separator}{}", self.tag, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::{Owner, Tag};

    #[test]
    fn keys_are_written_as_they_lie_in_redis() {
        let [order_shard, stock, payment_shard] = Owner::ALL.map(|owner| Tag::of(owner, 0));
        assert_eq!(order(order_shard, "7").to_string(), "{o0ahjy}:order:7");
        assert_eq!(cart(order_shard, "7").to_string(), "{o0ahjy}:cart:7");
        assert_eq!(inflight(order_shard).to_string(), "{o0ahjy}:inflight");
        assert_eq!(overwritten(order_shard).to_string(), "{o0ahjy}:overwritten");
        assert_eq!(item(stock, "a").to_string(), "{s0ei}:item:a");
        assert_eq!(user(payment_shard, "ann").to_string(), "{p0sul}:user:ann");
        assert_eq!(payment(payment_shard, "ann", "7").to_string(), "{p0sul}:payment:ann:7");
        assert_eq!(held(stock).to_string(), "{s0ei}:held");
        assert_eq!(ended(stock, 1_795_000_000).to_string(), "{s0ei}:ended:1795000000");
        assert_eq!(idempotency(stock, "47DEQpj8HBSa-_TImW-5JA").to_string(), "{s0ei}:key:47DEQpj8HBSa-_TImW-5JA");
        assert_eq!(identity(stock).to_string(), "{s0ei}:identity");
        assert_eq!(product(stock, "a").to_string(), "{s0ei}:product:a");
        assert_eq!(products(stock).to_string(), "{s0ei}:products");
        assert_eq!(products_by_creation(stock).to_string(), "{s0ei}:products:new");
        assert_eq!(products_with_tag(stock, "toy").to_string(), "{s0ei}:tag:toy");
        assert_eq!(words_of_products(stock).to_string(), "{s0ei}:words");
        assert_eq!(unique(stock, "handle", "tux").to_string(), "{s0ei}:unique:handle:tux");
    }

    #[test]
    fn a_key_is_taken_apart() {
        let parsed = Parts { tag: "p3x", kind: Some(Kind::Payment), name: "ann:7" };
        assert_eq!(parse("{p3x}:payment:ann:7"), Some(parsed));
        assert_eq!(parsed.to_string(), "{p3x}:payment:ann:7");
        assert_eq!(two("ann:7"), Some(("ann", "7")));
        assert_eq!(parse("{s3x}:held"), Some(Parts { tag: "s3x", kind: Some(Kind::Held), name: "" }));
        assert_eq!(parse("{s3x}:later:7"), Some(Parts { tag: "s3x", kind: None, name: "7" }));
        assert_eq!(parse("{s3x}:held").unwrap().to_string(), "{s3x}:held");
        for other in ["item:1", "{1}item:1", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
