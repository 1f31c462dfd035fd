//! Replies: the words that scripts answer with. The head of each script says which of them it gives, and what they mean
//! there.

use crate::words::words;

words! {
    /// A word of a script's reply.
    Reply {
        /// It was done, now or (where the script says so) before.
        Done = "DONE",
        /// There is something under this id already.
        Exists = "EXISTS",
        /// There is nothing: no such record, payment or key.
        None = "NONE",
        /// Something is held or in flight: nothing was written.
        InUse = "IN_USE",
        /// There is no such order, item or user.
        Unknown = "UNKNOWN",
        /// There is no such payment.
        UnknownPayment = "UNKNOWN_PAYMENT",
        /// A later release wrote the record: it was left alone.
        Newer = "NEWER",

        /// With an idempotency key: it was done before, and not again.
        Replayed = "REPLAYED",
        /// With an idempotency key: the key came with another request.
        Reused = "REUSED",
        /// With an idempotency key: the shard has as many records as it may.
        TooManyKeys = "TOO_MANY_KEYS",

        /// An order: an attempt is under way. A payment: an attempt holds the order.
        Pending = "PENDING",
        /// The order is paid; of an attempt: by this one.
        Paid = "PAID",
        /// Begin: this tx is not later than the order's last.
        Moved = "MOVED",
        /// Take over: the attempt was given up by this call.
        Taken = "TAKEN",
        /// The cart has as many lines as it may.
        TooLarge = "TOO_LARGE",
        /// The cart has no line of the item.
        NoLine = "NO_LINE",
        /// An amount would leave the range.
        OutOfRange = "OUT_OF_RANGE",

        /// Reserve: taken, undecided.
        Held = "HELD",
        /// Reserve: only others' undecided holds stand in the way.
        Busy = "BUSY",
        /// Reserve: the deadline has passed.
        Expired = "EXPIRED",
        /// There is too little stock or credit.
        Insufficient = "INSUFFICIENT",
        /// The order was paid.
        AlreadyPaid = "ALREADY_PAID",
        /// Nothing is held, and nothing will be. Of a payment: it was given back.
        Cancelled = "CANCELLED",
        /// It is final.
        Confirmed = "CONFIRMED",
        /// Confirm: unknown, settled long ago.
        Gone = "GONE",
        /// Confirm: unknown, and it cannot have been settled: an alarm.
        Lost = "LOST",
        /// Confirm of a cancelled one, or cancel of a confirmed one: an alarm.
        Conflict = "CONFLICT",

        /// A payment: an attempt holds it.
        Reserved = "RESERVED",
        /// A payment: it was taken.
        Charged = "CHARGED",
        /// Cancel of a payment: a checkout made it.
        Checkout = "CHECKOUT",

        /// A product: it is at another revision than the caller saw.
        Changed = "CHANGED",
        /// A unique name: it is the caller's, if what it is for is written in time.
        Claimed = "CLAIMED",

        /// The shard has keys, but no identity record.
        NotEmpty = "NOT_EMPTY",
    }
}

impl Reply {
    /// Reads the first word of a reply that may go on after a space, and the rest: `BUSY 2`.
    pub fn split(line: &str) -> Option<(Self, &str)> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some((Reply::parse(word)?, rest))
    }
}

/// Tombstones hold replies, which begin with a capital. Those of a later release begin with a number: below this byte.
pub const TOMBSTONE_LETTERS_FROM: u8 = b'A';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_as_it_is_written() {
        for reply in Reply::ALL {
            assert_eq!(Reply::parse(reply.as_str()), Some(*reply));
            assert!(reply.as_str().as_bytes()[0] >= TOMBSTONE_LETTERS_FROM, "{reply} can stand in a tombstone");
        }
        assert_eq!(Reply::split("BUSY 2"), Some((Reply::Busy, "2")));
        assert_eq!(Reply::split("HELD"), Some((Reply::Held, "")));
        assert_eq!((Reply::parse("done"), Reply::split("2 BUSY")), (None, None));
    }
}
