//! What can go wrong in a cluster, as something that begins and ends.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shardcart_harness::network::messages::{Fate, MessageRelay};
use shardcart_harness::network::relay::{Flow, Relay};
use shardcart_harness::processes::settings::Settings;
use shardcart_harness::service::Service;
use shardcart_harness::systems::cluster::Cluster;

/// How much later bytes arrive on a slow line: more than a participant or a shard is waited for, now and then.
const DELAY: Duration = Duration::from_millis(300);
/// Each so many pieces a line that loses answers breaks: several requests get through in between.
const LOSES_EVERY: u32 = 25;
/// How much later a message arrives at most that is held back, and one that is repeated.
const LATE_MS: u64 = 1_500;
const REPEATED_MS: u64 = 3_000;

/// How long a machine may take to end in good order. With other faults about it may have to be killed.
const DRAIN: Duration = Duration::from_secs(20);

/// Where something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A machine of a service.
    Machine(Service, usize),
    /// A Redis server of a service.
    Shard(Service, usize),
    /// The line between the machines of a service and a shard.
    ShardLine(Service, usize),
    /// The line between other services and the internal port of a machine.
    Line(Service, usize),
    /// The messages on that line.
    Messages(Service, usize),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A process dies as by `kill -9`, and is started again at the end.
    Kill,
    /// A process is stopped (SIGSTOP), and runs on at the end.
    Pause,
    /// A process is ended in good order (SIGTERM), and started again at once.
    Restart,
    /// A server is ended in good order, and started again at the end.
    Away,
    /// A machine is started anew, dies at this point of a checkout, the so many-th time, and is started again at the end.
    Die(&'static str, u32),
    /// A server loses its scripts.
    FlushScripts,
    /// A server is at its `maxmemory` until the end.
    FullMemory,
    /// A server can write no more to its file until the end. One that ends itself over that is started again.
    FullDisk,
    /// A line is cut: connections break, and there are no new ones until the end.
    Cut,
    /// What goes over a line arrives later.
    Slow,
    /// What goes over a line arrives at the end, and nobody is told.
    BlackHole,
    /// Requests arrive, and answers do so at the end.
    Mute,
    /// A line breaks again and again after a request has been sent and before its answer has come.
    LoseAnswers,
    /// Messages are repeated, held back, and overtaken, as drawn from this seed.
    Disorder(u64),
}

/// Something that goes wrong somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// Where.
    pub place: Place,
}

/// The places at which the order service can be made to die, and those of a participant.
pub const COORDINATOR_POINTS: [&str; 6] =
    ["after_begin", "after_reserve", "after_all", "after_decide", "mid_settle", "mid_recovery"];
/// See [`COORDINATOR_POINTS`].
pub const PARTICIPANT_POINT: &str = "after_script";

impl Fault {
    /// A kind of fault at a place.
    ///
    /// # Panics
    /// When there is no such fault there.
    pub fn new(kind: Kind, place: Place) -> Fault {
        let fits = match place {
            Place::Machine(..) => matches!(kind, Kind::Kill | Kind::Pause | Kind::Restart | Kind::Die(..)),
            Place::Shard(..) => matches!(
                kind,
                Kind::Kill
                    | Kind::Pause
                    | Kind::Restart
                    | Kind::Away
                    | Kind::FlushScripts
                    | Kind::FullMemory
                    | Kind::FullDisk
            ),
            Place::ShardLine(..) | Place::Line(..) => {
                matches!(kind, Kind::Cut | Kind::Slow | Kind::BlackHole | Kind::Mute | Kind::LoseAnswers)
            }
            Place::Messages(..) => matches!(kind, Kind::Disorder(_)),
        };
        assert!(fits, "there is no {kind:?} at {place:?}");
        Fault { kind, place }
    }

    /// Makes it go wrong.
    pub async fn begin(&self, cluster: &mut Cluster) {
        match self.place {
            Place::Machine(service, machine) => self.begin_at_machine(cluster, service, machine).await,
            Place::Shard(service, shard) => self.begin_at_shard(cluster, service, shard).await,
            Place::ShardLine(service, shard) => disturb(cluster.network().shard(service, shard), self.kind),
            Place::Line(service, machine) => disturb(&cluster.network().link(service, machine).wire, self.kind),
            Place::Messages(service, machine) => {
                if let Kind::Disorder(seed) = self.kind {
                    disorder(&cluster.network().link(service, machine).messages, seed);
                }
            }
        }
    }

