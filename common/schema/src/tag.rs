//! The hash tag of a shard: all keys of a shard carry it, so that one script may span all of them on a Redis Cluster.
//!
//! A tag is the service's letter, the shard's number, and a suffix of letters: `{o12abc}`. The suffix is chosen so that the
//! tag hashes to a slot of our choice. Shard `i` of the first service has the slot whose 14 bits are those of `i` in reverse
//! order (van der Corput's sequence, base 2); the other services are a third and two thirds of all slots further on. So the
//! shards of every service lie evenly over the slots, however many there are, and no two shards share a slot.

use std::fmt;

/// Hash slots of a Redis Cluster.
const SLOTS: u32 = 16_384;
/// Bits of a slot's number.
const SLOT_BITS: u32 = 14;
/// The slot of the first shard: far enough from the bounds of equal ranges for 3 to 8 servers, however these are rounded.
const FIRST_SLOT: u32 = 6;
/// The longest tag: a letter, four digits, and a suffix.
const LENGTH_MAX: usize = 12;

/// The most shards of a service: with so many, no two shards of the three services share a slot.
pub const SHARDS_MAX: u16 = 4_096;

/// The service that owns a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Orders and carts.
    Order,
    /// Items.
    Stock,
    /// Users and payments.
    Payment,
}

impl Owner {
    /// All of them.
    pub const ALL: [Owner; 3] = [Owner::Order, Owner::Stock, Owner::Payment];

    /// The service of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Owner::ALL.into_iter().find(|owner| owner.as_str() == name)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Owner::Order => "order",
            Owner::Stock => "stock",
            Owner::Payment => "payment",
        }
    }

    const fn letter(self) -> u8 {
        match self {
            Owner::Order => b'o',
            Owner::Stock => b's',
            Owner::Payment => b'p',
        }
    }
}

/// A hash tag, without its braces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    bytes: [u8; LENGTH_MAX],
    length: u8,
}

impl Tag {
    /// The tag of a shard. It takes some ten thousand steps to find: keep it.
    pub fn of(owner: Owner, shard: u16) -> Self {
        let wanted = slot(owner, shard);
        let mut tag = Tag { bytes: [0; LENGTH_MAX], length: 0 };
        tag.push(owner.letter());
        shard.to_string().bytes().for_each(|digit| tag.push(digit));
        let prefix = tag.bytes().iter().fold(0, |crc, byte| crc16(crc, *byte));
        // Four letters reach every slot many times over; a test goes through all shards.
        for length in 1..=4 {
            if let Some(suffix) = suffix(prefix, wanted, length) {
                suffix.iter().take(length).for_each(|letter| tag.push(*letter));
                break;
            }
        }
        tag
    }

    /// The tag as it is written between the braces.
    pub fn as_str(&self) -> &str {
        // Only letters and digits are ever pushed.
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.length)] = byte;
        self.length += 1;
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{self}}}")
    }
}

/// The slot that a shard is given.
fn slot(owner: Owner, shard: u16) -> u32 {
    let reversed = u32::from(shard).reverse_bits() >> (32 - SLOT_BITS);
    // A third and two thirds of all slots, rounded up: no two services share a remainder by four.
    let offset = (owner as u32 * SLOTS).div_ceil(3);
    (FIRST_SLOT + reversed + offset) % SLOTS
}

/// The first suffix of so many letters with which a tag that begins like this has this slot.
fn suffix(prefix: u16, wanted: u32, length: usize) -> Option<[u8; 4]> {
    let mut letters = [b'a'; 4];
    loop {
        let crc = letters[..length].iter().fold(prefix, |crc, letter| crc16(crc, *letter));
        if u32::from(crc) % SLOTS == wanted {
            return Some(letters);
        }
        let mut place = length;
        loop {
            place = place.checked_sub(1)?;
            if letters[place] < b'z' {
                letters[place] += 1;
                break;
            }
            letters[place] = b'a';
        }
    }
}

/// One step of CRC-16/XMODEM (polynomial 0x1021), which Redis Cluster uses (cluster specification, appendix A).
fn crc16(crc: u16, byte: u8) -> u16 {
    let [high, low] = crc.to_be_bytes();
    CRC16[usize::from(high ^ byte)] ^ (u16::from(low) << 8)
}

/// What each byte makes of a checksum of 0.
const CRC16: [u16; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < table.len() {
        let (mut crc, mut bit) = ((byte as u16) << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn slot_of(tag: Tag) -> u32 {
        u32::from(tag.bytes().iter().fold(0, |crc, byte| crc16(crc, *byte))) % SLOTS
    }

    /// The first slot of a server, as `redis-cli --cluster create` shares them out: rounded to the nearest.
    fn first_slot(server: u32, servers: u32) -> u32 {
        (2 * server * SLOTS + servers) / (2 * servers)
    }

    #[test]
    fn the_checksum_is_that_of_redis_cluster() {
        assert_eq!("123456789".bytes().fold(0, crc16), 0x31c3);
    }

    #[test]
    fn tags_never_change() {
        let tags = |owner| [0, 1, 2, 3, 63, 1023, 4095].map(|shard| Tag::of(owner, shard).to_string());
        assert_eq!(tags(Owner::Order), ["o0ahjy", "o1aaft", "o2achh", "o3ajde", "o63lfc", "o1023aas", "o4095jua"]);
        assert_eq!(tags(Owner::Stock), ["s0ei", "s1hvf", "s2bfjz", "s3bgoo", "s63uul", "s1023gby", "s4095bnwu"]);
        assert_eq!(tags(Owner::Payment), ["p0sul", "p1cvh", "p2atw", "p3qws", "p63bfs", "p1023iiz", "p4095un"]);
    }

    #[test]
    fn no_two_shards_share_a_slot() {
        let mut slots = HashSet::new();
        for (owner, shard) in Owner::ALL.into_iter().flat_map(|owner| (0..SHARDS_MAX).map(move |shard| (owner, shard)))
        {
            assert!(slots.insert(slot(owner, shard)), "{owner:?} {shard}");
        }
        for owner in Owner::ALL {
            for shard in (0..SHARDS_MAX).step_by(37) {
                assert_eq!(slot_of(Tag::of(owner, shard)), slot(owner, shard), "{owner:?} {shard}");
            }
        }
    }

    #[test]
    fn shards_lie_evenly_over_servers_with_equal_ranges_of_slots() {
        for (shards, servers) in
            [8, 16, 32, 64_u16].into_iter().flat_map(|shards| (3..=8).map(move |servers| (shards, servers)))
        {
            let mut all = vec![0_u32; servers as usize];
            for owner in Owner::ALL {
                let mut own = vec![0_u32; servers as usize];
                for shard in 0..shards {
                    let server =
                        (1..servers).filter(|server| slot(owner, shard) >= first_slot(*server, servers)).count();
                    own[server] += 1;
                    all[server] += 1;
                }
                let most = u32::from(shards).div_ceil(servers);
                assert!(
                    own.iter().all(|count| *count <= most),
                    "{owner:?}: {shards} shards on {servers} servers: {own:?}"
                );
            }
            let most = (3 * u32::from(shards)).div_ceil(servers);
            assert!(all.iter().all(|count| *count <= most), "{shards} shards a service on {servers} servers: {all:?}");
        }
    }
}
