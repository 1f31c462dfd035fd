//! A request that is carried out once for its key: where its record lies, and what is kept of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use shardcart_schema::idempotency::DIGEST_SIZE;

/// A request that is carried out once for its key: what `Script::once` puts into a call.
#[derive(Debug)]
pub struct Once {
    pub(crate) record: String,
    pub(crate) request: String,
    pub(crate) answer: String,
    pub(crate) order_incarnation: String,
    pub(crate) counts: String,
    /// How many records the shard has at most; `None`: it is carried out beyond that.
    pub(crate) records_max: Option<u64>,
}

impl Once {
    /// Says that it is carried out however many records its shard has: for what moves money, and for what keeps none.
    #[must_use]
    pub fn unbounded(self) -> Self {
        Once { records_max: None, ..self }
    }

    /// The name of its record.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The digest of the request, as it stands in the record.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// Says for which incarnation of an order the request is, as the scripts of payment take it.
    #[must_use]
    pub fn for_incarnation(self, order_incarnation: &str) -> Self {
        Once { order_incarnation: order_incarnation.to_owned(), ..self }
    }
}

/// What stands for texts that a client chose, so that a record has one size. Each text is taken with its length: no two
/// lists of texts are one.
pub(crate) fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..DIGEST_SIZE])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_never_change() {
        // printf '\0\0\0\0\0\0\0\1a' | sha256sum, and likewise.
        assert_eq!(digest(&[]), "47DEQpj8HBSa-_TImW-5JA");
        assert_eq!(digest(&["a"]), "Oxlv1JB77fUcMJDpg18vfA");
        assert_eq!(digest(&["", "7", "8e03978e-40d5-43dd-bc93-6894a57f9324"]), "8uq2yiGwZUd6hlONPnGIfw");
        assert_eq!(digest(&["caller", "", "~"]), "SEz-TrvCLbwFEfEhEw-4_Q");
    }

    #[test]
    fn texts_that_are_divided_otherwise_have_another_digest() {
        let all = [digest(&["ab", "c"]), digest(&["a", "bc"]), digest(&["abc"]), digest(&["", "abc"])];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{all:?}");
        }
    }
}
