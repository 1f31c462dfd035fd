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
