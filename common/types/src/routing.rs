//! Routing: from an id to its partition, and so to its shard. There is no second place that decides this.

use crate::ids::{PARTITIONS_PER_SHARD, Partition, minted_partition};

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): stable for ever, pinned by the vectors below.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The partition of an id in a data set that was founded with `founding` shards.
///
/// A minted id carries its partition. Any other is spread by a hash over the partitions of the founding shards;
/// as `founding` never changes, neither kind ever moves when shards are added.
pub fn partition(id: &str, founding: u16) -> Partition {
    minted_partition(id).unwrap_or_else(|| spread(id, founding))
}

/// The partition for what is created with an idempotency key: by the same hash, whatever the key looks like. A client
/// may use a minted id as its key; where that id incarnations says nothing about where something new may.
pub fn partition_of_key(key: &str, founding: u16) -> Partition {
    spread(key, founding)
}

fn spread(text: &str, founding: u16) -> Partition {
    let hash = fnv1a(text.as_bytes());
    // The halves are folded: the low bits alone, which decide a remainder by 16, are the weakest of FNV.
    let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
    let partitions = u64::from(founding.max(1)) * u64::from(PARTITIONS_PER_SHARD);
    Partition(u16::try_from(folded % partitions).unwrap_or(0))
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
        let pinned =
            [("0", 1, 3), ("1", 2, 16), ("2", 2, 25), ("42", 3, 36), ("item_1", 5, 13), ("A.b-c_9", 100, 1187)];
        for (id, founding, expected) in pinned {
            assert_eq!(partition(id, founding), Partition(expected), "{id} over {founding} shards");
        }
    }

    #[test]
    fn keys_are_pinned_and_go_to_a_founding_shard_whatever_they_look_like() {
        for (key, founding, expected) in [("0", 1, 3), ("2", 2, 25), ("a b/c", 3, 4)] {
            assert_eq!(partition_of_key(key, founding), Partition(expected), "{key} over {founding} shards");
        }
        let minted = "01935e5c-7e4c-8fff-bfff-0123456789ab";
        assert_eq!(partition(minted, 2), Partition(u16::MAX));
        assert_eq!(partition_of_key(minted, 2), Partition(9));
    }

    #[test]
    fn minted_ids_go_where_they_say_whatever_the_founding() {
        let id = mint(Partition(113), 1);
        assert_eq!(partition(&id, 1), Partition(113));
        assert_eq!(partition(&id, 9), Partition(113));
        assert_eq!(Partition(113).shard(), 7);
    }

    #[test]
    fn foreign_ids_spread_evenly() {
        for founding in [1, 2, 3, 5, 8] {
            let mut count = vec![0_u32; usize::from(founding * PARTITIONS_PER_SHARD)];
            for id in 0..100_000 {
                count[usize::from(partition(&id.to_string(), founding).0)] += 1;
            }
            let fair = 100_000 / u32::from(founding * PARTITIONS_PER_SHARD);
            assert!(count.iter().all(|n| (fair * 4 / 5..=fair * 6 / 5).contains(n)), "{founding}: {count:?}");
        }
    }
}
