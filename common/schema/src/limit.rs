//! Limits and lifetimes that several parts must agree on. What must hold between them is checked when this is compiled.

/// The largest amount: 2^53 - 1, the last whole number that a double (and so Lua) counts to exactly.
pub const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// The longest id, in characters.
pub const ID_LENGTH_MAX: usize = 64;

/// The most lines that a cart has, and the most lines that one script call reserves.
pub const LINES_MAX: usize = 1_000;

/// Attempts in one script call at most: while it runs, its shard does nothing else.
pub const CALL_MAX: usize = 128;

/// Operations in one request between services at most.
pub const REQUEST_MAX: usize = 512;

/// Orders that are asked about in one request between services at most.
pub const STATUS_QUERIES_MAX: usize = 512;

/// Things that are looked up for an operator in one request at most: an order's lines, and a few more.
pub const WANTED_MAX: usize = 1_100;

/// The longest wait of a checkout. Its deadline and its lease are shorter.
pub const WAIT_MAX_MS: u64 = 240_000;

/// A lease, or a look of recovery, that is this far ahead or further was written before its shard's clock was set back,
/// and counts as over.
pub const LEASE_MAX_MS: u64 = 300_000;

/// How long after its deadline an attempt that a participant knows nothing of counts as settled long ago (`GONE`), not
/// as lost.
pub const SETTLED_AFTER_MS: u64 = 60_000;

/// How long tombstones last after the second of their attempts' deadlines.
pub const TOMBSTONES_LAST_MS: u64 = 70_000;

/// How long what was done with an idempotency key is remembered: a day.
pub const IDEMPOTENCY_LASTS_MS: u64 = 86_400_000;

/// Records of idempotency keys are counted by this time: an hour. A count goes when all that it counts has gone.
pub const IDEMPOTENCY_COUNTED_MS: u64 = 3_600_000;

/// The longest answer that a script computes, in bytes, so that it is kept for an idempotency key.
pub const IDEMPOTENCY_ANSWER_MAX: usize = 256;

/// The longest text of a record: its length is one byte.
pub const TEXT_MAX: usize = u8::MAX as usize;

/// Products that one script call writes at most: while it runs, its shard does nothing else.
pub const PRODUCTS_A_CALL: usize = 64;

/// Products whose names, prices and availability are read at once at most: a whole cart.
pub const QUOTES_MAX: usize = LINES_MAX;

/// The longest document of a product, in bytes, as it lies in Redis.
pub const DOCUMENT_MAX: usize = 65_536;

/// The longest name of a product, in characters.
pub const NAME_MAX: usize = 200;

/// The longest description of a product, in bytes.
pub const DESCRIPTION_MAX: usize = 24_576;

/// The longest attributes of a product, in bytes of JSON.
pub const ATTRIBUTES_MAX: usize = 4_096;

/// Tags of a product at most.
pub const TAGS_MAX: usize = 16;

/// The longest tag, in bytes.
pub const TAG_MAX: usize = 64;

/// Words by which a product is found at most; those of its name come first.
pub const WORDS_MAX: usize = 32;

/// The longest word by which a product is found, in bytes. Of longer ones their beginning counts.
pub const WORD_MAX: usize = 64;

/// How much of a name counts for the order of products, in bytes.
pub const SORT_NAME_MAX: usize = 96;

/// The longest handle, in characters. A handle fits where an id does.
pub const HANDLE_MAX: usize = 64;

/// Products on a page at most.
pub const PAGE_MAX: usize = 100;

/// Entries of an index that one call looks at for a page at most.
pub const PAGE_LOOKS_MAX: usize = 500;

/// A shard's part of a page ends behind the product with which it has so many bytes.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Words of a search at most.
pub const QUERY_WORDS_MAX: usize = 8;

/// How long a claimed name waits for the record that is to carry it.
pub const CLAIM_LASTS_MS: u64 = 5_000;

/// How long after its deadline a claim is still left alone: no clocks of machines that serve are further apart.
pub const CLAIM_GRACE_MS: u64 = 10_000;

/// Entries in one call of a look at an index at most: the audit's.
pub const INDEX_STEP: usize = 500;

// No lease of a coordinator that is at work looks like one that was written before the clock was set back.
const _: () = assert!(WAIT_MAX_MS < LEASE_MAX_MS);
// A late confirm finds its tombstone until it would be told that its attempt was settled long ago.
const _: () = assert!(SETTLED_AFTER_MS < TOMBSTONES_LAST_MS);
// What a client repeats after the longest checkout is still known.
const _: () = assert!(WAIT_MAX_MS < IDEMPOTENCY_LASTS_MS);
// A record's last hour is the same hour of another day.
const _: () = assert!(IDEMPOTENCY_LASTS_MS.is_multiple_of(IDEMPOTENCY_COUNTED_MS));
// A minted id is kept as an answer.
const _: () = assert!(ID_LENGTH_MAX <= IDEMPOTENCY_ANSWER_MAX);
// One attempt with the largest cart fits a call. The number of lines of a reservation is two bytes.
const _: () = assert!(LINES_MAX <= u16::MAX as usize);
// A batch is some full calls.
const _: () = assert!(REQUEST_MAX.is_multiple_of(CALL_MAX));
// An order is looked up with all its lines.
const _: () = assert!(LINES_MAX < WANTED_MAX);
// The longest key of a record in a reservation, `{65535}:payment:<user>:<order>`, fits a text.
const _: () = assert!("{65535}:payment::".len() + 2 * ID_LENGTH_MAX <= TEXT_MAX);
// All parts of a document at their longest fit it: a character of the name has four bytes at most, and JSON writes a byte
// of a description that is allowed in two at most.
const _: () = assert!(
    4 * NAME_MAX
        + 2 * DESCRIPTION_MAX
        + ATTRIBUTES_MAX
        + TAGS_MAX * (TAG_MAX + 1)
        + WORDS_MAX * (WORD_MAX + 1)
        + SORT_NAME_MAX
        + HANDLE_MAX
        + 1_024
        <= DOCUMENT_MAX
);
// Texts of a document that are told apart by a length of one byte.
const _: () = assert!(
    TAG_MAX <= TEXT_MAX
        && WORD_MAX <= TEXT_MAX
        && SORT_NAME_MAX <= TEXT_MAX
        && HANDLE_MAX <= TEXT_MAX
        && TAGS_MAX <= TEXT_MAX
);
// A script puts the words of all products of a call, with their scores, into one command: Lua unpacks 8000 values at most.
const _: () = assert!(2 * PRODUCTS_A_CALL * WORDS_MAX < 7_500);
// A handle may be made of an id.
const _: () = assert!(ID_LENGTH_MAX <= HANDLE_MAX);
// A full page of a shard is looked at in one call.
const _: () = assert!(PAGE_MAX <= PAGE_LOOKS_MAX);
// A claim that is left alone has surely run out by any clock: machines whose clocks are further apart do not serve.
const _: () = assert!(CLAIM_LASTS_MS < CLAIM_GRACE_MS);
