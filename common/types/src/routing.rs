//! Routing: from an id to its shard. There is no second place that decides this.

use crate::ids::minted_shard;

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): stable for ever, pinned by the vectors below.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The shard of an id in a data set that was founded with `founding` shards.
///
/// A minted id carries the number of its shard. Any other is spread by a hash over the founding shards; as `founding`
/// never changes, neither kind ever moves when shards are added.
pub fn shard(id: &str, founding: u16) -> u16 {
    minted_shard(id).unwrap_or_else(|| spread(id, founding))
}

/// The shard for what is created with an idempotency key: by the same hash, whatever the key looks like. A client may use
/// a minted id as its key; where that id lies says nothing about where something new may.
pub fn shard_of_key(key: &str, founding: u16) -> u16 {
    spread(key, founding)
}

fn spread(text: &str, founding: u16) -> u16 {
    let hash = fnv1a(text.as_bytes());
    // The halves are folded: the low bits alone, which decide a remainder by a power of two, are the weakest of FNV.
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    u16::try_from(folded % u64::from(founding.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::mint;

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the tables of draft-eastlake-fnv.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn foreign_ids_are_pinned() {
        let pinned = [
            ("0", 1, 0),
            ("1", 2, 0),
            ("2", 2, 1),
            ("42", 3, 0),
            ("item_1", 5, 3),
            ("A.b-c_9", 100, 87),
            ("7", 4096, 3546),
        ];
        for (id, founding, expected) in pinned {
            assert_eq!(shard(id, founding), expected, "{id} over {founding} shards");
        }
    }

    #[test]
    fn keys_are_pinned_and_go_to_a_founding_shard_whatever_they_look_like() {
        for (key, founding, expected) in [("0", 2, 1), ("2", 2, 1), ("a b/c", 3, 1)] {
            assert_eq!(shard_of_key(key, founding), expected, "{key} over {founding} shards");
        }
        let minted = "01935e5c-7e4c-8fff-bfff-0123456789ab";
        assert_eq!(shard(minted, 3), u16::MAX);
        assert_eq!(shard_of_key(minted, 3), 2);
    }

    #[test]
    fn minted_ids_go_where_they_say_whatever_the_founding() {
        let id = mint(113, 1);
        assert_eq!(shard(&id, 1), 113);
        assert_eq!(shard(&id, 9), 113);
    }

    #[test]
    fn foreign_ids_spread_evenly() {
        for founding in [1, 2, 3, 5, 8, 16, 64] {
            let mut count = vec![0_u32; usize::from(founding)];
            for id in 0..100_000 {
                count[usize::from(shard(&id.to_string(), founding))] += 1;
            }
            let fair = 100_000 / u32::from(founding);
            assert!(count.iter().all(|n| (fair * 4 / 5..=fair * 6 / 5).contains(n)), "{founding}: {count:?}");
        }
    }
}
