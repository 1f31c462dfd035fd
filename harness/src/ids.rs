//! What can be read from an id: its partition, and with it the shard that it lives on.

/// The partition in a minted id: 12 bits after the version, 4 after the variant.
///
/// # Panics
/// When the id is not a lower-case UUID of version 8.
pub fn partition(id: &str) -> u16 {
    let groups: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hexadecimal = id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'));
    assert!(hexadecimal && lengths == [8, 4, 4, 4, 12], "{id} is not a lower-case UUID");
    let number = |group: &str| u16::from_str_radix(group, 16).expect("four hexadecimal digits");
    let (third, fourth) = (number(groups[2]), number(groups[3]));
    assert_eq!(third >> 12, 8, "the version of {id}");
    assert_eq!(fourth >> 14, 0b10, "the variant of {id}");
    (third & 0xfff) << 4 | (fourth >> 10 & 0xf)
}

/// The shard on which a minted id has its home.
pub fn shard(id: &str) -> usize {
    usize::from(partition(id) >> 4)
}

/// The key of what a shard has one of, which lies in the first of its sixteen partitions: `{16}:held`.
pub fn own_key(shard: usize, kind: &str) -> String {
    format!("{{{}}}:{kind}", 16 * shard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_an_id_is_read_from_behind_version_and_variant() {
        assert_eq!(partition("018f3e2a-0000-8abc-b400-000000000000"), 0xabcd);
        assert_eq!(partition("018f3e2a-0000-8001-8000-000000000000"), 0x0010);
        assert_eq!(shard("018f3e2a-0000-8001-8000-000000000000"), 1);
    }
}
