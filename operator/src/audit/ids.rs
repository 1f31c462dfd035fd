//! Ids in 16 bytes each, so that millions of them fit into memory; and their division into slices.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use shardcart_types::ids::minted_shard;

/// The longest foreign id that is kept as it is.
const SHORT_MAX: usize = 15;

/// An id, in 16 bytes: minted ones are 128 bits anyway, short foreign ones are their text, and of long ones it is a hash
/// under which [`Names`] keeps the text. Where a minted id has its version (8) the second kind has 0, the third 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

impl Id {
    /// One number for two ids: different pairs are taken for equal once in 2^128 times.
    pub fn with(self, other: Id) -> u128 {
        self.0.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).rotate_left(64) ^ other.0
    }
}

/// Turns ids into their short form and back.
#[derive(Debug, Default)]
pub struct Names {
    long: RefCell<HashMap<Id, Box<str>>>,
    hashers: [RandomState; 2],
}

impl Names {
    /// The short form of an id.
    pub fn id(&self, text: &str) -> Id {
        if minted_shard(text).is_some() {
            let digits = text.bytes().filter_map(|byte| (byte as char).to_digit(16));
            return Id(digits.fold(0, |value, digit| value << 4 | u128::from(digit)));
        }
        if text.len() <= SHORT_MAX {
            let mut bytes = [0; 16];
            let (head, tail) = text.as_bytes().split_at(text.len().min(6));
            bytes[..head.len()].copy_from_slice(head);
            bytes[7..7 + tail.len()].copy_from_slice(tail);
            // At most 15: the upper half of this byte stays 0.
            bytes[6] = u8::try_from(text.len()).unwrap_or(0);
            return Id(u128::from_be_bytes(bytes));
        }
        let [one, two] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(text)));
        let id = Id((one << 64 | two) & !(0xf << 76) | 1 << 76);
        self.long.borrow_mut().entry(id).or_insert_with(|| text.into());
        id
    }

    /// The id as it is written.
    pub fn text(&self, id: Id) -> String {
        let bytes = id.0.to_be_bytes();
        match bytes[6] >> 4 {
            0 => {
                let length = usize::from(bytes[6]);
                let (head, tail) = (length.min(6), length.saturating_sub(6));
                let text = [&bytes[..head], &bytes[7..7 + tail]].concat();
                String::from_utf8_lossy(&text).into_owned()
            }
            1 => self.long.borrow().get(&id).map_or_else(|| format!("{:032x}", id.0), ToString::to_string),
            _ => {
                let hex = format!("{:032x}", id.0);
                [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
            }
        }
    }

    /// Texts as a number, to be compared with others of this run. Different ones are taken for equal once in 2^64 times.
    pub fn digest(&self, texts: (&str, &str, i64)) -> u64 {
        self.hashers[0].hash_one(texts)
    }
}

/// One part of several into which ids are divided, so that only one part at a time has to fit into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which part, from 0.
    pub part: u64,
    /// Of how many.
    pub of: u64,
}

impl Slice {
    /// Whether an id is in this part.
    pub fn has(self, id: Id) -> bool {
        if self.of == 1 {
            return true;
        }
        let folded = (id.0 ^ (id.0 >> 64)) as u64;
        // Fibonacci hashing (Knuth, The Art of Computer Programming, vol. 3, 6.4): spreads what differs in few bits.
        (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % self.of == self.part
    }

    /// All parts.
    pub fn all(self) -> impl Iterator<Item = Slice> {
        (0..self.of).map(move |part| Slice { part, of: self.of })
    }
}

#[cfg(test)]
mod tests {
    use shardcart_types::ids::mint;

    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was() {
        let names = Names::default();
        let minted = mint(113, 1_795_000_000_123);
        let long = "an-id-of-64-characters-".repeat(3)[..64].to_owned();
        for text in ["0", "42", "item_1", "sixsix", "seven.7", "fifteen-chars-x", "sixteen-chars-xx", &minted, &long] {
            assert_eq!(names.text(names.id(text)), text);
        }
    }

    #[test]
    fn different_ids_stay_different() {
        let names = Names::default();
        let upper = mint(1, 5).to_uppercase();
        let texts = ["", "0", "00", "a", "aaaaaa", "aaaaaaa", "0.", "sixteen-chars-xx", "sixteen-chars-xy", &upper];
        let ids: std::collections::HashSet<Id> = texts.iter().map(|text| names.id(text)).collect();
        assert_eq!(ids.len(), texts.len());
    }

    #[test]
    fn every_id_is_in_one_slice_and_slices_are_alike() {
        let names = Names::default();
        let slices: Vec<Slice> = Slice { part: 0, of: 3 }.all().collect();
        let mut count = [0; 3];
        for number in 0..30_000 {
            let id = names.id(&number.to_string());
            let of: Vec<&Slice> = slices.iter().filter(|slice| slice.has(id)).collect();
            assert_eq!(of.len(), 1);
            count[usize::try_from(of[0].part).unwrap()] += 1;
        }
        assert!(count.iter().all(|count| (8_000..12_000).contains(count)), "{count:?}");
    }
}
