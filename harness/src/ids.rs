//! What can be read from an id: the shard that it lives on, and with it the tag of its keys.

use shardcart_schema::tag::{Owner, Tag};

use crate::service::Service;

/// The shard on which a minted id has its home: 12 bits after the version, 4 after the variant.
///
/// # Panics
/// When the id is not a lower-case UUID of version 8.
pub fn shard(id: &str) -> usize {
    let groups: Vec<&str> = id.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let hexadecimal = id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'));
    assert!(hexadecimal && lengths == [8, 4, 4, 4, 12], "{id} is not a lower-case UUID");
    let number = |group: &str| u16::from_str_radix(group, 16).expect("four hexadecimal digits");
    let (third, fourth) = (number(groups[2]), number(groups[3]));
    assert_eq!(third >> 12, 8, "the version of {id}");
    assert_eq!(fourth >> 14, 0b10, "the variant of {id}");
    usize::from((third & 0xfff) << 4 | (fourth >> 10 & 0xf))
}

/// The tag of all keys of a shard.
///
/// # Panics
/// When no service has so many shards.
pub fn tag(service: Service, shard: usize) -> Tag {
    let owner = match service {
        Service::Order => Owner::Order,
        Service::Stock => Owner::Stock,
        Service::Payment => Owner::Payment,
    };
    Tag::of(owner, u16::try_from(shard).expect("shards are numbered in 16 bits"))
}

/// The key of what a shard has one of: `{s1…}:held`.
pub fn own_key(service: Service, shard: usize, kind: &str) -> String {
    format!("{{{}}}:{kind}", tag(service, shard))
}

/// The key of what lies where a minted id has its home, `id`: `{s1…}:item:<id>`.
pub fn key(service: Service, home: &str, kind: &str, id: &str) -> String {
    format!("{{{}}}:{kind}:{id}", tag(service, shard(home)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_an_id_is_read_from_behind_version_and_variant() {
        assert_eq!(shard("018f3e2a-0000-8abc-b400-000000000000"), 0xabcd);
        assert_eq!(shard("018f3e2a-0000-8001-8000-000000000000"), 0x0010);
    }
}
