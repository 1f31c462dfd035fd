//! Changes that no audit can notice, each with its reason. `docs/operate/audit.md` has the same table.

/// Changes of some kinds of entries (none: of every kind) in one part, to values that are called so, and why nothing
/// else in the data says that they are not true.
pub struct Unnoticed {
    /// What was changed.
    pub kinds: &'static [&'static str],
    /// Which part of it.
    pub part: &'static str,
    /// What the new value is called.
    pub values: &'static [&'static str],
    /// Why it cannot be noticed.
    pub reason: &'static str,
}

/// Stands for every part.
const EVERY: &str = "every number";

/// An id, and one that was minted later, on another shard, or is of another form.
const ANY_ID: &[&str] = &["another id", "a later id", "an id of another shard", "an id of another form"];

/// All of them.
pub const UNNOTICED: &[Unnoticed] = &[
    Unnoticed {
        kinds: &[],
        part: EVERY,
        values: &["none, of the other sign"],
        reason: "what is absent is not a number, and processors write that with either sign",
    },
    Unnoticed {
        kinds: &["item", "item of batch_init"],
        part: "price",
        values: &["another number"],
        reason: "a cart has the sums of the moment at which its lines were added",
    },
    Unnoticed {
        kinds: &["item of batch_init"],
        part: "incarnation",
        values: &["another id", "a byte more"],
        reason: "it is a moment that nothing else names",
    },
    Unnoticed {
        kinds: &[
            "order, open",
            "order, refused",
            "order, aborting",
            "order of batch_init, open",
            "order of batch_init, refused",
        ],
        part: "user",
        values: ANY_ID,
        reason: "nothing was charged, and anybody may create an order for any user",
    },
    Unnoticed {
        kinds: &["line of an open order"],
        part: "item",
        values: ANY_ID,
        reason: "nothing was taken, and `batch_init` makes orders of items that are not there",
    },
    Unnoticed {
        kinds: &["line of an open order"],
        part: "units",
        values: &["another number"],
        reason: "nothing was taken; the sum is another part, and must add up",
    },
    Unnoticed {
        kinds: &[
            "order, refused",
            "order, aborting",
            "order, paid",
            "order of batch_init, paid",
            "order of batch_init, refused",
        ],
        part: "tx",
        values: &["another id", "a later id"],
        reason: "nothing is held any more, and nothing else names the attempt",
    },
    Unnoticed {
        kinds: &[
            "order, refused",
            "order, aborting",
            "order, paid",
            "order of batch_init, paid",
            "order of batch_init, refused",
        ],
        part: "deadline",
        values: &["a near moment"],
        reason: "nothing is held any more, and only what is held repeats the deadline",
    },
    Unnoticed {
        kinds: &[
            "order, refused",
            "order, pending",
            "order, aborting",
            "order, paid",
            "order of batch_init, paid",
            "order of batch_init, refused",
        ],
        part: "lease",
        values: &["a near moment"],
        reason: "nothing repeats it; it must be earlier than the deadline, and not by much",
    },
    Unnoticed {
        kinds: &["order, refused"],
        part: "item of the refusal",
        values: ANY_ID,
        reason: "the cart may have changed since the refusal",
    },
    Unnoticed {
        kinds: &["order of batch_init, refused"],
        part: "incarnation",
        values: &["another id"],
        reason: "nothing was paid, and only payments repeat it",
    },
    Unnoticed {
        kinds: &["payment, charged by pay", "payment of batch_init, charged by pay"],
        part: "charged",
        values: &["another number"],
        reason: "the user's `net` is the sum of what came in and went out directly, and the payment the only copy",
    },
    Unnoticed {
        kinds: &["payment of batch_init, charged by pay"],
        part: "incarnation",
        values: &["another id", "a later id"],
        reason: "it may be of a user or an order that had the id before: then the shop passes it over",
    },
    Unnoticed {
        kinds: &["payment, charged by checkout"],
        part: "was",
        values: &["another number", "none"],
        reason: "it is the only copy of a direct payment that was cancelled before",
    },
    Unnoticed {
        kinds: &["entry in flight"],
        part: "moment",
        values: &["another number"],
        reason: "recovery moves it on at each look",
    },
    Unnoticed {
        kinds: &["tombstone"],
        part: "tx",
        values: &["another id", "an earlier id", "a later id", "an id of another shard"],
        reason: "an attempt that has ended is named nowhere else; a tombstone lasts 76 s",
    },
    Unnoticed {
        kinds: &["tombstone"],
        part: "line",
        values: &["another number"],
        reason: "it is the only copy of the refusal",
    },
    Unnoticed {
        kinds: &["tombstone"],
        part: "place",
        values: &["on another shard", "on another shard as well"],
        reason: "an attempt has tombstones on any shards",
    },
    Unnoticed {
        kinds: &["units of overwritten orders"],
        part: "place",
        values: &["on another shard"],
        reason: "each order shard may have units of any item: their sum is what counts",
    },
    Unnoticed {
        kinds: &["record of an idempotency key"],
        part: "the rest",
        values: &["another byte or word", "a byte more", "a byte less"],
        reason: "it is the only copy of what a client asked and was answered",
    },
    Unnoticed {
        kinds: &["record of an idempotency key"],
        part: "place",
        values: &["on another shard", "on another shard as well"],
        reason: "its name is a digest, from which no id can be read",
    },
    Unnoticed {
        kinds: &["identity"],
        part: "members",
        values: &["a smaller number"],
        reason: "the greatest of all shards counts: growth raises it on one after the other",
    },
];

impl Unnoticed {
    /// Whether it speaks of this change.
    pub fn is(&self, kind: &str, part: &str, value: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.part == EVERY || self.part == part)
            && self.values.contains(&value)
    }

    /// Its row in the documents.
    pub fn row(&self) -> String {
        let kinds = if self.kinds.is_empty() { "everything".to_owned() } else { self.kinds.join("; ") };
        format!("| {kinds} | {} | {} | {} |", self.part, self.values.join("; "), self.reason)
    }
}

/// Whether a change cannot be noticed.
pub fn is_listed(kind: &str, part: &str, value: &str) -> bool {
    UNNOTICED.iter().any(|unnoticed| unnoticed.is(kind, part, value))
}
