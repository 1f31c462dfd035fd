//! Which faults happen when: drawn from a seed, and from nothing else.

use std::time::Duration;

use shardcart_harness::service::Service;

use crate::fault::{COORDINATOR_POINTS, Fault, Kind, PARTICIPANT_POINT, Place};

/// Machines and shards of each service.
const EACH: usize = 2;

/// A fault with its time, counted from the beginning of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// What goes wrong.
    pub fault: Fault,
    /// When it begins.
    pub begins: Duration,
    /// When it ends.
    pub ends: Duration,
}

/// Rounds of faults, for a cluster of two machines and two shards a service.
#[derive(Debug, Clone)]
pub struct Schedule {
    seed: u64,
    round: u64,
    /// Whether faults may last long: ten seconds stopped, a minute away.
    patient: bool,
}

impl Schedule {
    /// The schedule of a seed. With `patient` some faults last for as long as they may in real life.
    pub fn new(seed: u64, patient: bool) -> Schedule {
        Schedule { seed, round: 0, patient }
    }

    /// The faults of the next round, which begin within `length`: mostly one at a time, sometimes up to three.
    pub fn round(&mut self, length: Duration) -> Vec<Planned> {
        self.round += 1;
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.round);
        let mut planned: Vec<Planned> = Vec::new();
        let mut now = Duration::from_millis(500);
        while now < length {
            let together = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3][random.usize(0..10)];
            let mut end = now;
            for _ in 0..together {
                let fault = draw(&mut random);
                let begins = now + millis(&mut random, 0..800);
                let ends = begins + self.lasts(fault.kind, &mut random);
                let taken = |other: &Planned| other.ends >= begins && other.fault.place == fault.place;
                if !planned.iter().any(taken) {
                    end = end.max(ends);
                    planned.push(Planned { fault, begins, ends });
                }
            }
            now = end + millis(&mut random, 100..1_200);
        }
        planned
    }

    fn lasts(&self, kind: Kind, random: &mut fastrand::Rng) -> Duration {
        let rarely = self.patient && random.u8(0..8) == 0;
        match kind {
            Kind::Pause if rarely => Duration::from_secs(10),
            Kind::Away if rarely => Duration::from_secs(60),
            Kind::Restart | Kind::FlushScripts => Duration::ZERO,
            Kind::Kill => millis(random, 100..2_500),
            Kind::Pause | Kind::BlackHole | Kind::Mute => millis(random, 500..5_000),
            Kind::Away | Kind::Die(..) | Kind::Disorder(_) => millis(random, 2_000..6_000),
            Kind::FullMemory | Kind::FullDisk | Kind::Cut | Kind::Slow | Kind::LoseAnswers => {
                millis(random, 500..3_500)
            }
        }
    }
}

fn millis(random: &mut fastrand::Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

fn draw(random: &mut fastrand::Rng) -> Fault {
    let service = Service::ALL[random.usize(0..3)];
    let number = random.usize(0..EACH);
    let (kind, place) = match random.u8(0..20) {
        0..3 => (Kind::Kill, Place::Machine(service, number)),
        3..5 => (Kind::Pause, Place::Machine(service, number)),
        5 => (Kind::Restart, Place::Machine(service, number)),
        6..8 => {
            let point = COORDINATOR_POINTS[random.usize(0..COORDINATOR_POINTS.len())];
            (Kind::Die(point, random.u32(1..8)), Place::Machine(Service::Order, number))
        }
        8 => {
            let participant = if random.bool() { Service::Stock } else { Service::Payment };
            (Kind::Die(PARTICIPANT_POINT, random.u32(1..12)), Place::Machine(participant, number))
        }
        9..13 => {
            let kinds = [
                Kind::Kill,
                Kind::Kill,
                Kind::Pause,
                Kind::Restart,
                Kind::Away,
                Kind::FlushScripts,
                Kind::FullMemory,
                Kind::FullDisk,
            ];
            (kinds[random.usize(0..kinds.len())], Place::Shard(service, number))
        }
        13..18 => {
            let kinds = [Kind::Cut, Kind::Slow, Kind::BlackHole, Kind::Mute, Kind::LoseAnswers];
            let place = if random.bool() { Place::Line(service, number) } else { Place::ShardLine(service, number) };
            (kinds[random.usize(0..kinds.len())], place)
        }
        _ => (Kind::Disorder(random.u64(..)), Place::Messages(service, number)),
    };
    Fault::new(kind, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_drawn_from_its_seed_alone() {
        let rounds = |seed| {
            let mut schedule = Schedule::new(seed, true);
            (0..5).map(|_| schedule.round(Duration::from_secs(60))).collect::<Vec<_>>()
        };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn no_two_faults_are_at_one_place_at_a_time() {
        let mut schedule = Schedule::new(1, true);
        for _ in 0..50 {
            let planned = schedule.round(Duration::from_secs(60));
            assert!(!planned.is_empty());
            for (place, one) in planned.iter().enumerate() {
                let others = planned[place + 1..].iter().filter(|other| other.fault.place == one.fault.place);
                assert!(others.clone().all(|other| other.begins > one.ends || other.ends < one.begins));
            }
        }
    }
}
