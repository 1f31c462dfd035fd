//! Which of several machines of a service this is.

use std::fmt;
use std::str::FromStr;

/// `MACHINE_ID=k/N`: the k-th of N machines, counted from 1. It says on which shards a machine mints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineId {
    index: u32,
    machines: u32,
}

impl FromStr for MachineId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse::<u32>().ok()?, n.parse::<u32>().ok()?)));
        match parsed {
            Some((k, n)) if (1..=n).contains(&k) => Ok(MachineId { index: k - 1, machines: n }),
            _ => Err("expected k/N, the k-th of N machines with k from 1 to N, for example 1/2".to_owned()),
        }
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index + 1, self.machines)
    }
}

impl MachineId {
    /// The shards, of `shards` in all, on which this machine mints.
    pub fn minting_shards(self, shards: u16) -> Vec<u16> {
        let (index, machines) = (self.index, self.machines);
        if machines <= u32::from(shards) {
            (0..shards).filter(|shard| u32::from(*shard) % machines == index).collect()
        } else {
            vec![u16::try_from(index % u32::from(shards)).unwrap_or(0)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minting(machine: &str, shards: u16) -> Vec<u16> {
        machine.parse::<MachineId>().unwrap().minting_shards(shards)
    }

    #[test]
    fn machines_share_the_shards_to_mint_on() {
        assert_eq!(minting("1/2", 2), [0]);
        assert_eq!(minting("2/2", 2), [1]);
        assert_eq!(minting("1/2", 5), [0, 2, 4]);
        assert_eq!(minting("5/5", 2), [0]);
        assert_eq!(minting("4/5", 2), [1]);
    }

    #[test]
    fn a_machine_id_counts_from_one() {
        for bad in ["0/2", "3/2", "2", "a/b", "1/", "-1/2"] {
            assert!(bad.parse::<MachineId>().is_err(), "{bad}");
        }
    }
}