    /// Makes it right again. Machines are started and not waited for: [`Cluster::all_ready`] does that.
    pub async fn end(&self, cluster: &mut Cluster) {
        match self.place {
            Place::Machine(service, machine) => match self.kind {
                Kind::Pause => cluster.process(service, machine).resume(),
                // One that was not asked to pass that point is still running, and would die later.
                Kind::Kill | Kind::Die(..) => {
                    cluster.process(service, machine).kill9();
                    cluster.launch_with(service, machine, &Settings::none());
                }
                _ => {}
            },
            Place::Shard(service, shard) => {
                let server = cluster.redis(service, shard);
                match self.kind {
                    Kind::Pause => server.resume(),
                    Kind::Kill | Kind::Away => server.restart().await,
                    Kind::FullMemory => server.set("maxmemory", "0").await,
                    Kind::FullDisk => {
                        server.limit_file(None);
                        if !server.is_running() {
                            server.restart().await;
                        }
                    }
                    _ => {}
                }
            }
            Place::ShardLine(service, shard) => cluster.network().shard(service, shard).pass(),
            Place::Line(service, machine) => cluster.network().link(service, machine).wire.pass(),
            Place::Messages(service, machine) => cluster.network().link(service, machine).messages.pass(),
        }
    }

    async fn begin_at_machine(&self, cluster: &mut Cluster, service: Service, machine: usize) {
        match self.kind {
            Kind::Kill => cluster.process(service, machine).kill9(),
            Kind::Pause => cluster.process(service, machine).pause(),
            Kind::Restart => {
                let process = cluster.process(service, machine);
                process.terminate();
                process.ended(DRAIN).await;
                process.kill9();
                cluster.launch_with(service, machine, &Settings::none());
            }
            Kind::Die(point, pass) => {
                cluster.process(service, machine).kill9();
                let dies = Settings::none().with("FAULT_AT", format!("{point}:{pass}"));
                cluster.launch_with(service, machine, &dies);
            }
            _ => {}
        }
    }

    async fn begin_at_shard(&self, cluster: &mut Cluster, service: Service, shard: usize) {
        let server = cluster.redis(service, shard);
        match self.kind {
            Kind::Kill => server.kill9(),
            Kind::Pause => server.pause(),
            Kind::Restart => server.restart().await,
            Kind::Away => server.stop().await,
            Kind::FlushScripts => server.tell(&["SCRIPT", "FLUSH"]).await,
            Kind::FullMemory => server.set("maxmemory", "1").await,
            Kind::FullDisk => server.limit_file(Some(server.file_size())),
            _ => {}
        }
    }
}

impl fmt::Display for Fault {
    /// The kind of fault and the kind of place, in words.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Machine(..) => "a machine",
            Place::Shard(..) => "a Redis server",
            Place::ShardLine(..) => "a line to a Redis server",
            Place::Line(..) => "a line between services",
            Place::Messages(..) => "messages",
        };
        match self.kind {
            Kind::Kill => write!(formatter, "{place} killed"),
            Kind::Pause => write!(formatter, "{place} stopped and continued"),
            Kind::Restart => write!(formatter, "{place} restarted"),
            Kind::Away => write!(formatter, "{place} away for long"),
            Kind::Die(point, _) => write!(formatter, "{place} dies {}", point.replace('_', " ")),
            Kind::FlushScripts => write!(formatter, "{place} without its scripts"),
            Kind::FullMemory => write!(formatter, "{place} at maxmemory"),
            Kind::FullDisk => write!(formatter, "{place} with a full disk"),
            Kind::Cut => write!(formatter, "{place} cut"),
            Kind::Slow => write!(formatter, "{place} slow"),
            Kind::BlackHole => write!(formatter, "{place} silent"),
            Kind::Mute => write!(formatter, "{place} without answers"),
            Kind::LoseAnswers => write!(formatter, "{place} cut before answers"),
            Kind::Disorder(_) => write!(formatter, "{place} repeated, late, overtaken"),
        }
    }
}

fn disturb(line: &Relay, kind: Kind) {
    match kind {
        Kind::Cut => line.cut(),
        Kind::Slow => line.flows(Flow::Delay(DELAY), Flow::Delay(DELAY)),
        Kind::BlackHole => line.flows(Flow::Hold, Flow::Hold),
        Kind::Mute => line.flows(Flow::Pass, Flow::Hold),
        Kind::LoseAnswers => line.flows(Flow::Pass, Flow::CutEvery(LOSES_EVERY)),
        _ => {}
    }
}

fn disorder(messages: &MessageRelay, seed: u64) {
    let count = AtomicU64::new(0);
    messages.rule(move |_| {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(count.fetch_add(1, Ordering::Relaxed)));
        match random.u8(0..5) {
            0 => Fate::Late(Duration::from_millis(random.u64(0..LATE_MS))),
            1 => Fate::Twice(Duration::from_millis(random.u64(0..REPEATED_MS))),
            _ => Fate::Pass,
        }
    });
}
